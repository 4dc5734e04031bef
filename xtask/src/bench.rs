//! `cargo xtask bench`: hotclub and its peers in the same run, from a release build.

use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::debian;
use crate::places;
use crate::python::{Interpreters, NEWEST_DJANGO};
use crate::shell::{Failure, Result, Run};
use crate::venv::Venv;
use crate::wheel;

/// What `cargo xtask bench` is asked for; handed on to the benches as it is.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Only the benches of this room
    #[arg(value_enum)]
    room: Option<Room>,
    /// Fails if a ratio is worse than what the benches promise
    #[arg(long)]
    check: bool,
    /// Fewer rounds, for a first look
    #[arg(long)]
    quick: bool,
}

/// A room with benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Room {
    /// Against Django's LocMemCache and the caches of Rust
    Memory,
    /// Against Django's RedisCache, django-redis, django-valkey, django-vcache and redis-py
    Redis,
    /// Against Django's classes for Memcached, on pymemcache and on pylibmc, and the clients of Rust
    Memcached,
    /// Against Django's FileBasedCache and diskcache
    File,
    /// Against Django's DatabaseCache, on SQLite, PostgreSQL and MariaDB
    Database,
    /// The embedded store, against diskcache
    Sqlite,
}

impl Room {
    fn name(self) -> &'static str {
        match self {
            Room::Memory => "memory",
            Room::Redis => "redis",
            Room::Memcached => "memcached",
            Room::File => "file",
            Room::Database => "database",
            Room::Sqlite => "sqlite",
        }
    }

    /// Whether there are benches in Rust, beside those in Python.
    fn has_rust(self) -> bool {
        matches!(self, Room::Memory | Room::Memcached)
    }
}

/// Runs the Python benches, and the Rust ones of a room that has some; fails if one of them does.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut benches = vec![python_benches(options.room)?.args(flags(options))];
    if options.room.is_none_or(Room::has_rust) {
        benches.push(rust_benches()?.args(flags(options)));
    }
    let mut code = ExitCode::SUCCESS;
    for run in benches {
        let ended = run.pass_through()?;
        if let Some(problem) = ended.problem(&run) {
            eprintln!("{problem}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn flags(options: &Options) -> Vec<String> {
    let results = places::root().join("benches/results").display().to_string();
    let mut flags: Vec<String> = options.room.map(|room| room.name().to_owned()).into_iter().collect();
    flags.extend(["--results".to_owned(), results]);
    flags.extend(options.check.then(|| "--check".to_owned()));
    flags.extend(options.quick.then(|| "--quick".to_owned()));
    flags
}

fn python_benches(room: Option<Room>) -> Result<Run> {
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
    if room.is_none_or(|room| room == Room::Memcached) {
        build_pylibmc(&venv)?;
    }
    venv.install_wheel(&wheel)?;
    // Three runs of every room, should `--check` need them.
    Ok(venv.run([benches]).minutes(90))
}

/// pylibmc comes as source. Where it cannot be built, what is compared with it is left out, and fails in CI.
fn build_pylibmc(venv: &Venv) -> Result<()> {
    match try_to_build_pylibmc(venv) {
        Err(Failure::Said(why)) if !places::is_ci() => {
            println!("there is no pylibmc, what is compared with it is left out: {why}");
            Ok(())
        }
        built => built,
    }
}

fn try_to_build_pylibmc(venv: &Venv) -> Result<()> {
    let folders = ["/usr/include", "/usr/local/include"].map(Path::new);
    let has = |header: &str| folders.iter().any(|folder| folder.join(header).exists());
    if !has("libmemcached/memcached.h") || !has("zlib.h") {
        debian::install(&["libmemcached-dev", "zlib1g-dev"], "pylibmc is built from source")?;
    }
    let requirements =
        places::required("benches/python/requirements-pylibmc.txt", "pylibmc is pinned there")?;
    venv.require(&[], Some(&requirements))
}

fn rust_benches() -> Result<Run> {
    let manifest = places::required("benches/Cargo.toml", "the Rust benches are a workspace of their own")?;
    // Cargo's own limit of patience does not count here: the peers are many crates.
    let run = Run::cargo(["run", "--release", "--manifest-path"]).arg(manifest).arg("--target-dir");
    Ok(run.arg(places::target().join("benches")).arg("--").minutes(90))
}
