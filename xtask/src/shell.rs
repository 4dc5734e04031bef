//! Running commands: each with a time limit, in a process group of its own, ended on Ctrl-C.

mod child;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use crate::failure::{Failure, Result};
use crate::places;
use crate::process_group;
use child::{Ending, GLANCE, Output, Started};

/// From when on it is told how long a command took.
const WORTH_TELLING: Duration = Duration::from_secs(5);
/// The waits before the second and the third try of what needs the network.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(20)];

/// A command to run: program, arguments, variables, folder, time limit.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    folder: PathBuf,
    limit: Option<Duration>,
}

impl Run {
    /// Runs `program` in the root of the clone, ten minutes at most.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Run {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            folder: places::root(),
            limit: Some(Duration::from_secs(600)),
        }
    }

    /// Runs cargo; builds get twenty minutes.
    pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Run::new("cargo").args(arguments).minutes(20)
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    pub(crate) fn minutes(self, minutes: u64) -> Self {
        self.seconds(minutes * 60)
    }

    pub(crate) fn seconds(mut self, seconds: u64) -> Self {
        self.limit = Some(Duration::from_secs(seconds));
        self
    }

    /// For a server that a person watches: it runs until Ctrl-C.
    pub(crate) fn without_limit(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Runs it with its output on ours; anything but success is a failure.
    pub(crate) fn show(&self) -> Result<()> {
        println!("$ {self}");
        let began = Instant::now();
        let ended = Ended::silent(self.start(Output::Ours)?.finish()?);
        if began.elapsed() > WORTH_TELLING {
            println!("(took {} s)", began.elapsed().as_secs());
        }
        ended.into_result(self)
    }

    /// [`Run::show`], tried three times: for what needs the network.
    pub(crate) fn show_retrying(&self) -> Result<()> {
        for wait in RETRY_WAITS {
            match self.show() {
                Err(Failure::Said(message)) => println!("{message}; trying again in {} s", wait.as_secs()),
                done => return done,
            }
            sleep(wait)?;
        }
        self.show()
    }

    /// Runs it with its output on ours and returns how it ended: for a command whose exit code we pass on.
    pub(crate) fn pass_through(&self) -> Result<Ended> {
        println!("$ {self}");
        self.start(Output::Ours)?.finish_even_interrupted().map(Ended::silent)
    }

    /// Runs it with its output on ours, and in `log`, and returns that.
    pub(crate) fn show_and_read(&self, log: &Path) -> Result<Ended> {
        println!("$ {self}");
        let mut started = self.start(one_file(log)?)?;
        let mut tail = File::open(log)?;
        loop {
            let status = started.glance()?;
            io::copy(&mut tail, &mut io::stdout())?;
            if let Some(ending) = status {
                io::stdout().flush()?;
                return Ok(Ended { ending, output: read_log(log)? });
            }
            thread::sleep(GLANCE);
        }
    }

    /// Runs it quietly and returns what it printed on stdout.
    pub(crate) fn read(&self) -> Result<String> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let scratch = places::log(&format!("quiet-{}-{serial}", std::process::id()));
        let errors = scratch.with_extension("err");
        let started = self.start(Output::Files(create(&scratch)?, create(&errors)?));
        let done = started.and_then(Started::finish).map(Ended::silent);
        let (output, complaint) = (read_log(&scratch)?, read_log(&errors)?);
        fs::remove_file(&scratch)?;
        fs::remove_file(&errors)?;
        match done?.into_result(self) {
            Ok(()) => Ok(output),
            Err(failure) => Err(failure.hint(complaint.trim_end())),
        }
    }

    fn start(&self, output: Output) -> Result<Started> {
        let mut command = Command::new(&self.program);
        child::clean_environment(&mut command);
        command.args(&self.arguments).current_dir(&self.folder);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        io::stdout().flush()?;
        child::start(command.envs(variables), output, self.limit)
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.variables {
            write!(formatter, "{}={} ", name.display(), short(value))?;
        }
        write!(formatter, "{}", short(&self.program))?;
        self.arguments.iter().try_for_each(|argument| write!(formatter, " {}", short(argument)))
    }
}

