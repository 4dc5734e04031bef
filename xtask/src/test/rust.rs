//! Tests of the Rust crates.

use crate::counts;
use crate::places;
use crate::shell::{Result, Run};
use crate::test::{Context, Done};

/// How many schedules shuttle tries with `--long`; the tests choose their own number otherwise.
const LONG_SHUTTLE_ITERATIONS: &str = "50000";

/// More than there are cores, mostly: tests of servers wait for them.
const THREADS: &str = "6";

/// Every test of the workspace, documentation included.
pub(crate) fn test_all(context: &Context) -> Result<Done> {
    let arguments = ["test", "--workspace", "--all-features", "--no-fail-fast"];
    test("rust", &context.cargo(&arguments)?.env("RUST_TEST_THREADS", THREADS))
}

/// What one room promises: the tests with its name in theirs, and the whole file of tests named after it.
pub(crate) fn test_room(context: &Context) -> Result<Done> {
    let room = context.options.room.as_deref().unwrap_or_default();
    let arguments = ["test", "--package", "hotclub", "--all-features", "--no-fail-fast"];
    let mut done = test("rust", &Run::cargo(arguments).arg(room))?;
    if places::root().join(format!("crates/hotclub/tests/{room}.rs")).exists() {
        let own = test("rust-own", &Run::cargo(arguments).args(["--test", room]))?;
        done.counts += own.counts;
        done.problems.extend(own.problems);
    }
    Ok(done)
}

/// The shards and flights under a model checker, which has to see every lock: a build of its own.
pub(crate) fn shuttle(context: &Context) -> Result<Done> {
    let mut run = Run::cargo(["test", "--package", "hotclub", "--lib", "--target-dir"])
        .arg(places::target().join("shuttle"))
        .arg("shuttle")
        .env("RUSTFLAGS", "--cfg shuttle");
    if context.options.long {
        run = run.env("HOTCLUB_SHUTTLE_ITERATIONS", LONG_SHUTTLE_ITERATIONS).minutes(60);
    }
    let done = test("shuttle", &run)?;
    if done.counts.all() == 0 && done.problems.is_empty() {
        return Ok(done.problem("no test was run: are the model checks still called `shuttle`?"));
    }
    Ok(done)
}

/// Rooms that must compile without any other.
const FEATURES: [&str; 9] = [
    "memory",
    "file",
    "sqlite",
    "redis-blocking",
    "redis",
    "memcached-blocking",
    "memcached",
    "postgres",
    "mysql",
];

/// Features are additive: a room alone compiles, and so does none.
pub(crate) fn check_features(_: &Context) -> Result<Done> {
    let check = Run::cargo(["check", "--package", "hotclub", "--no-default-features"]);
    check.clone().show()?;
    for features in FEATURES {
        check.clone().args(["--features", features]).show()?;
    }
    Ok(Done::with_note(format!("none, {}", FEATURES.join(", "))))
}

fn test(name: &str, run: &Run) -> Result<Done> {
    let ended = run.show_and_read(&places::log(name))?;
    let mut done = Done::default();
    done.add(run, &ended, Some(counts::of_cargo(&ended.output)));
    Ok(done)
}
