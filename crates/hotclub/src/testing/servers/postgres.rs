//! One PostgreSQL.
use super::server::{Kind, Place, Server};
use super::{skip, users};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The superuser, its password over TCP, and the database that is there.
const NAME: &str = "hotclub";
const PASSWORD: &str = "swing-61";
/// Who a server runs as if the tests run as root, which PostgreSQL refuses.
const USER: &str = "postgres";

/// How a [`PostgresServer`] is to be started: with a password, an empty database, and no care for crashes of the
/// machine.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    settings: Vec<String>,
    has_tls: bool,
}

/// A running PostgreSQL on 127.0.0.1, killed on drop with all it held.
pub type PostgresServer = Server<PostgresOptions>;

impl PostgresOptions {
    /// The default.
    pub fn new() -> Self {
        PostgresOptions::default()
    }

    /// With TLS beside plain connections, and the certificate of the kit.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.has_tls = true;
        self
    }

    /// `-c name=value`: `setting("max_connections", "5")`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push(format!("{name}={value}"));
        self
    }
}

impl Kind for PostgresOptions {
    fn prepare(&self, folder: &Path) {
        users::give(folder, USER);
        if self.has_tls {
            users::give_certificate(folder, USER);
        }
        let file = folder.join("password");
        fs::write(&file, PASSWORD).expect("a folder of our own can be written");
        let mut command = users::command_as(USER, &skip::postgres_program("initdb"));
        command.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth-local=trust"]);
        // Not SCRAM: its thousands of rounds take a debug build a good part of a second.
        command.args(["--auth-host=md5", "--username", NAME, "--pwfile", "password", "data"]);
        users::run(command.current_dir(folder));
        let mut command = users::command_as(USER, &skip::postgres_program("postgres"));
        command.args(["--single", "-D", "data", "postgres"]).current_dir(folder);
        create_database(&mut command);
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = users::command_as(USER, &skip::postgres_program("postgres"));
        command.args(["-D", "data", "-p", &place.port.to_string()]);
        let sockets = format!("unix_socket_directories={}", place.folder().display());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", &sockets] {
            command.args(["-c", setting]);
        }
        let path = |name: &str| place.folder().join(name).display().to_string();
        let (certificate, key) = (path(users::CERTIFICATE), path(users::KEY));
        let tls =
            ["ssl=on".to_owned(), format!("ssl_cert_file={certificate}"), format!("ssl_key_file={key}")];
        for setting in self.settings.iter().chain(tls.iter().filter(|_| self.has_tls)) {
            command.args(["-c", setting]);
        }
        command
    }

    /// It writes into its file of that name whose process it is, and that it is ready.
    fn answers(&self, place: &Place, pid: u32) -> bool {
        let told = fs::read_to_string(place.folder().join("data/postmaster.pid")).unwrap_or_default();
        let words: Vec<&str> = told.split_whitespace().collect();
        words.first() == Some(&pid.to_string().as_str()) && words.last() == Some(&"ready")
    }
}

/// One session without a server makes the database.
fn create_database(command: &mut Command) {
    let mut session = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut input = session.stdin.take().expect("the pipe was asked for");
    input.write_all(format!("CREATE DATABASE {NAME};\n").as_bytes()).expect("it reads");
    drop(input);
    let ended = session.wait().expect("the child is ours");
    assert!(ended.success(), "{command:?} ended with {ended}");
}

impl Server<PostgresOptions> {
    /// As `postgres://user:password@127.0.0.1:5432/database`.
    pub fn url(&self) -> String {
        format!("postgres://{NAME}:{PASSWORD}@{}/{NAME}", self.address())
    }

    /// The directory of its unix socket, over which no password is asked for.
    pub fn socket_directory(&self) -> &Path {
        self.place.folder()
    }

    /// What psql prints for this, a row a line, columns with `|` between them.
    #[track_caller]
    pub fn sql(&self, text: &str) -> String {
        let mut command = Command::new("psql");
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", NAME, "-d", NAME]);
        command.arg("-h").arg(self.place.folder()).args(["-p", &self.port().to_string(), "-c", text]);
        users::run(&mut command)
    }
}
