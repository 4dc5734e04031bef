//! A command that is running: looked at now and then, ended with everything that it started.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::process_group::{self, Signal};

/// How often a running command is looked at.
pub(crate) const GLANCE: Duration = Duration::from_millis(30);
/// How long a command may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Status(ExitStatus),
    TimedOut,
}

/// Where the output of a command goes.
pub(crate) enum Output {
    /// To ours.
    Ours,
    /// Stdout and stderr into these.
    Files(File, File),
}

/// Starts a command in a process group of its own.
pub(crate) fn start(command: &mut Command, output: Output, limit: Option<Duration>) -> Result<Started> {
    if process_group::interrupted() {
        return Err(Failure::Interrupted);
    }
    command.process_group(0).stdin(Stdio::null());
    if let Output::Files(out, errors) = output {
        command.stdout(out).stderr(errors);
    }
    match command.spawn() {
        Ok(child) => Ok(Started { child, limit, began: Instant::now(), ended: false }),
        Err(error) => {
            let program = command.get_program().display();
            Err(Failure::said(format!("`{program}` cannot be started: {error}")))
        }
    }
}

/// A running command; dropping it ends it.
pub(crate) struct Started {
    child: Child,
    limit: Option<Duration>,
    began: Instant,
    ended: bool,
}

impl Started {
    /// Looks whether it has ended, was interrupted or ran out of time.
    pub(crate) fn glance(&mut self) -> Result<Option<Ending>> {
        if let Some(status) = self.child.try_wait()? {
            self.ended = true;
            return Ok(Some(Ending::Status(status)));
        }
        if process_group::interrupted() {
            self.end(Signal::Interrupt)?;
            return Err(Failure::Interrupted);
        }
        if self.limit.is_some_and(|limit| self.began.elapsed() > limit) {
            self.end(Signal::Terminate)?;
            return Ok(Some(Ending::TimedOut));
        }
        Ok(None)
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Result<Ending> {
        loop {
            if let Some(ending) = self.glance()? {
                return Ok(ending);
            }
            thread::sleep(GLANCE);
        }
    }

    /// Like [`Started::finish`], but Ctrl-C is the command's to answer: its exit code counts.
    pub(crate) fn finish_even_interrupted(mut self) -> Result<Ending> {
        while !process_group::interrupted() {
            if let Some(ending) = self.glance()? {
                return Ok(ending);
            }
            thread::sleep(GLANCE);
        }
        self.end(Signal::Interrupt).map(Ending::Status)
    }

    /// Asks the whole group to end, and makes it.
    fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        process_group::signal(self.child.id(), signal);
        let asked = Instant::now();
        while asked.elapsed() < GRACE && self.child.try_wait()?.is_none() {
            thread::sleep(GLANCE);
        }
        // Also when the leader has ended: its own children may be there still.
        process_group::signal(self.child.id(), Signal::Kill);
        self.ended = true;
        Ok(self.child.wait()?)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody is left to tell, should this fail too.
            self.end(Signal::Terminate).ok();
        }
    }
}

/// What cargo and an activated environment put in our own variables is not meant for our commands.
pub(crate) fn clean_environment(command: &mut Command) {
    const OURS: [&str; 5] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    let is_ours =
        |name: &OsStr| name.to_str().is_some_and(|name| OURS.iter().any(|ours| name.starts_with(ours)));
    for (name, _) in env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    for name in ["CARGO", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "DJANGO_SETTINGS_MODULE"]
    {
        command.env_remove(name);
    }
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1").env("PYTHONUNBUFFERED", "1");
}
