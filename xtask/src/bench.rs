//! `cargo xtask bench`: hotclub and its peers in the same run, from a release build.

use std::process::ExitCode;

use crate::places;
use crate::python::{Interpreters, NEWEST_DJANGO};
use crate::shell::{Result, Run};
use crate::venv::Venv;
use crate::wheel;

/// What `cargo xtask bench` is asked for; handed on to the benches as it is.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only the benches of this room
    room: Option<String>,
    /// Fails if a ratio is worse than what the benches promise
    #[arg(long)]
    check: bool,
    /// Fewer rounds, for a first look
    #[arg(long)]
    quick: bool,
}

/// Runs the Python and the Rust benches; fails if one of them does.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let python = python_benches()?.args(flags(options));
    let rust = rust_benches()?.args(flags(options));
    let mut code = ExitCode::SUCCESS;
    for benches in [python, rust] {
        let ended = benches.pass_through()?;
        if let Some(problem) = ended.problem(&benches) {
            eprintln!("{problem}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn flags(options: &Options) -> Vec<String> {
    let results = places::root().join("benches/results").display().to_string();
    let mut flags: Vec<String> = options.room.iter().cloned().collect();
    flags.extend(["--results".to_owned(), results]);
    flags.extend(options.check.then(|| "--check".to_owned()));
    flags.extend(options.quick.then(|| "--quick".to_owned()));
    flags
}

fn python_benches() -> Result<Run> {
    let benches = places::required("benches/python/run.py", "the Python benches start there")?;
    let interpreters = Interpreters::find()?;
    let newest = interpreters.newest();
    let wheel = wheel::build(&wheel::maturin(newest)?, newest, &["--release"], "bench-wheels")?;
    let venv = Venv::open(&format!("bench-{}", newest.series()), newest)?;
    venv.require(&[&format!("Django=={NEWEST_DJANGO}.*")], None)?;
    let requirements = places::root().join("benches/python/requirements.txt");
    if requirements.exists() {
        venv.require(&[], Some(&requirements))?;
    }
    venv.install_wheel(&wheel)?;
    Ok(venv.run([benches]).minutes(60))
}

fn rust_benches() -> Result<Run> {
    let manifest = places::required("benches/Cargo.toml", "the Rust benches are a workspace of their own")?;
    // Cargo's own limit of patience does not count here: the peers are many crates.
    let run = Run::cargo(["run", "--release", "--manifest-path"]).arg(manifest).arg("--target-dir");
    Ok(run.arg(places::target().join("benches")).arg("--").minutes(90))
}
