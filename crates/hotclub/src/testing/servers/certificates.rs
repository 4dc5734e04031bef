//! Certificates for servers and clients on loopback, by the command line of OpenSSL.
use super::folder::Folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Everything that OpenSSL would otherwise look for in its own configuration.
const CONFIGURATION: &str = "
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1, DNS:localhost
extendedKeyUsage = serverAuth, clientAuth
[client]
basicConstraints = CA:FALSE
authorityKeyIdentifier = keyid
subjectAltName = DNS:client
extendedKeyUsage = clientAuth
";

static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::make);

/// An authority, a server's certificate for 127.0.0.1 and localhost, and a client's: PEM files that live as long
/// as the process.
#[derive(Debug)]
pub struct Certificates {
    folder: Folder,
}

impl Certificates {
    /// Those of this process, made at the first call.
    pub fn get() -> &'static Certificates {
        &CERTIFICATES
    }

    /// The certificate of the authority, which signed the others.
    pub fn authority(&self) -> PathBuf {
        self.file("authority.crt")
    }

    /// The server's certificate.
    pub fn server_certificate(&self) -> PathBuf {
        self.file("server.crt")
    }

    /// The server's key.
    pub fn server_key(&self) -> PathBuf {
        self.file("server.key")
    }

    /// The client's certificate.
    pub fn client_certificate(&self) -> PathBuf {
        self.file("client.crt")
    }

    /// The client's key.
    pub fn client_key(&self) -> PathBuf {
        self.file("client.key")
    }

    /// An authority that signed nothing here: who trusts only this one trusts no server of the kit.
    pub fn other_authority(&self) -> PathBuf {
        self.file("other.crt")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make() -> Self {
        let made = Certificates { folder: Folder::new() };
        let folder = made.folder.path();
        fs::write(folder.join("openssl.cnf"), CONFIGURATION).expect("a folder of our own can be written");
        make_authority(folder, "authority");
        make_authority(folder, "other");
        sign(folder, "server", "2");
        sign(folder, "client", "3");
        made
    }
}

const REQUEST: &str = "req -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

fn make_authority(folder: &Path, name: &str) {
    let rest = format!("-x509 -extensions authority -days 30 -keyout {name}.key -out {name}.crt");
    openssl(folder, &format!("{REQUEST} {rest} -subj /CN=hotclub-{name}"));
}

fn sign(folder: &Path, name: &str, serial: &str) {
    openssl(folder, &format!("{REQUEST} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    let by = "-CA authority.crt -CAkey authority.key";
    let what = format!("-in {name}.csr -out {name}.crt -days 30 -set_serial {serial}");
    openssl(folder, &format!("x509 -req {what} {by} -extfile openssl.cnf -extensions {name}"));
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let done = command.args(arguments.split(' ')).current_dir(folder).output();
    let done = done.unwrap_or_else(|error| panic!("openssl does not start: {error}"));
    assert!(done.status.success(), "openssl {arguments}:\n{}", String::from_utf8_lossy(&done.stderr));
}
