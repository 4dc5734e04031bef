//! What happens on a machine without the programs: tests are skipped with a word, but not in CI.
use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The program that is started: `HOTCLUB_REDIS_SERVER` may name another, such as `valkey-server`.
pub(super) fn redis_server() -> String {
    env::var("HOTCLUB_REDIS_SERVER")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "redis-server".into())
}

/// Started by this name.
pub(super) const MEMCACHED: &str = "memcached";

/// Started by this name.
pub(super) const MARIADB: &str = "mariadbd";

/// A program of PostgreSQL: the newest where Debian has them, which is not on the path.
pub(super) fn postgres_program(name: &str) -> String {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path())))
        .map(|(version, path)| (version, path.join("bin").join(name)))
        .filter(|(_, path)| is_program(path))
        .collect();
    found.sort();
    found.pop().map_or_else(|| name.to_owned(), |(_, path)| path.display().to_string())
}

/// Whether there is a PostgreSQL, with its command line; without one says `skipped: …`, and panics where `CI` is set.
#[must_use]
pub fn postgres_or_skip(test: &str) -> bool {
    found_or_skip(test, &postgres_program("postgres"), "postgresql")
        && found_or_skip(test, "psql", "postgresql-client")
}

/// Whether there is a MariaDB; without one says `skipped: …`, and panics where `CI` is set.
#[must_use]
pub fn mariadb_or_skip(test: &str) -> bool {
    found_or_skip(test, MARIADB, "mariadb-server")
}

/// Whether there is a redis-server; without one says `skipped: …`, and panics where `CI` is set.
#[must_use]
pub fn redis_or_skip(test: &str) -> bool {
    let program = redis_server();
    found_or_skip(test, &program, &program)
}

/// The same for tests with TLS, which also need the command line of OpenSSL.
#[must_use]
pub fn tls_or_skip(test: &str) -> bool {
    redis_or_skip(test) && tls_certificates_or_skip(test)
}

/// Whether certificates can be made; without OpenSSL says `skipped: …`, and panics where `CI` is set.
#[must_use]
pub fn tls_certificates_or_skip(test: &str) -> bool {
    found_or_skip(test, "openssl", "openssl")
}

/// Whether there is a memcached; without one says `skipped: …`, and panics where `CI` is set.
#[must_use]
pub fn memcached_or_skip(test: &str) -> bool {
    found_or_skip(test, MEMCACHED, MEMCACHED)
}

fn found_or_skip(test: &str, program: &str, package: &str) -> bool {
    if on_path(program).is_some() {
        return true;
    }
    let message = format!("skipped: no {program}, try: apt install {package} ({test})");
    assert!(!is_ci(), "{message}; with CI set nothing is skipped");
    // Not `eprintln!`, which the harness keeps to itself for a test that passes.
    writeln!(std::io::stderr(), "{message}").ok();
    false
}

/// As xtask has it.
fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(on_path("sh").is_some());
        assert!(on_path("no-such-program-at-all").is_none());
    }
}
