//! What every source file keeps to: short, finished, and free of any one machine's paths.

use crate::house::{Source, Violations};

/// The files we admire hold 50 to 250 lines; at twice that a second idea is hiding in it.
const MOST_LINES: usize = 500;

/// Folders that only one machine has.
const MACHINE_PATHS: [&str; 3] = ["/root/", "/home/", "/tmp/"];

/// Code that promises to be written later; clippy sees it too, but not behind every `cfg`.
const UNFINISHED: [&str; 2] = ["todo!", "unimplemented!"];

/// Files that may break a rule, and why.
const EXCEPTIONS: [(&str, &str); 1] = [("xtask/src/house/source.rs", "names what it looks for")];

/// Checks every source file.
pub(crate) fn check(sources: &[Source], violations: &mut Violations) {
    for source in sources {
        check_length(source, violations);
        if !EXCEPTIONS.iter().any(|(path, _)| source.path.as_os_str() == *path) && is_code(source) {
            check_lines(source, violations);
        }
    }
}

fn check_length(source: &Source, violations: &mut Violations) {
    let lines = source.text.lines().count();
    let counted = (source.is("rs") || source.is("py")) && !is_generated(source);
    if counted && lines > MOST_LINES {
        let what = format!("{lines} lines; more than {MOST_LINES} hide a second idea: split the file");
        violations.add(&source.path, lines, &what);
    }
}

/// A generated file says so in its first lines.
fn is_generated(source: &Source) -> bool {
    source.text.lines().take(5).any(|line| line.contains("@generated"))
}

/// Source code and configuration; prose may show what it likes.
fn is_code(source: &Source) -> bool {
    let script = source.path.starts_with(".ci");
    script || ["rs", "py", "pyi", "toml", "sh"].iter().any(|extension| source.is(extension))
}

fn check_lines(source: &Source, violations: &mut Violations) {
    for (index, line) in source.text.lines().enumerate() {
        if is_documentation(line) {
            continue;
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| line.contains(*path)) {
            let what =
                format!("`{path}` is a folder of one machine; use a relative path or a temporary folder");
            violations.add(&source.path, index + 1, &what);
        }
        let code = line.split("//").next().unwrap_or_default();
        if let Some(word) = UNFINISHED.iter().find(|word| source.is("rs") && code.contains(*word)) {
            violations.add(&source.path, index + 1, &format!("`{word}`: what is committed is finished"));
        }
    }
}

/// Examples in documentation may name any folder.
fn is_documentation(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("///") || line.starts_with("//!")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        let mut violations = Violations::default();
        check(&[Source { path: path.into(), text: text.into() }], &mut violations);
        violations.0
    }

    #[test]
    fn long_files_are_told_unless_they_are_generated() {
        let long = "x = 1\n".repeat(MOST_LINES + 1);
        assert_eq!(violations("python/a.py", &long).len(), 1);
        assert!(violations("python/a.py", &format!("# @generated\n{long}")).is_empty());
        assert!(violations("docs/a.md", &long).is_empty());
    }

    #[test]
    fn paths_of_one_machine_are_told_but_not_in_documentation() {
        assert_eq!(
            violations("a.py", "x = 1\npath = '/home/me/cache'\n"),
            ["a.py:2: `/home/` is a folder of one machine; use a relative path or a temporary folder"]
        );
        assert!(violations("a.rs", "/// Opens `/tmp/cache`.\n").is_empty());
        assert!(violations("a.md", "cd /home/me\n").is_empty());
    }

    #[test]
    fn unfinished_code_is_told() {
        assert_eq!(violations("a.rs", "fn a() { todo!() }").len(), 1);
        assert!(violations("a.rs", "// no todo!() here").is_empty());
    }
}
