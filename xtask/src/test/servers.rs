//! The programs that tests start on loopback, and what a client library is built with: installed where that is simple,
//! else their tests are skipped.

use std::net::{Ipv4Addr, TcpStream};

use crate::debian;
use crate::shell::{Failure, Result, Run};
use crate::test::{Context, Done, pylibmc};

/// Something that tests start.
struct Program {
    /// How it tells its version; the program is the first word.
    version: &'static [&'static str],
    /// Debian's package.
    package: &'static str,
    /// The room that lives in it.
    room: Option<&'static str>,
    /// Where a package starts a server of its own, beside those of the tests.
    port: Option<u16>,
}

const PROGRAMS: [Program; 5] = [
    Program {
        version: &["redis-server", "--version"],
        package: "redis-server",
        room: Some("redis"),
        port: Some(6379),
    },
    Program {
        version: &["memcached", "-V"],
        package: "memcached",
        room: Some("memcached"),
        port: Some(11211),
    },
    Program {
        // Debian keeps its programs out of PATH.
        version: &["sh", "-c", "$(ls -d /usr/lib/postgresql/*/bin/postgres | tail -n 1) --version"],
        package: "postgresql",
        room: Some("database"),
        port: Some(5432),
    },
    Program {
        version: &["mariadbd", "--version"],
        package: "mariadb-server",
        room: Some("database"),
        port: Some(3306),
    },
    Program { version: &["openssl", "version"], package: "openssl", room: None, port: None },
];

/// Whether the tests of this room start servers.
pub(crate) fn are_for(room: &str) -> bool {
    PROGRAMS.iter().any(|program| program.room == Some(room))
}

/// Installs what these rooms live in, where that is simple; elsewhere who starts it says what is missing.
pub(crate) fn install_for(is_wanted: impl Fn(&str) -> bool) -> Result<()> {
    let wanted = PROGRAMS.iter().filter(|program| program.room.is_some_and(&is_wanted));
    let missing: Vec<&str> =
        wanted.filter(|program| !program.is_here()).map(|program| program.package).collect();
    if missing.is_empty() || !debian::can_install() {
        return Ok(());
    }
    debian::install(&missing, &format!("there is no {}", missing.join(", no ")))
}

/// Looks for programs and headers and installs what is missing; what stays missing is a failure only where `CI` is set.
pub(crate) fn check(_: &Context) -> Result<Done> {
    let missing: Vec<&Program> = PROGRAMS.iter().filter(|program| !program.is_here()).collect();
    let mut packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    if !pylibmc::can_be_built() {
        packages.extend(pylibmc::PACKAGES);
    }
    if packages.is_empty() {
        return Ok(found());
    }
    let silent: Vec<u16> =
        missing.iter().filter_map(|program| program.port).filter(|p| !listens(*p)).collect();
    let lack = format!("there is no {}", packages.join(", no "));
    match debian::install(&packages, &lack) {
        Ok(()) => Ok(with_services(found(), &silent)),
        Err(Failure::Said(why)) => Done::missing(format!("{lack}, tests are skipped: {why}")),
        Err(Failure::Interrupted) => Err(Failure::Interrupted),
    }
}

/// Debian starts what it installs: harmless, since tests use free ports, but nobody asked for it.
fn with_services(mut done: Done, silent: &[u16]) -> Done {
    for port in silent.iter().filter(|port| listens(**port)) {
        done.remark(&format!(
            "the package started a service of its own on port {port}, which nothing here uses"
        ));
    }
    done
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn found() -> Done {
    let versions: Vec<String> = PROGRAMS.iter().filter_map(Program::version).collect();
    Done::with_note(versions.join(", "))
}

impl Program {
    fn is_here(&self) -> bool {
        self.version().is_some()
    }

    /// As `Redis server v=7.0.15`: what it says, up to the first word with a number.
    fn version(&self) -> Option<String> {
        let said = Run::new(self.version[0]).args(&self.version[1..]).read().ok()?;
        let words: Vec<&str> = said.split_whitespace().collect();
        let number = words.iter().position(|word| word.contains(|c: char| c.is_ascii_digit()))?;
        Some(words[..=number].join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_here_has_no_version() {
        let program = Program { version: &["no-such-program"], package: "none", room: None, port: None };
        assert!(!program.is_here());
        let cargo = Program { version: &["cargo", "--version"], package: "cargo", room: None, port: None };
        assert!(cargo.version().is_some_and(|version| version.starts_with("cargo 1.")));
    }
}
