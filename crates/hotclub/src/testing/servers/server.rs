//! What every server has: a process that is started, stopped, killed and started again, a port and a folder.
use super::folder::Folder;
use super::process::Process;
use super::{ports, wait};
use parking_lot::{Mutex, MutexGuard};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A server that does not answer within this will not.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often another port is tried when somebody else was faster.
const PORT_TRIES: usize = 10;
/// What the server says then.
const IN_USE: &str = "Address already in use";
/// What PostgreSQL says while a process of the one that was killed is still ending.
const IS_ENDING: &str = "is still in use";

/// A running server on 127.0.0.1, killed on drop with all it held; its kind is that of its options.
#[derive(Debug)]
pub struct Server<K> {
    // Dropped before the folder it works in. Held while a process is started or ended, by one test at a time.
    process: Mutex<Option<Process>>,
    pub(super) options: K,
    pub(super) place: Place,
}

/// Where a server is.
#[derive(Debug)]
pub struct Place {
    pub(super) port: u16,
    /// A second port, for the kinds that need one.
    pub(super) bus: u16,
    folder: Folder,
}

/// The options of one kind of server: how it is started, and how one sees that it is up.
pub trait Kind: Debug {
    /// Writes what it reads at its start into its folder.
    fn prepare(&self, folder: &Path);

    /// What starts it.
    fn command(&self, place: &Place) -> Command;

    /// Whether it answers: this process, and not somebody else who was faster on its port.
    fn answers(&self, place: &Place, pid: u32) -> bool;
}

impl Place {
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder().join("socket")
    }
}

impl<K: Kind> Server<K> {
    /// Starts a server on a free port and returns when it answers.
    pub fn start(options: K) -> Self {
        let mut place = Place { port: 0, bus: 0, folder: Folder::new() };
        options.prepare(place.folder());
        for _ in 0..PORT_TRIES {
            (place.port, place.bus) = ports::two_free();
            match launch(&options, &place) {
                Ok(process) => return Server { process: Mutex::new(Some(process)), options, place },
                Err(problem) => assert!(problem.contains(IN_USE), "{problem}"),
            }
        }
        panic!("{PORT_TRIES} free ports were all taken by somebody else");
    }

    /// Its port: the one with TLS, if it has that.
    pub fn port(&self) -> u16 {
        self.place.port
    }

    /// As `127.0.0.1:6379`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// The unix socket, if it listens on one: Redis always does, memcached when its options say so.
    pub fn unix_path(&self) -> PathBuf {
        self.place.socket()
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
            let started = launch(&self.options, &self.place);
            started.map_err(|why| problem = why).ok().or_else(|| {
                assert!([IN_USE, IS_ENDING].iter().any(|words| problem.contains(words)), "{problem}");
                None
            })
        });
        assert!(process.is_some(), "port {} stayed taken: {problem}", self.port());
    }

    /// Stops it (SIGSTOP): connections stay open, new ones are accepted by the kernel, nothing is answered.
    pub fn pause(&self) {
        running(&self.process.lock()).pause();
    }

    /// Lets a paused server go on (SIGCONT); it answers what came in meanwhile.
    pub fn resume(&self) {
        running(&self.process.lock()).resume();
    }

    /// The end of its log, for messages.
    pub fn log(&self) -> String {
        self.process.lock().as_ref().map(Process::log).unwrap_or_default()
    }

    /// What it answered, or the end of the test.
    #[track_caller]
    pub(super) fn answered<T>(&self, answer: std::io::Result<T>) -> T {
        answer.unwrap_or_else(|error| panic!("the server on port {} does not answer: {error}", self.port()))
    }
}

#[track_caller]
fn running<'a>(process: &'a MutexGuard<'_, Option<Process>>) -> &'a Process {
    process.as_ref().expect("the server was killed")
}

fn launch(kind: &impl Kind, place: &Place) -> Result<Process, String> {
    let mut command = kind.command(place);
    let program = command.get_program().display().to_string();
    let mut process = Process::start(command.current_dir(place.folder()), &place.folder().join("log"));
    let answered = wait::until(START_LIMIT, || match process.ended() {
        Some(status) => Some(Err(format!("{program} ended with {status}:\n{}", process.log()))),
        None => kind.answers(place, process.id()).then_some(Ok(())),
    });
    match answered {
        Some(started) => started.map(|()| process),
        None => Err(format!("{program} did not answer within {START_LIMIT:?}:\n{}", process.log())),
    }
}
