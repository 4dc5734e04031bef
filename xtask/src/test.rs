//! `cargo xtask test`: the one test command. CI, the README and people call the same.
//!
//! A part is a row of [`parts`]: a name, what must have passed before, and a function. A part that fails does not
//! stop the ones that do not need it. The last line is `N passed, N failed, N skipped`.

mod context;
mod demo;
mod lint;
mod long;
mod package;
mod pylibmc;
mod python;
mod rust;
mod rust_version;
pub(crate) mod servers;
mod summary;
mod upstream;
mod wheel;

use std::process::ExitCode;
use std::time::Instant;

use crate::house;
use crate::places;
use crate::python::Interpreters;
use crate::shell::{Failure, Result};

pub(crate) use context::{Context, Done};
use summary::{Outcome, Report};

/// What `cargo xtask test` is asked for.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only the tests of this room (a folder or file in crates/hotclub/src/backend)
    pub(crate) room: Option<String>,
    /// Also what takes longer: all interpreters and Django series, more schedules, fuzzing, valgrind
    #[arg(long)]
    pub(crate) long: bool,
    /// Only these parts, and what they need
    #[arg(long, value_name = "PARTS", value_delimiter = ',', conflicts_with = "room")]
    pub(crate) only: Vec<String>,
}

/// One row of the table.
struct Part {
    name: &'static str,
    /// The parts without which this one makes no sense.
    needs: &'static [&'static str],
    run: fn(&Context) -> Result<Done>,
}

const fn part(name: &'static str, needs: &'static [&'static str], run: fn(&Context) -> Result<Done>) -> Part {
    Part { name, needs, run }
}

/// What is run, in this order: quick and likely to fail first, and nothing before what it needs.
fn parts(options: &Options) -> Vec<Part> {
    const PYTHONS: &[&str] = &["interpreters"];
    const WHEEL: &[&str] = &["wheel"];
    const TESTS: &[&str] = &["interpreters", "servers"];
    const WHEEL_TESTS: &[&str] = &["wheel", "servers"];
    if let Some(room) = &options.room {
        let servers = part("servers", &[], servers::check);
        let mut parts = if servers::are_for(room) { vec![servers] } else { vec![] };
        parts.extend([
            part("rust", &["servers"], rust::test_room),
            part("interpreters", &[], interpreters),
            part("wheel", PYTHONS, wheel::build_newest),
            part("python", WHEEL_TESTS, python::test_room),
        ]);
        return parts;
    }
    let mut parts = vec![
        part("format", &[], lint::format),
        part("interpreters", &[], interpreters),
        part("house", &[], |_| house::check().map(Done::with_note)),
        part("clippy", PYTHONS, lint::clippy),
        part("rustdoc", PYTHONS, lint::rustdoc),
        part("servers", &[], servers::check),
        part("rust", TESTS, rust::test_all),
        part("features", &[], rust::check_features),
        part("shuttle", &[], rust::shuttle),
        part("rust-version", PYTHONS, rust_version::check),
        part("wheel", PYTHONS, wheel::build),
        part("python", WHEEL_TESTS, python::test_all),
        part("lint-python", WHEEL, lint::python),
        part("upstream", WHEEL_TESTS, upstream::run),
        part("demo", WHEEL, demo::run),
        part("package", PYTHONS, package::check),
    ];
    if options.long {
        parts.push(part("valgrind", &[], long::valgrind));
        parts.push(part("fuzz", &[], long::fuzz));
    }
    parts
}

/// Runs the command; the exit code tells whether every part passed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if let Some(room) = &options.room {
        check_room(room)?;
    }
    let context = Context::new(options.clone());
    let mut reports: Vec<Report> = Vec::new();
    for part in chosen(parts(options), &options.only)? {
        let report = run_part(&part, &context, &reports)?;
        reports.push(report);
    }
    summary::print(&reports);
    Ok(if reports.iter().all(Report::is_fine) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The parts that were asked for and those that they need; all of them if none was named.
fn chosen(parts: Vec<Part>, only: &[String]) -> Result<Vec<Part>> {
    if let Some(unknown) = only.iter().find(|name| !parts.iter().any(|part| part.name == **name)) {
        let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
        return Err(Failure::said(format!("no part is called `{unknown}`; there are {}", names.join(", "))));
    }
    let mut wanted: Vec<&str> = only.iter().map(String::as_str).collect();
    // From the last to the first: what a part needs stands before it.
    for part in parts.iter().rev().filter(|_| !only.is_empty()) {
        if wanted.contains(&part.name) {
            wanted.extend(part.needs);
        }
    }
    Ok(parts.into_iter().filter(|part| only.is_empty() || wanted.contains(&part.name)).collect())
}

fn run_part(part: &Part, context: &Context, before: &[Report]) -> Result<Report> {
    println!("\n=== {}", part.name);
    let began = Instant::now();
    let missing =
        part.needs.iter().find(|need| before.iter().any(|report| report.is(need) && !report.is_fine()));
    let outcome = match missing {
        Some(need) => Outcome::NotRun(format!("needs {need}")),
        None => match (part.run)(context) {
            Ok(done) => Outcome::Ran(done),
            Err(Failure::Said(message)) => Outcome::Ran(Done::default().problem(message)),
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
        },
    };
    let report = Report { name: part.name, outcome, time: began.elapsed() };
    report.print_problems();
    Ok(report)
}

fn interpreters(context: &Context) -> Result<Done> {
    let found = Interpreters::find()?;
    for interpreter in found.all() {
        println!("Python {}: {}", interpreter.version(), interpreter.path.display());
    }
    let note = found.to_string();
    context.set_interpreters(found);
    Ok(Done::with_note(note))
}

fn check_room(room: &str) -> Result<()> {
    let rooms = house::rooms(&places::root())?;
    if rooms.iter().any(|known| known == room) {
        return Ok(());
    }
    Err(Failure::said(format!("no room is called `{room}`; there are {}", rooms.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        chosen(parts(&Options::default()), &only).unwrap().iter().map(|part| part.name).collect()
    }

    #[test]
    fn nothing_stands_before_what_it_needs() {
        let parts = parts(&Options { long: true, ..Options::default() });
        for (index, part) in parts.iter().enumerate() {
            let met = |need| parts[..index].iter().any(|earlier| earlier.name == need);
            assert!(part.needs.iter().all(|need| met(*need)), "{}", part.name);
        }
    }

    #[test]
    fn a_part_brings_what_it_needs() {
        assert_eq!(names(&["format"]), ["format"]);
        assert_eq!(names(&["demo"]), ["interpreters", "wheel", "demo"]);
        assert!(chosen(parts(&Options::default()), &["nonsense".to_owned()]).is_err());
    }
}
