//! What only `--long` runs.

use serde::Deserialize;

use crate::debian;
use crate::places;
use crate::shell::{Result, Run};
use crate::test::{Context, Done};

/// How long each fuzz target runs: a smoke test, not a campaign.
const FUZZ_SECONDS: u64 = 60;

/// The unit tests of `hotclub` under valgrind.
pub(crate) fn valgrind(_: &Context) -> Result<Done> {
    if Run::new("valgrind").arg("--version").read().is_err() {
        if !places::is_ci() {
            return Done::missing("valgrind is not installed: apt install valgrind");
        }
        debian::install(&["valgrind"], "there is no valgrind")?;
    }
    let list =
        ["test", "--package", "hotclub", "--lib", "--all-features", "--no-run", "--message-format=json"];
    let mut done = Done::default();
    for binary in executables(&Run::cargo(list).read()?) {
        let checks =
            ["--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite", "--quiet"];
        // Under valgrind everything is some thirty times slower; one thread keeps its scheduler out of it.
        let run = Run::new("valgrind").args(checks).arg(binary).args(["--test-threads", "1"]).minutes(60);
        done.try_to(run.show())?;
    }
    Ok(done)
}

/// Cargo's message about something it built.
#[derive(Deserialize)]
struct Built {
    executable: Option<String>,
}

fn executables(messages: &str) -> Vec<String> {
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Built>(line).ok());
    built.filter_map(|built| built.executable).collect()
}

/// Each fuzz target for a moment.
pub(crate) fn fuzz(_: &Context) -> Result<Done> {
    if !places::root().join("fuzz/Cargo.toml").exists() {
        return Ok(Done { skipped: true, ..Done::with_note("there is no fuzz/Cargo.toml") });
    }
    let Ok(targets) = Run::cargo(["+nightly", "fuzz", "list"]).read() else {
        return Done::missing("fuzzing needs a nightly toolchain and cargo-fuzz: cargo install cargo-fuzz");
    };
    let mut done = Done::default();
    for target in targets.lines() {
        let run = Run::cargo(["+nightly", "fuzz", "run", target, "--"]);
        done.try_to(run.arg(format!("-max_total_time={FUZZ_SECONDS}")).show())?;
    }
    done.remark(&format!("{} targets, {FUZZ_SECONDS} s each", targets.lines().count()));
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_among_the_messages_of_cargo() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"executable\":\"a/b\"}\n{\"reason\":\"build-finished\"}\n";
        assert_eq!(executables(messages), ["a/b"]);
    }
}
