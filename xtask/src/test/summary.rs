//! The last lines of a test run: a table of the parts and their seconds, then the counts alone on one line.

use std::fmt::Write;
use std::time::Duration;

use crate::counts::Counts;
use crate::test::Done;

/// What became of a part.
pub(crate) enum Outcome {
    Ran(Done),
    NotRun(String),
}

/// One line of the table.
pub(crate) struct Report {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) time: Duration,
}

impl Report {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Passed, or skipped for a reason that is accepted here.
    pub(crate) fn is_fine(&self) -> bool {
        matches!(&self.outcome, Outcome::Ran(done) if done.problems.is_empty())
    }

    fn counts(&self) -> Counts {
        match &self.outcome {
            Outcome::Ran(done) => done.counts,
            Outcome::NotRun(_) => Counts::default(),
        }
    }

    pub(crate) fn print_problems(&self) {
        match &self.outcome {
            Outcome::Ran(done) => {
                done.problems.iter().for_each(|problem| println!("{}: {problem}", self.name))
            }
            Outcome::NotRun(reason) => println!("{}: not run, {reason}", self.name),
        }
    }

    fn word(&self) -> &'static str {
        match &self.outcome {
            Outcome::NotRun(_) => "not run",
            Outcome::Ran(done) if !done.problems.is_empty() => "FAILED",
            Outcome::Ran(done) if done.skipped => "skipped",
            Outcome::Ran(_) => "passed",
        }
    }

    fn remark(&self) -> String {
        match &self.outcome {
            Outcome::NotRun(reason) => reason.clone(),
            Outcome::Ran(done) if done.counts.all() > 0 && done.note.is_empty() => done.counts.to_string(),
            Outcome::Ran(done) if done.counts.all() > 0 => format!("{}; {}", done.counts, done.note),
            Outcome::Ran(done) => done.note.clone(),
        }
    }
}

/// Prints the table, the problems once more, and the closing line.
pub(crate) fn print(reports: &[Report]) {
    print!("\n{}", table(reports));
    reports.iter().for_each(Report::print_problems);
    println!("{}", total(reports));
}

fn table(reports: &[Report]) -> String {
    let mut table = String::new();
    for report in reports {
        let (name, word, seconds) = (report.name, report.word(), report.time.as_secs_f64());
        let line = format!("{name:<14} {word:<8} {seconds:>7.1} s  {}", report.remark());
        table.push_str(line.trim_end());
        table.push('\n');
    }
    let seconds: f64 = reports.iter().map(|report| report.time.as_secs_f64()).sum();
    writeln!(table, "{:<14} {:<8} {seconds:>7.1} s", "all", "").expect("writing to a string cannot fail");
    table
}

fn total(reports: &[Report]) -> Counts {
    let mut sum = Counts::default();
    reports.iter().for_each(|report| sum += report.counts());
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &'static str, done: Done) -> Report {
        Report { name, outcome: Outcome::Ran(done), time: Duration::from_millis(1500) }
    }

    #[test]
    fn each_part_has_its_line_and_its_seconds() {
        let counts = Counts { passed: 3, failed: 1, skipped: 0 };
        let reports = [
            report("format", Done::default()),
            report("rust", Done { counts, ..Done::default() }.problem("one failed")),
            Report { name: "python", outcome: Outcome::NotRun("needs wheel".into()), time: Duration::ZERO },
        ];
        let table = table(&reports);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "format         passed       1.5 s");
        assert_eq!(lines[1], "rust           FAILED       1.5 s  3 passed, 1 failed, 0 skipped");
        assert_eq!(lines[2], "python         not run      0.0 s  needs wheel");
        assert_eq!(lines[3], "all                         3.0 s");
        assert_eq!(total(&reports).to_string(), "3 passed, 1 failed, 0 skipped");
    }
}
