//! hotclub and its peers in one interleaved run; see README.md beside this.
//!
//! `cargo xtask bench memory` starts this after the Python benches. It prints three tables, writes
//! `memory-rust.csv`, and draws `memory.svg` from this file and the Python one. `cargo xtask bench memcached`
//! does the same with two tables and `memcached-rust.csv`, without a drawing.
mod allocator;
mod contestants;
mod facts;
mod hit_ratio;
mod memcached;
mod memory;
mod options;
mod plot;
mod random;
mod report;
mod row;
mod svg;
mod throughput;
mod traces;

use options::{Options, Part, Room};
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
    let rooms = options.rooms();
    if rooms.is_empty() {
        println!("there are no Rust benches of this room");
    }
    // Every room, even if one before it fails.
    let all_well = rooms.into_iter().map(|room| is_well(&options, room)).fold(true, |all, well| all & well);
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_well(options: &Options, room: Room) -> bool {
    if room == Room::Memcached && !memcached::is_installed() {
        println!("skipped: no {0}; on Debian or Ubuntu: apt install {0}", memcached::PROGRAM);
        return !is_ci();
    }
    let facts = facts::gather(room);
    println!("{}", facts.join("\n"));
    bench(options, room, &facts).unwrap_or_else(|error| {
        eprintln!("the results could not be written to {}: {error}", options.results.display());
        false
    })
}

/// Where a skipped bench is a failure.
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Whether every target holds; always true without `--check`.
fn bench(options: &Options, room: Room, facts: &[String]) -> std::io::Result<bool> {
    let mut runs = vec![run_once(options, room, facts)?];
    if !options.check {
        report::missed(&runs[0]);
        return Ok(true);
    }
    while is_undecided(&runs) {
        println!("\nrun {} of at most {MOST_RUNS}", runs.len() + 1);
        runs.push(run_once(options, room, facts)?);
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
fn run_once(options: &Options, room: Room, facts: &[String]) -> std::io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let is_asked = |part: &Part| part.room() == room && options.only.is_none_or(|only| only == *part);
    for part in Part::ALL.into_iter().filter(is_asked) {
        let new = match part {
            Part::Throughput => throughput::rows(options.quick),
            Part::Memory => memory::rows(options.quick),
            Part::HitRatio => hit_ratio::rows(options.quick),
            Part::Threads => memcached::threads(options.quick),
            Part::Tasks => memcached::tasks(options.quick),
        };
        report::print(part.title(), &new);
        rows.extend(new);
    }
    if options.only.is_none() {
        keep(options, room, facts, &rows)?;
    }
    Ok(rows)
}

fn keep(options: &Options, room: Room, facts: &[String], rows: &[Row]) -> std::io::Result<()> {
    let name = room.name();
    let compared = match room {
        Room::Memory => "ratio, for % hits a difference",
        Room::Memcached => "this contestant's time by hotclub's",
    };
    let note = format!("made by `cargo xtask bench {name}`; compared: {compared}");
    report::write_csv(&options.results.join(format!("{name}-rust.csv")), facts, &note, rows)?;
    if room == Room::Memory { plot::draw(&options.results) } else { Ok(()) }
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
