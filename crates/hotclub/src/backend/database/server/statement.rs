//! A statement on its way, and what comes back: no vendor's types, so that verbs are written once.
use super::config::Vendor;
use crate::error::{Error, ErrorKind};

/// A value within a statement.
#[derive(Debug, Clone)]
pub(super) enum Arg<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Int(i64),
    /// Milliseconds since 1970, for a column of the database's own type for times.
    Time(i64),
    /// PostgreSQL's arrays.
    Texts(Vec<&'a str>),
    ManyBytes(Vec<&'a [u8]>),
    Ints(Vec<i64>),
}

/// What a column of the answer is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Text,
    Bytes,
    Int,
    Time,
}

/// SQL with its values, and the columns of its answer.
#[derive(Debug, Clone)]
pub(super) struct Statement<'a> {
    pub(super) sql: String,
    pub(super) args: Vec<Arg<'a>>,
    pub(super) columns: &'static [Column],
    vendor: Vendor,
}

impl<'a> Statement<'a> {
    pub(super) fn new(vendor: Vendor, text: &str) -> Self {
        let mut sql = String::with_capacity(256);
        sql.push_str(text);
        Statement { sql, args: Vec::new(), columns: &[], vendor }
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.sql.push_str(text);
        self
    }

    /// Names the value in the text, in the vendor's way.
    pub(super) fn arg(&mut self, arg: Arg<'a>) -> &mut Self {
        self.args.push(arg);
        match self.vendor {
            Vendor::Postgres => self.sql.push_str(&format!("${}", self.args.len())),
            Vendor::MySql => self.sql.push('?'),
        }
        self
    }

    /// About how many bytes go to the server.
    pub(super) fn size(&self) -> usize {
        let size = |arg: &Arg<'_>| match arg {
            Arg::Text(text) => text.len(),
            Arg::Bytes(bytes) => bytes.len(),
            Arg::Int(_) | Arg::Time(_) => 32,
            Arg::Texts(texts) => texts.iter().map(|text| text.len()).sum(),
            Arg::ManyBytes(many) => many.iter().map(|bytes| bytes.len()).sum(),
            Arg::Ints(numbers) => numbers.len() * 12,
        };
        self.sql.len() + self.args.iter().map(|arg| size(arg) + 16).sum::<usize>()
    }

    /// The answer has these columns.
    pub(super) fn giving(&mut self, columns: &'static [Column]) -> &mut Self {
        self.columns = columns;
        self
    }
}

/// What a statement came to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// How many rows it changed, for statements without rows in their answer.
    pub(super) affected: u64,
    /// What MySQL's `LAST_INSERT_ID(…)` was given.
    pub(super) noted: u64,
    pub(super) rows: Vec<Row>,
}

/// A row of an answer.
pub(super) type Row = Vec<Cell>;

/// A column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    Bytes(Vec<u8>),
    /// Also times: milliseconds since 1970.
    Int(i64),
}

impl Answer {
    /// The number in the first column of the first row.
    pub(super) fn number(&self) -> i64 {
        match self.rows.first().and_then(|row| row.first()) {
            Some(Cell::Int(number)) => *number,
            _ => 0,
        }
    }
}

/// A column that is not what was asked for.
#[cold]
pub(super) fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a row of the table: {what}"))
}
