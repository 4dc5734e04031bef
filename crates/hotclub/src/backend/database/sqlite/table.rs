//! What a layout does with one open connection. Everything here is a part of a verb's transaction.
use crate::entry::Flags;
use crate::error::ErrorKind;
use rusqlite::Connection;
use std::fmt::Debug;

/// An entry as it stands there, also if its time is over.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) value: Vec<u8>,
    pub(super) flags: Flags,
    pub(super) deadline: Option<u64>,
    /// When it was last known to be used, in milliseconds since 1970; 0 where nobody keeps that.
    pub(super) used: u64,
    /// Tells this write from every other, where the layout keeps that.
    pub(super) cas: Option<u64>,
}

/// The same without its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) deadline: Option<u64>,
    pub(super) size: i64,
    /// False: another key has this place, and will leave it.
    pub(super) is_this: bool,
}

/// An entry to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct New<'a> {
    pub(super) value: &'a [u8],
    pub(super) flags: Flags,
    pub(super) deadline: Option<u64>,
    pub(super) now: u64,
}

/// How many entries, and how many bytes they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) entries: i64,
    pub(super) bytes: i64,
}

/// Who may have to go.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) place: Place,
    pub(super) deadline: Option<u64>,
    /// The smaller, the sooner it goes.
    pub(super) rank: i64,
    pub(super) size: i64,
}

/// Where a layout finds a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Id(i64),
    Key(String),
}

/// What went wrong within a verb.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// We did.
    Said(ErrorKind, String),
}

impl Failure {
    pub(super) fn said(kind: ErrorKind, what: impl Into<String>) -> Self {
        Failure::Said(kind, what.into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::Sql(error)
    }
}

type Done<T> = Result<T, Failure>;

/// One layout.
pub(super) trait Table: Debug + Send + Sync {
    /// Makes what is missing and refuses what is not of this layout.
    fn make(&self, connection: &Connection) -> Done<()>;
    fn row(&self, connection: &Connection, key: &str) -> Done<Option<Row>>;
    fn head(&self, connection: &Connection, key: &str) -> Done<Option<Head>>;
    fn put(&self, connection: &Connection, key: &str, new: &New<'_>) -> Done<()>;
    /// What an entry of this value weighs.
    fn size(&self, key: &str, value: &[u8]) -> i64;
    fn extend(&self, connection: &Connection, key: &str, deadline: Option<u64>) -> Done<()>;
    fn remove(&self, connection: &Connection, key: &str) -> Done<()>;
    /// Removes what begins with this, or everything.
    fn clear(&self, connection: &Connection, prefix: Option<&str>) -> Done<Totals>;
    fn totals(&self, connection: &Connection) -> Done<Totals>;
    /// The same with the bytes, whatever that costs.
    fn measured(&self, connection: &Connection) -> Done<Totals> {
        self.totals(connection)
    }
    /// Adds to the totals; what they are then, where that costs nothing.
    fn change(&self, connection: &Connection, by: Totals) -> Done<Option<Totals>>;
    /// At most so many, by chance; all if there are fewer.
    fn sample(&self, connection: &Connection, most: usize) -> Done<Vec<Candidate>>;
    /// At most so many that are over, among a few that follow `from`; where to go on, if that is not the end.
    fn expired(
        &self,
        connection: &Connection,
        from: Option<&Place>,
        most: usize,
        now: u64,
    ) -> Done<(Vec<Candidate>, Option<Place>)>;
    fn place(&self, key: &str) -> Place;
    fn remove_at(&self, connection: &Connection, place: &Place) -> Done<()>;
    /// These were used then.
    fn used(&self, connection: &Connection, key: &str, at: u64) -> Done<()>;
}
