//! A server's process: started with its output in a log, stopped, continued, killed.
use super::warden;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};

/// How much of a log an error shows.
const LINES_SHOWN: usize = 20;

/// A child process that does not outlive its owner.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    /// The process that started it: a forked child of that one must not end it.
    owner: u32,
}

impl Process {
    /// Starts it; what it says goes to the log.
    pub(super) fn start(command: &mut Command, log: &Path) -> Self {
        let output = File::create(log).expect("a log can be written in a folder of our own");
        let errors = output.try_clone().expect("a file can be opened twice");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        warden::watch(child.id());
        Process { child, log: log.to_owned(), owner: process::id() }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has by itself.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child is ours")
    }

    /// The end of what it said.
    pub(super) fn log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }

    /// Stops it and the processes that it made, and returns when it stands still.
    pub(super) fn pause(&self) {
        self.signal(self.id(), libc::SIGSTOP);
        // SAFETY: all zeros is a value of this plain C structure.
        let mut seen: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // An end counts too, else this would wait for ever; WNOWAIT leaves that end to be reaped by `Child`.
        let what = libc::WSTOPPED | libc::WEXITED | libc::WNOWAIT;
        // SAFETY: `seen` is valid for the length of the call; the child is ours and not reaped yet.
        let answer = unsafe { libc::waitid(libc::P_PID, self.id(), &mut seen, what) };
        assert_eq!(answer, 0, "waitid: {}", std::io::Error::last_os_error());
        self.children().into_iter().for_each(|child| self.signal(child, libc::SIGSTOP));
    }

    /// Lets them go on.
    pub(super) fn resume(&self) {
        self.children().into_iter().for_each(|child| self.signal(child, libc::SIGCONT));
        self.signal(self.id(), libc::SIGCONT);
    }

    /// The processes that it made: PostgreSQL has one for each connection.
    fn children(&self) -> Vec<u32> {
        let id = self.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// A child may have ended meanwhile; the process itself has not, while it is not reaped.
    fn signal(&self, id: u32, signal: libc::c_int) {
        let pid = libc::pid_t::try_from(id).expect("process ids are small");
        // SAFETY: sends a signal to a child of ours that is not reaped yet, or to a child of that one, which is
        // either stopped, so that it reaps nobody and numbers stay, or about to be killed with all it has.
        let answer = unsafe { libc::kill(pid, signal) };
        assert!(answer == 0 || id != self.id(), "kill: {}", std::io::Error::last_os_error());
    }
}

impl Drop for Process {
    /// Kills it with the processes that it made, stopped or not, and waits for its end.
    fn drop(&mut self) {
        if self.owner == process::id() {
            if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
                self.signal(self.id(), libc::SIGSTOP);
                self.children().into_iter().for_each(|child| self.signal(child, libc::SIGKILL));
            }
            self.child.kill().ok();
            warden::forget(self.child.id());
            self.child.wait().ok();
        }
    }
}
