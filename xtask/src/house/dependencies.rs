//! Dependencies: few, current, none that is known to be bad, and only licences that we accept.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::house::{Violations, licence};
use crate::shell::{Failure, Result, Run};

/// How many crates `hotclub` with nothing but process memory may bring along: a list that can still be read.
const MOST_CRATES_OF_MEMORY: usize = 56;

/// What process memory must never pull in, and why.
const UNWANTED_IN_MEMORY: [(&str, &str); 9] = [
    ("tokio", "nothing in process knows an async runtime"),
    ("async-std", "nothing in process knows an async runtime"),
    ("smol", "nothing in process knows an async runtime"),
    ("futures-util", "an `Op` is a future without it"),
    ("moka", "last in hit ratio, and the heaviest per entry"),
    ("quick_cache", "no TTL; it is the yardstick of the benches"),
    ("foyer", "no TTL per entry"),
    ("rustls", "nothing in process speaks TLS"),
    ("redis", "another room's client"),
];

/// What nobody here may pull in, below which version, and why.
const UNWANTED: [(&str, Option<Version>, &str); 5] = [
    ("bincode", None, "a tombstone: its last release does not compile on purpose"),
    ("openssl", None, "a system library that a wheel cannot count on; TLS is rustls"),
    ("openssl-sys", None, "a system library that a wheel cannot count on; TLS is rustls"),
    ("native-tls", None, "a system library that a wheel cannot count on; TLS is rustls"),
    ("lru", Some((0, 18, 2)), "use after free before 0.18.2 (RUSTSEC-2026-0253)"),
];

const LOCK: &str = "Cargo.lock";

type Version = (u64, u64, u64);

/// What `cargo metadata` tells.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for ours.
    source: Option<String>,
}

/// Checks every dependency; says how many there are.
pub(crate) fn check(violations: &mut Violations) -> Result<String> {
    let memory = crates_of(&["--package", "hotclub", "--no-default-features", "--features", "memory"])?;
    check_memory(&memory, violations);
    check_wheel(&crates_of(&["--package", "hotclub-python"])?, violations);
    let metadata = match read_metadata() {
        Ok(metadata) => metadata,
        Err(Failure::Said(problem)) => {
            violations.add_to_file(LOCK, &format!("is out of date or unreadable: {problem}"));
            return Ok(String::new());
        }
        Err(interrupted) => return Err(interrupted),
    };
    let foreign: Vec<&Package> =
        metadata.packages.iter().filter(|package| package.source.is_some()).collect();
    foreign.iter().for_each(|package| check_package(package, violations));
    Ok(format!("{} crates in all, {} of them for memory alone", foreign.len(), memory.len()))
}

fn read_metadata() -> Result<Metadata> {
    let json = Run::cargo(["metadata", "--format-version", "1", "--all-features", "--locked"]).read()?;
    serde_json::from_str(&json).map_err(|error| Failure::said(format!("cargo metadata: {error}")))
}

/// The crates that this one builds, ours not counted.
fn crates_of(which: &[&str]) -> Result<BTreeSet<String>> {
    let shape = ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let list = Run::cargo(["tree"]).args(which).args(shape).read()?;
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    Ok(names.filter(|name| !name.starts_with("hotclub")).map(str::to_owned).collect())
}

/// A process that forks must not have a runtime, and the wheel is for such processes.
fn check_wheel(crates: &BTreeSet<String>, violations: &mut Violations) {
    for name in ["tokio", "redis"].into_iter().filter(|name| crates.contains(*name)) {
        let what = format!("the wheel pulls in {name}: no runtime in a process that forks");
        violations.add_to_file("crates/hotclub-python/Cargo.toml", &what);
    }
}

fn check_memory(crates: &BTreeSet<String>, violations: &mut Violations) {
    let manifest = "crates/hotclub/Cargo.toml";
    for (name, reason) in UNWANTED_IN_MEMORY.iter().filter(|(name, _)| crates.contains(*name)) {
        violations.add_to_file(manifest, &format!("the feature `memory` pulls in {name}: {reason}"));
    }
    let count = crates.len();
    if count > MOST_CRATES_OF_MEMORY {
        let rule = format!("more than {MOST_CRATES_OF_MEMORY} cannot be read through");
        violations.add_to_file(manifest, &format!("the feature `memory` pulls in {count} crates; {rule}"));
    }
}

fn check_package(package: &Package, violations: &mut Violations) {
    let Package { name, version, license, .. } = package;
    for (_, _, reason) in
        UNWANTED.iter().filter(|(unwanted, from, _)| unwanted == name && is_below(version, *from))
    {
        violations.add_to_file(LOCK, &format!("{name} {version} is not wanted: {reason}"));
    }
    let license = license.as_deref().unwrap_or_default();
    if !licence::is_accepted(license) {
        let rule = "not among the licences that we accept (xtask/src/house/licence.rs)";
        violations.add_to_file(LOCK, &format!("{name} {version}: licence `{license}` is {rule}"));
    }
}

/// Whether a version is below the first good one; with none, every version is.
fn is_below(version: &str, good: Option<Version>) -> bool {
    good.is_none_or(|good| parse_version(version) < good)
}

fn parse_version(text: &str) -> Version {
    let release = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_below("0.18.1", Some((0, 18, 2))));
        assert!(is_below("0.9.0", Some((0, 18, 2))));
        assert!(!is_below("0.18.10", Some((0, 18, 2))));
        assert!(!is_below("1.0.0-rc.1+x", Some((0, 18, 2))));
        assert!(is_below("3.0.0", None));
    }

    #[test]
    fn unwanted_crates_and_foreign_licences_are_told() {
        let mut violations = Violations::default();
        let license = Some("GPL-3.0-only".to_owned());
        let package = Package { name: "bincode".into(), version: "3.0.0".into(), license, source: None };
        check_package(&package, &mut violations);
        assert_eq!(violations.0.len(), 2);
        assert!(violations.0[0].starts_with("Cargo.lock:1: bincode 3.0.0 is not wanted"));
    }
}
