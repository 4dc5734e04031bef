//! One redis-server.
use super::admin::{Admin, Reply};
use super::folder::Folder;
use super::options::RedisOptions;
use super::process::Process;
use super::{ports, skip, wait};
use parking_lot::{Mutex, MutexGuard};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A server that does not answer within this will not.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How often another port is tried when somebody else was faster.
const PORT_TRIES: usize = 10;
/// What the server says then.
const IN_USE: &str = "Address already in use";

/// A running redis-server on 127.0.0.1, killed on drop with all it held.
#[derive(Debug)]
pub struct RedisServer {
    // Dropped before the folder it works in. Held while a process is started or ended, by one test at a time.
    process: Mutex<Option<Process>>,
    options: RedisOptions,
    port: u16,
    bus: u16,
    folder: Folder,
}

impl RedisServer {
    /// Starts a server on a free port and returns when it answers.
    pub fn start(options: RedisOptions) -> Self {
        let folder = Folder::new();
        if let Some(file) = &options.sentinel {
            fs::write(folder.path().join("sentinel.conf"), file).expect("a folder of our own can be written");
        }
        for _ in 0..PORT_TRIES {
            let (port, bus) = ports::two_free();
            match launch(&options, folder.path(), port, bus) {
                Ok(process) => {
                    return RedisServer { process: Mutex::new(Some(process)), options, port, bus, folder };
                }
                Err(problem) => assert!(problem.contains(IN_USE), "{problem}"),
            }
        }
        panic!("{PORT_TRIES} free ports were all taken by somebody else");
    }

    /// Its port: the one with TLS, if it has that.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port on which the nodes of a cluster talk to each other.
    pub(super) fn bus_port(&self) -> u16 {
        self.bus
    }

    /// As `127.0.0.1:6379`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
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

    /// The unix socket, on which it listens too.
    pub fn unix_path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// The default user's password.
    pub fn password(&self) -> Option<&str> {
        self.options.password.as_deref()
    }

    /// The process, unless it was killed. It changes with a restart.
    pub fn pid(&self) -> Option<u32> {
        self.process.lock().as_ref().map(Process::id)
    }

    /// Kills it at once, as a crash does; what it held is gone. Nothing happens if it is dead already.
    pub fn kill(&self) {
        self.process.lock().take();
    }

    /// Kills it if need be, and starts it on the same port with the same options: empty, but a node of a cluster
    /// and a sentinel still know what they are.
    pub fn restart(&self) {
        let mut process = self.process.lock();
        process.take();
        let mut problem = String::new();
        // The port is ours, but an outgoing connection of anybody may have got its number for a while.
        *process = wait::until(START_LIMIT, || {
            let started = launch(&self.options, self.folder.path(), self.port, self.bus);
            started.map_err(|why| problem = why).ok().or_else(|| {
                assert!(problem.contains(IN_USE), "{problem}");
                None
            })
        });
        assert!(process.is_some(), "port {} stayed taken: {problem}", self.port);
    }

    /// Stops it (SIGSTOP): connections stay open, new ones are accepted by the kernel, nothing is answered.
    pub fn pause(&self) {
        running(&self.process.lock()).pause();
    }

    /// Lets a paused server go on; it answers what came in meanwhile.
    pub fn resume(&self) {
        running(&self.process.lock()).resume();
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
        self.try_all(commands)
            .unwrap_or_else(|error| panic!("the server on port {} does not answer: {error}", self.port))
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

    /// The end of its log, for messages.
    pub fn log(&self) -> String {
        self.process.lock().as_ref().map(Process::log).unwrap_or_default()
    }
}

#[track_caller]
fn running<'a>(process: &'a MutexGuard<'_, Option<Process>>) -> &'a Process {
    process.as_ref().expect("the server was killed")
}

/// The value in a line `field:value`.
pub(super) fn field_of(text: &str, field: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned())
}

fn launch(options: &RedisOptions, folder: &Path, port: u16, bus: u16) -> Result<Process, String> {
    let program = skip::redis_server();
    let mut command = Command::new(&program);
    command.args(options.command_line(folder, port, bus)).current_dir(folder);
    let mut process = Process::start(&mut command, &folder.join("log"));
    let answered = wait::until(START_LIMIT, || match process.ended() {
        Some(status) => Some(Err(format!("{program} ended with {status}:\n{}", process.log()))),
        None => answers(&folder.join("socket"), options.password.as_deref()).then_some(Ok(())),
    });
    match answered {
        Some(started) => started.map(|()| process),
        None => Err(format!("{program} did not answer within {START_LIMIT:?}:\n{}", process.log())),
    }
}

/// Asked over the unix socket, which nobody else can have, as somebody could the port.
fn answers(socket: &Path, password: Option<&str>) -> bool {
    let pong = Admin::connect(socket, password).and_then(|mut admin| admin.ask(&[b"PING"]));
    pong.is_ok_and(|reply| reply == Reply::Status("PONG".into()))
}
