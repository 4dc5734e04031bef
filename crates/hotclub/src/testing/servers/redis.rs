//! One redis-server.
use super::admin::{Admin, Reply};
use super::options::RedisOptions;
use super::server::{Kind, Place, Server};
use super::skip;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A running redis-server on 127.0.0.1, killed on drop with all it held.
pub type RedisServer = Server<RedisOptions>;

impl Kind for RedisOptions {
    fn prepare(&self, folder: &Path) {
        if let Some(file) = &self.sentinel {
            fs::write(folder.join("sentinel.conf"), file).expect("a folder of our own can be written");
        }
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = Command::new(skip::redis_server());
        command.args(self.command_line(place.folder(), place.port, place.bus));
        command
    }

    /// Asked over the unix socket, which nobody else can have, as somebody could the port.
    fn answers(&self, place: &Place, _: u32) -> bool {
        let pong = Admin::connect(&place.socket(), self.password.as_deref());
        let pong = pong.and_then(|mut admin| admin.ask(&[b"PING"]));
        pong.is_ok_and(|reply| reply == Reply::Status("PONG".into()))
    }
}

impl Server<RedisOptions> {
    /// The port on which the nodes of a cluster talk to each other.
    pub(super) fn bus_port(&self) -> u16 {
        self.place.bus
    }

    /// As `redis://:password@127.0.0.1:6379`, or `rediss://…` with TLS.
    pub fn url(&self) -> String {
        let scheme = if self.options.tls.is_some() { "rediss" } else { "redis" };
        let login = self.password().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("{scheme}://{login}{}", self.address())
    }

    /// The same with a database: `redis://127.0.0.1:6379/1`.
    pub fn url_db(&self, number: usize) -> String {
        format!("{}/{number}", self.url())
    }

    /// The default user's password.
    pub fn password(&self) -> Option<&str> {
        self.options.password.as_deref()
    }

    /// Sends a command over the unix socket and gives the reply as text: an array is one item a line, nil is
    /// `(nil)`.
    ///
    /// Each call is a connection of its own, in database 0, which `CLIENT LIST` shows too. An error reply panics;
    /// [`RedisServer::ask`] hands it out.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> String {
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        match self.ask(&bytes) {
            Reply::Error(error) => panic!("{words:?}: {error}"),
            reply => reply.to_string(),
        }
    }

    /// The same with bytes, the reply as it is.
    #[track_caller]
    pub fn ask(&self, words: &[&[u8]]) -> Reply {
        self.ask_all(&[words]).remove(0)
    }

    /// Several commands over one connection: `SELECT` before `GET`.
    #[track_caller]
    pub fn ask_all(&self, commands: &[&[&[u8]]]) -> Vec<Reply> {
        self.answered(self.try_all(commands))
    }

    fn try_all(&self, commands: &[&[&[u8]]]) -> std::io::Result<Vec<Reply>> {
        let mut admin = Admin::connect(&self.unix_path(), self.password())?;
        commands.iter().map(|words| admin.ask(words)).collect()
    }

    /// One field of `INFO`, as `connected_clients`, this question included.
    pub fn info(&self, field: &str) -> Option<String> {
        field_of(&self.command(&["INFO", "everything"]), field)
    }

    /// Empties every database.
    pub fn flush(&self) {
        self.command(&["FLUSHALL"]);
    }
}

/// The value in a line `field:value`.
pub(super) fn field_of(text: &str, field: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}
