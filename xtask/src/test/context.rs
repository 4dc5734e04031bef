//! What the parts of a test run share, and what each of them hands back.

use std::cell::OnceCell;

use crate::counts::Counts;
use crate::places;
use crate::python::{Interpreter, Interpreters, with_python};
use crate::shell::{Ended, Failure, Result, Run};
use crate::test::Options;

/// What the parts of a test run share.
pub(crate) struct Context {
    pub(crate) options: Options,
    interpreters: OnceCell<Interpreters>,
}

impl Context {
    pub(crate) fn new(options: Options) -> Self {
        Context { options, interpreters: OnceCell::new() }
    }

    pub(crate) fn set_interpreters(&self, found: Interpreters) {
        // The part that finds them runs once.
        self.interpreters.set(found).ok();
    }

    /// The interpreters of this machine; parts that ask have `interpreters` among their needs.
    pub(crate) fn interpreters(&self) -> Result<&Interpreters> {
        self.interpreters.get().ok_or_else(|| Failure::said("no interpreter was looked for"))
    }

    /// The interpreters that are tested: the oldest and the newest, with `--long` all.
    pub(crate) fn tested(&self) -> Result<Vec<&Interpreter>> {
        let found = self.interpreters()?;
        Ok(if self.options.long { found.all().iter().collect() } else { found.ends() })
    }

    /// A cargo command for which PyO3 has a Python to look at.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<Run> {
        Ok(with_python(Run::cargo(arguments), self.interpreters()?.newest()))
    }
}

/// What a part that ran has to tell: tests counted, things that went wrong, a remark for the table.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) counts: Counts,
    pub(crate) problems: Vec<String>,
    pub(crate) note: String,
    /// Nothing was run, and `note` says why.
    pub(crate) skipped: bool,
}

impl Done {
    pub(crate) fn with_note(note: impl Into<String>) -> Self {
        Done { note: note.into(), ..Done::default() }
    }

    /// Something this machine lacks: skipped with the reason, but with `CI` set a failure.
    pub(crate) fn missing(what: impl Into<String>) -> Result<Self> {
        let what = what.into();
        if places::is_ci() {
            return Err(Failure::said(format!("{what} (with CI set nothing is skipped)")));
        }
        Ok(Done { skipped: true, ..Done::with_note(what) })
    }

    pub(crate) fn problem(mut self, message: impl Into<String>) -> Self {
        self.problems.push(message.into());
        self
    }

    /// Adds the tests of one command; it is a problem if the command failed, or told of no tests at all.
    pub(crate) fn add(&mut self, run: &Run, ended: &Ended, counts: Option<Counts>) {
        self.counts += counts.unwrap_or_default();
        match (ended.problem(run), counts) {
            (Some(problem), _) => self.problems.push(problem),
            (None, None) => self.problems.push(format!("`{run}` ended without a closing line")),
            (None, Some(_)) => {}
        }
    }

    /// Goes on after a failure, which is remembered; Ctrl-C ends everything.
    pub(crate) fn try_to(&mut self, attempt: Result<()>) -> Result<()> {
        match attempt {
            Err(Failure::Said(problem)) => self.problems.push(problem),
            done => return done,
        }
        Ok(())
    }

    /// Adds a remark.
    pub(crate) fn remark(&mut self, remark: &str) {
        if !self.note.is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(remark);
    }
}
