//! `cargo xtask house`: the house rules that a machine can check, one line for each violation.

mod dependencies;
mod licence;
mod rooms;
mod source;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::places;
use crate::shell::{Failure, Result, Run};

pub(crate) use rooms::rooms;

/// What was found wrong, as `file:line: what, and the rule`.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    /// Adds one; lines are counted from 1.
    fn add(&mut self, file: &Path, line: usize, what: &str) {
        self.0.push(format!("{}:{line}: {what}", file.display()));
    }

    /// Adds one that is about the whole file.
    fn add_to_file(&mut self, file: &str, what: &str) {
        self.add(Path::new(file), 1, what);
    }
}

/// A text file of the project.
struct Source {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

impl Source {
    fn is(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|end| end == extension)
    }
}

/// Runs the command.
pub(crate) fn run() -> Result<ExitCode> {
    println!("{}", check()?);
    Ok(ExitCode::SUCCESS)
}

/// Checks every rule; prints the violations and fails if there are any, else says what was counted.
pub(crate) fn check() -> Result<String> {
    let mut violations = Violations::default();
    let sources = sources()?;
    rooms::check(&places::root(), &sources, &mut violations)?;
    source::check(&sources, &mut violations);
    workspace::check(&sources, &mut violations);
    let counted = dependencies::check(&mut violations)?;
    check_reference(&mut violations)?;
    violations.0.iter().for_each(|violation| println!("{violation}"));
    match violations.0.len() {
        0 => Ok(format!("{} files, {counted}", sources.len())),
        count => Err(Failure::said(format!("{count} violations of the house rules, listed above"))),
    }
}

/// The tables in docs/reference are printed from the code; here they are compared with it.
fn check_reference(violations: &mut Violations) -> Result<()> {
    let example = "crates/hotclub/examples/reference.rs";
    if !places::root().join(example).exists() {
        return Ok(());
    }
    let run =
        Run::cargo(["run", "--quiet", "--package", "hotclub", "--all-features", "--example", "reference"]);
    match run.args(["--", "--check"]).show() {
        Err(Failure::Said(problem)) => violations.add_to_file(example, &problem),
        done => return done,
    }
    Ok(())
}

fn sources() -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in places::files()? {
        // What is not text has no lines to check.
        if let Ok(text) = String::from_utf8(fs::read(places::root().join(&path))?) {
            sources.push(Source { path, text });
        }
    }
    Ok(sources)
}
