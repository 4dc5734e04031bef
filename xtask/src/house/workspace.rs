//! What the manifests must say, so that other rules hold by themselves.

use crate::house::{Source, Violations};

const MANIFEST: &str = "Cargo.toml";
/// With this lint every `unsafe` block has its `SAFETY:` argument.
const UNSAFE_LINT: &str = "undocumented_unsafe_blocks = \"deny\"";

/// Checks the manifests.
pub(crate) fn check(sources: &[Source], violations: &mut Violations) {
    for source in sources {
        let text = &source.text;
        if source.path.as_os_str() == MANIFEST
            && !section(text, "[workspace.lints.clippy]").contains(&UNSAFE_LINT)
        {
            violations.add_to_file(
                MANIFEST,
                "clippy's undocumented_unsafe_blocks must be denied: unsafe code is argued",
            );
        }
        let ends_right = source.path.ends_with(MANIFEST);
        let member = ends_right && (source.path.starts_with("crates") || source.path.starts_with("xtask"));
        if member && !section(text, "[lints]").contains(&"workspace = true") {
            violations.add(
                &source.path,
                1,
                "the lints of the workspace must hold here: `[lints] workspace = true`",
            );
        }
    }
}

/// The lines of one section of a TOML file.
fn section<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| line.trim() != heading).skip(1);
    lines.take_while(|line| !line.starts_with('[')).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> usize {
        let mut violations = Violations::default();
        check(&[Source { path: path.into(), text: text.into() }], &mut violations);
        violations.0.len()
    }

    #[test]
    fn the_lints_must_be_on() {
        let good = "[workspace.lints.clippy]\nundocumented_unsafe_blocks = \"deny\"\n";
        assert_eq!(violations("Cargo.toml", good), 0);
        assert_eq!(violations("Cargo.toml", "[workspace]\n"), 1);
        assert_eq!(violations("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"), 0);
        assert_eq!(violations("crates/a/Cargo.toml", "[lints]\n[package]\nworkspace = true\n"), 1);
    }
}
