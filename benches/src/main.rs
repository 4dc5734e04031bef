//! hotclub's memory store and its peers in one interleaved run; see README.md beside this.
//!
//! `cargo xtask bench memory` starts this after the Python benches. It prints three tables, writes
//! `memory-rust.csv`, and draws `memory.svg` from this file and the Python one.
mod allocator;
mod contestants;
mod facts;
mod hit_ratio;
mod memory;
mod options;
mod plot;
mod random;
mod report;
mod row;
mod svg;
mod throughput;
mod traces;

use options::{Options, Part};
use row::Row;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// What `--check` believes: a target missed in this many runs of [`MOST_RUNS`].
const MISSES_THAT_COUNT: usize = 2;
const MOST_RUNS: usize = 3;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    if !options.has_room() {
        println!("there are no Rust benches of this room");
        return ExitCode::SUCCESS;
    }
    let facts = facts::gather();
    println!("{}", facts.join("\n"));
    match bench(&options, &facts) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the results could not be written to {}: {error}", options.results.display());
            ExitCode::FAILURE
        }
    }
}

/// Whether every target holds; always true without `--check`.
fn bench(options: &Options, facts: &[String]) -> std::io::Result<bool> {
    let mut runs = vec![run_once(options, facts)?];
    if !options.check {
        report::missed(&runs[0]);
        return Ok(true);
    }
    while is_undecided(&runs) {
        println!("\nrun {} of at most {MOST_RUNS}", runs.len() + 1);
        runs.push(run_once(options, facts)?);
    }
    let missed = missed_often(&runs);
    for (row, misses) in &missed {
        println!("MISSED in {misses} of {} runs: {row}", runs.len());
    }
    if missed.is_empty() {
        println!("every target holds");
    }
    Ok(missed.is_empty())
}

/// The results are written after each run, so that those of the last one stay.
fn run_once(options: &Options, facts: &[String]) -> std::io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for part in Part::ALL.into_iter().filter(|&part| options.only.is_none_or(|only| only == part)) {
        let new = match part {
            Part::Throughput => throughput::rows(options.quick),
            Part::Memory => memory::rows(options.quick),
            Part::HitRatio => hit_ratio::rows(options.quick),
        };
        report::print(part.title(), &new);
        rows.extend(new);
    }
    if options.only.is_none() {
        report::write_csv(&options.results.join("memory-rust.csv"), facts, &rows)?;
        plot::draw(&options.results)?;
    }
    Ok(rows)
}

/// Two runs before a figure is believed; a third where they disagree.
fn is_undecided(runs: &[Vec<Row>]) -> bool {
    let disagree = || runs[0].iter().any(|row| misses(runs, row) == 1);
    runs.len() < 2 || (runs.len() < MOST_RUNS && disagree())
}

fn misses(runs: &[Vec<Row>], row: &Row) -> usize {
    runs.iter().flatten().filter(|other| other.is_same_as(row) && other.is_met() == Some(false)).count()
}

fn missed_often(runs: &[Vec<Row>]) -> Vec<(Row, usize)> {
    let counted = runs[0].iter().map(|row| (row.clone(), misses(runs, row)));
    counted.filter(|&(_, misses)| misses >= MISSES_THAT_COUNT).collect()
}
