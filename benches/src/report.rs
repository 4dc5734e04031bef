//! Tables for people, CSV for programs.
use crate::row::Row;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// One line a case, one column a contestant; a star beside a missed target.
pub(crate) fn print(title: &str, rows: &[Row]) {
    println!("\n{title}");
    let mut contestants: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.case == rows[0].case) {
        contestants.push(row.contestant);
    }
    println!("  median (best); compared with {}; * = target missed", rows[0].against);
    for (index, name) in contestants.iter().enumerate() {
        println!("  {}: {name}", letter(index));
    }
    let head: String = (0..contestants.len()).map(|index| format!("{:>24}", letter(index))).collect();
    println!("{:32}{head}", "");
    for case in rows.chunk_by(|one, other| one.case == other.case) {
        let cells: String = case.iter().map(|row| format!("{:>24}", cell(row))).collect();
        println!("{:32}{cells}", case[0].case);
    }
}

fn letter(index: usize) -> char {
    char::from(b'A' + index as u8)
}

fn cell(row: &Row) -> String {
    let star = if row.is_met() == Some(false) { "*" } else { "" };
    if row.best == row.median {
        return format!("{:.2} {:+.2}{star}", row.median, row.compared);
    }
    format!("{:.2} ({:.2}) {:.2}{star}", row.median, row.best, row.compared)
}

/// Says which targets one run missed.
pub(crate) fn missed(rows: &[Row]) {
    if rows.iter().all(|row| row.target.is_none()) {
        return;
    }
    println!();
    let mut missed = rows.iter().filter(|row| row.is_met() == Some(false)).peekable();
    if missed.peek().is_none() {
        println!("every target holds in this run");
    }
    missed.for_each(|row| println!("missed in this run: {row}"));
}

const HEAD: &str = "case,contestant,median,best,unit,against,compared,target,met";

/// The columns are those of `memory-python.csv`; `note` says what `compared` is.
pub(crate) fn write_csv(path: &Path, facts: &[String], note: &str, rows: &[Row]) -> io::Result<()> {
    let mut text = String::new();
    for fact in facts {
        let _ = writeln!(text, "# {fact}");
    }
    let _ = writeln!(text, "# {note}\n{HEAD}");
    for row in rows {
        let target = row.target.map_or(String::new(), |target| target.to_string());
        let met = row.is_met().map_or("", |met| if met { "yes" } else { "no" });
        let Row { case, contestant, median, best, unit, against, compared, .. } = row;
        let figures = format!("{median:.4},{best:.4},{unit},{against},{compared:.4}");
        let _ = writeln!(text, "{case},{contestant},{figures},{target},{met}");
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}
