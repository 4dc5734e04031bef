//! One MariaDB.
use super::server::{Kind, Place, Server};
use super::{skip, users};
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

/// A user that may do everything in the one database, its password, and the database.
const NAME: &str = "hotclub";
const PASSWORD: &str = "swing-61";
/// Who a server runs as if the tests run as root.
const USER: &str = "mysql";

/// How a [`MariaDbServer`] is to be started: with a password, an empty database, and no care for crashes of the
/// machine.
#[derive(Debug, Clone, Default)]
pub struct MariaDbOptions {
    arguments: Vec<String>,
    has_tls: bool,
}

/// A running MariaDB on 127.0.0.1, killed on drop with all it held.
pub type MariaDbServer = Server<MariaDbOptions>;

impl MariaDbOptions {
    /// The default.
    pub fn new() -> Self {
        MariaDbOptions::default()
    }

    /// With TLS beside plain connections, and the certificate of the kit.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.has_tls = true;
        self
    }

    /// Words of the command line: `argument("--max-allowed-packet=1M")`.
    #[must_use]
    pub fn argument(mut self, word: &str) -> Self {
        self.arguments.push(word.to_owned());
        self
    }
}

fn as_user() -> Option<String> {
    users::is_root().then(|| format!("--user={USER}"))
}

impl Kind for MariaDbOptions {
    fn prepare(&self, folder: &Path) {
        users::give(folder, USER);
        if self.has_tls {
            users::give_certificate(folder, USER);
        }
        let begin = format!(
            "CREATE DATABASE IF NOT EXISTS {NAME};\n\
             CREATE USER IF NOT EXISTS {NAME}@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON {NAME}.* TO {NAME}@'%';\n"
        );
        fs::write(folder.join("begin.sql"), begin).expect("a folder of our own can be written");
        let mut command = Command::new("mariadb-install-db");
        command.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        command.args(as_user()).arg(format!("--datadir={}", folder.join("data").display()));
        users::run(command.current_dir(folder).env("TMPDIR", folder));
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = Command::new(skip::MARIADB);
        // Servers that start at the same time trip over each other's temporary tables.
        command.env("TMPDIR", place.folder());
        let path = |name: &str| place.folder().join(name).display().to_string();
        command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        command.args(as_user()).arg(format!("--port={}", place.port));
        command.arg(format!("--datadir={}", path("data"))).arg(format!("--pid-file={}", path("pid")));
        command.arg(format!("--socket={}", place.socket().display()));
        command.arg(format!("--init-file={}", path("begin.sql")));
        // Written at each commit, so that a killed server forgets nothing, but not to the disk.
        command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M"]);
        if self.has_tls {
            command.arg(format!("--ssl-cert={}", path(users::CERTIFICATE)));
            command.arg(format!("--ssl-key={}", path(users::KEY)));
        }
        command.args(&self.arguments);
        command
    }

    fn answers(&self, place: &Place, pid: u32) -> bool {
        let told = fs::read_to_string(place.folder().join("pid")).unwrap_or_default();
        told.trim() == pid.to_string() && TcpStream::connect(("127.0.0.1", place.port)).is_ok()
    }
}

impl Server<MariaDbOptions> {
    /// As `mysql://user:password@127.0.0.1:3306/database`.
    pub fn url(&self) -> String {
        format!("mysql://{NAME}:{PASSWORD}@{}/{NAME}", self.address())
    }

    /// What the command line prints for this, a row a line, columns with tabs between them.
    #[track_caller]
    pub fn sql(&self, text: &str) -> String {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "-N", "-B", "-u", "root"]);
        command.arg(format!("--socket={}", self.unix_path().display())).args(["-D", NAME, "-e", text]);
        users::run(&mut command)
    }
}
