//! The workspace says which Rust is enough; this part compiles it with exactly that one.

use crate::places;
use crate::python::with_python;
use crate::shell::{Failure, Result, Run};
use crate::test::{Context, Done};

/// Checks the workspace with the `rust-version` that it declares.
pub(crate) fn check(context: &Context) -> Result<Done> {
    let declared = declared()?;
    let running = Run::new("rustc").arg("--version").read()?;
    if is_series(&running, &declared) {
        // Every other part was compiled by it.
        return Ok(Done::with_note(format!("Rust {declared} is the running one")));
    }
    let Some(toolchain) = installed(&declared) else {
        return Done::missing(format!(
            "Rust {declared} is not installed: rustup toolchain install {declared}"
        ));
    };
    let run = Run::new("cargo").arg(format!("+{toolchain}")).args(["check", "--workspace", "--all-features"]);
    let run = run.arg("--target-dir").arg(places::target().join("rust-version")).minutes(20);
    with_python(run, context.interpreters()?.newest()).show()?;
    Ok(Done::with_note(format!("checked with Rust {declared}")))
}

/// `rust-version` of the workspace.
fn declared() -> Result<String> {
    let manifest = std::fs::read_to_string(places::root().join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    let version = line.and_then(|rest| rest.split('"').next());
    version.map(str::to_owned).ok_or_else(|| Failure::said("Cargo.toml declares no rust-version"))
}

/// The name of rustup's toolchain of this series, if rustup is there and has it.
fn installed(series: &str) -> Option<String> {
    let list = Run::new("rustup").args(["toolchain", "list"]).read().ok()?;
    let names = list.lines().filter_map(|line| line.split_whitespace().next());
    let mut fitting = names.filter(|name| is_series(&format!("rustc {}", name.replace('-', " ")), series));
    fitting.next().map(str::to_owned)
}

/// Whether `rustc 1.95.0 (…)` is of the series `1.95`.
fn is_series(version_line: &str, series: &str) -> bool {
    let version = version_line.split_whitespace().nth(1).unwrap_or_default();
    version == series || version.strip_prefix(series).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_compared_as_words_not_as_beginnings() {
        assert!(is_series("rustc 1.95.0 (59807616e 2026-04-14)", "1.95"));
        assert!(is_series("rustc 1.95", "1.95"));
        assert!(!is_series("rustc 1.950.0", "1.95"));
        assert!(!is_series("rustc 1.9.0", "1.95"));
        assert!(!is_series("", "1.95"));
    }
}
