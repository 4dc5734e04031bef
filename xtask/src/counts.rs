//! How many tests passed, failed and were skipped, read from the closing lines of test runners.

use std::fmt;
use std::ops::AddAssign;

/// The sum of some test runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// How many tests there were.
    pub(crate) fn all(self) -> u64 {
        self.passed + self.failed + self.skipped
    }

    /// Adds `count` tests that ended the way `word` says, in whichever runner's word for it.
    fn add(&mut self, word: &str, count: u64) {
        match word {
            "passed" | "xpassed" => self.passed += count,
            "failed" | "error" | "errors" => self.failed += count,
            "skipped" | "ignored" | "xfailed" => self.skipped += count,
            _ => {}
        }
    }

    /// From the words of one closing line: `3 passed`, `1 failed`, in any order.
    fn from_pairs<'a>(pairs: impl Iterator<Item = &'a str>) -> Counts {
        let mut counts = Counts::default();
        for pair in pairs {
            let mut words = pair.split_whitespace();
            if let (Some(Ok(count)), Some(word)) = (words.next().map(str::parse), words.next()) {
                counts.add(word, count);
            }
        }
        counts
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The sum of cargo's `test result:` lines.
pub(crate) fn of_cargo(output: &str) -> Counts {
    let mut sum = Counts::default();
    for line in output.lines() {
        // `ok. 3 passed; 0 failed; 1 ignored; …`
        if let Some((_, rest)) =
            line.trim().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        {
            sum += Counts::from_pairs(rest.split(';'));
        }
    }
    sum
}

/// Pytest's closing line: `==== 3 passed, 1 skipped in 0.12s ====`, with or without its frame.
pub(crate) fn of_pytest(output: &str) -> Option<Counts> {
    let lines = output.lines().rev().map(|line| line.trim_matches(|c| c == '=' || c == ' '));
    let mut closing = lines.filter_map(|line| line.split_once(" in ")).filter(|(_, time)| is_time(time));
    closing.next().map(|(counts, _)| Counts::from_pairs(counts.split(',')))
}

/// `0.12s`, or `61.20s (0:01:01)`.
fn is_time(text: &str) -> bool {
    let seconds = text.split(' ').next().and_then(|word| word.strip_suffix('s'));
    seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok())
}

/// The plain closing line of any runner: `N passed, N failed`, perhaps `, N skipped`, alone on the last line.
pub(crate) fn of_closing_line(output: &str) -> Option<Counts> {
    let line = output.lines().rev().find(|line| !line.trim().is_empty())?.trim();
    let line = line.split_once(": ").map_or(line, |(_, counts)| counts);
    let (passed, rest) = line.split_once(" passed, ")?;
    let numeric = passed.parse::<u64>().is_ok() && rest.contains(" failed");
    numeric.then(|| Counts::from_pairs(line.split(',')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn result_lines_of_cargo_are_summed() {
        let output = "running 2 tests\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s\n\
            a line that says test result: nothing\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(of_cargo(output), counts(15, 2, 1));
        assert_eq!(of_cargo("error: could not compile"), counts(0, 0, 0));
    }

    #[test]
    fn the_closing_line_of_pytest_is_read() {
        let framed =
            "x\n==== 1 failed, 30 passed, 2 skipped, 1 xfailed, 3 warnings in 61.20s (0:01:01) ====\n";
        assert_eq!(of_pytest(framed), Some(counts(30, 1, 3)));
        assert_eq!(of_pytest("5 passed, 1 error in 0.12s"), Some(counts(5, 1, 0)));
        assert_eq!(of_pytest("no tests ran in 0.00s"), Some(counts(0, 0, 0)));
        assert_eq!(of_pytest("5 deselected in 0.00s"), Some(counts(0, 0, 0)));
        assert_eq!(of_pytest("Interrupted in the middle"), None);
    }

    #[test]
    fn the_plain_closing_line_is_read() {
        assert_eq!(of_closing_line("a\n3 passed, 1 failed, 2 skipped\n\n"), Some(counts(3, 1, 2)));
        assert_eq!(of_closing_line("locmem: 3 passed, 0 failed"), Some(counts(3, 0, 0)));
        assert_eq!(of_closing_line("3 passed, 1 failed\nTraceback"), None);
        assert_eq!(of_closing_line(""), None);
    }
}