/// Runs commands at the same time; prints the whole output of each when it ends.
pub(crate) fn side_by_side(runs: &[(String, Run)]) -> Result<Vec<Ended>> {
    let mut started = Vec::new();
    for (name, run) in runs {
        println!("$ {run}    # {name}, in the background");
        started.push(run.start(one_file(&places::log(name))?)?);
    }
    let mut ended: Vec<Option<Ended>> = runs.iter().map(|_| None).collect();
    while ended.iter().any(Option::is_none) {
        for (index, (name, _)) in runs.iter().enumerate() {
            if ended[index].is_none()
                && let Some(ending) = started[index].glance()?
            {
                let output = read_log(&places::log(name))?;
                println!("--- {name}\n{output}--- end of {name}");
                ended[index] = Some(Ended { ending, output });
            }
        }
        thread::sleep(GLANCE);
    }
    Ok(ended.into_iter().flatten().collect())
}

fn sleep(time: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        if process_group::interrupted() {
            return Err(Failure::Interrupted);
        }
        thread::sleep(GLANCE);
    }
    Ok(())
}

/// Stdout and stderr into one file, in the order they come.
fn one_file(path: &Path) -> Result<Output> {
    let file = create(path)?;
    Ok(Output::Files(file.try_clone()?, file))
}

fn create(path: &Path) -> Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    Ok(File::create(path)?)
}

fn read_log(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How a command ended, and what it printed where that was kept.
#[derive(Debug)]
pub(crate) struct Ended {
    ending: Ending,
    /// What it printed.
    pub(crate) output: String,
}

impl Ended {
    fn silent(ending: Ending) -> Ended {
        Ended { ending, output: String::new() }
    }

    /// The exit code, where there is one.
    pub(crate) fn code(&self) -> Option<i32> {
        match self.ending {
            Ending::Status(status) => status.code(),
            Ending::TimedOut => None,
        }
    }

    /// Anything but success, as a failure.
    pub(crate) fn into_result(self, run: &Run) -> Result<()> {
        self.problem(run).map_or(Ok(()), |problem| Err(Failure::Said(problem)))
    }

    /// What went wrong, if something did.
    pub(crate) fn problem(&self, run: &Run) -> Option<String> {
        match self.ending {
            Ending::Status(status) if status.success() => None,
            Ending::Status(status) => Some(match (status.code(), status.signal()) {
                (Some(code), _) => format!("`{run}` ended with exit code {code}"),
                (None, signal) => format!("`{run}` was ended by signal {}", signal.unwrap_or_default()),
            }),
            Ending::TimedOut => {
                let seconds = run.limit.unwrap_or_default().as_secs();
                Some(format!("`{run}` took longer than its limit of {seconds} s and was ended"))
            }
        }
    }
}

/// Paths in the clone are shown from its root, and what a shell would split is quoted.
fn short(word: &OsStr) -> String {
    let text = word.display().to_string();
    let root = format!("{}/", places::root().display());
    let text = text.strip_prefix(&root).unwrap_or(&text);
    if text.contains(' ') || text.is_empty() { format!("'{text}'") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let run = Run::new("sleep").arg("60").seconds(0);
        let ended = Ended::silent(run.start(Output::Ours).unwrap().finish().unwrap());
        assert!(ended.problem(&run).unwrap().contains("limit of 0 s"));
    }

    #[test]
    fn the_exit_code_is_told() {
        let run = Run::new("sh").args(["-c", "exit 3"]);
        let ended = Ended::silent(run.start(Output::Ours).unwrap().finish().unwrap());
        assert_eq!(ended.code(), Some(3));
        assert_eq!(ended.problem(&run).unwrap(), "`sh -c 'exit 3'` ended with exit code 3");
    }

    #[test]
    fn quiet_commands_return_stdout_and_complain_with_stderr() {
        assert_eq!(Run::new("sh").args(["-c", "echo yes; echo no >&2"]).read().unwrap(), "yes\n");
        let Failure::Said(message) = Run::new("sh").args(["-c", "echo why >&2; exit 1"]).read().unwrap_err()
        else {
            panic!("not interrupted");
        };
        assert!(message.ends_with("exit code 1\n  why"), "{message}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let failure = Run::new("no-such-program-at-all").read().unwrap_err();
        assert!(matches!(failure, Failure::Said(message) if message.contains("no-such-program-at-all")));
    }
}
