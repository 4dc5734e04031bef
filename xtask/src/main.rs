//! The commands of the house: `cargo xtask test | demo | bench | house`.
//!
//! Reading path: this file, then `test.rs` (the table of parts), then whichever part you care about. `shell.rs`
//! runs commands, `python.rs` knows interpreters, `venv.rs` virtual environments.

mod bench;
mod counts;
mod debian;
mod demo;
mod failure;
mod house;
mod places;
mod process_group;
mod python;
mod shell;
mod test;
mod venv;
mod wheel;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::Failure;

/// The commands of the house.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every test, lint and check; with a room's name only that room's tests.
    Test(test::Options),
    /// Builds the wheel and starts the example site: in process memory, or `--on` a server that it starts.
    Demo(demo::Options),
    /// Measures hotclub and its peers in the same run.
    Bench(bench::Options),
    /// Checks the house rules: who may know whom, dependencies, licences, file lengths.
    House,
}

fn main() -> ExitCode {
    process_group::watch_for_interrupts();
    let done = match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::House => house::run(),
    };
    match done {
        Ok(code) => code,
        Err(Failure::Interrupted) => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
        Err(Failure::Said(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
