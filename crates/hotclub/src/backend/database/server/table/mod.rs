//! The SQL of a table: two vendors times two layouts, as few differences as there are. Each method is a statement.
//!
//! An entry is live while its end lies after now, which is the caller's time, as Django judges it. The own layout
//! has its end in milliseconds since 1970, and the greatest number for entries without one.
use super::config::{ServerConfig, Vendor};
use super::statement::{Arg, Cell, Column, Row, Statement, unreadable};
use crate::backend::database::layout::{Layout, quoted};
use crate::backend::database::row;
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use std::borrow::Cow;

mod change;
mod room;
mod schema;
mod write;

pub(super) use change::{Part, pattern};
pub(super) use write::Fresh;

/// A table of one vendor in one layout.
#[derive(Debug)]
pub(super) struct Table {
    vendor: Vendor,
    layout: Layout,
    /// As it is called, and the same within quotes.
    name: String,
    quoted: String,
    /// The columns within quotes.
    key: &'static str,
    value: &'static str,
    ends: &'static str,
}

/// A row that was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: Vec<u8>,
    pub(super) value: Bytes,
    pub(super) flags: u32,
    /// Milliseconds since 1970; nothing: never.
    pub(super) deadline: Option<u64>,
    pub(super) cas: u64,
    /// When it was last written, touched or, now and then, read, in milliseconds since 1970; 0 in Django's.
    pub(super) used: i64,
}

/// Longer keys do not fit into an index of either vendor (2704 and 3072 bytes, less what stands beside them).
const MOST_KEY: usize = 2048;
/// Django's `varchar(255)`, in characters.
const MOST_DJANGO_KEY: usize = 255;

/// What [`Table::read`] gives.
const OWN_ENTRY: &[Column] =
    &[Column::Bytes, Column::Bytes, Column::Int, Column::Int, Column::Int, Column::Int];
const DJANGO_ENTRY: &[Column] =
    &[Column::Bytes, Column::Text, Column::Int, Column::Time, Column::Int, Column::Int];

impl Table {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let (vendor, layout) = (config.vendor, config.layout);
        let [key, value, ends] = match (vendor, layout) {
            (Vendor::Postgres, Layout::Own) => ["\"key\"", "\"value\"", "\"deadline\""],
            (Vendor::Postgres, Layout::Django) => ["\"cache_key\"", "\"value\"", "\"expires\""],
            (Vendor::MySql, Layout::Own) => ["`key`", "`value`", "`deadline`"],
            (Vendor::MySql, Layout::Django) => ["`cache_key`", "`value`", "`expires`"],
        };
        let quote = if vendor == Vendor::Postgres { '"' } else { '`' };
        let quoted = quoted(&config.table, quote);
        Table { vendor, layout, name: config.table.clone(), quoted, key, value, ends }
    }

    pub(super) fn scheme(&self) -> &'static str {
        self.vendor.scheme()
    }

    pub(super) fn is_own(&self) -> bool {
        self.layout == Layout::Own
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.vendor == Vendor::Postgres
    }

    /// Whether an entry has a token that every write changes: a column, or PostgreSQL's own mark of a row's version.
    pub(super) fn has_cas(&self) -> bool {
        self.is_own() || self.is_postgres()
    }

    pub(super) fn most_key(&self) -> usize {
        if self.is_own() { MOST_KEY } else { MOST_DJANGO_KEY }
    }

    /// Refuses what no row can have as its key. Nothing is ever cut.
    pub(super) fn check_key(&self, key: &str) -> Result<()> {
        let (length, unit) =
            if self.is_own() { (key.len(), "bytes") } else { (key.chars().count(), "characters") };
        let most = self.most_key();
        if length > most {
            let text = format!("a key of {length} {unit}, the table takes {most}");
            return Err(Error::new(ErrorKind::InvalidKey, text));
        }
        if key.contains('\0') && self.is_postgres() {
            return Err(Error::new(ErrorKind::InvalidKey, format!("{key:?}: PostgreSQL takes no zero byte")));
        }
        Ok(())
    }

    /// The end of entries without one, in the unit of the column.
    pub(super) fn never(&self) -> i64 {
        if self.is_own() { i64::MAX } else { row::NEVER_MS }
    }

    /// The end that lies at this time.
    pub(super) fn end(&self, milliseconds: u64) -> i64 {
        i64::try_from(milliseconds).map_or(self.never(), |end| end.min(self.never()))
    }

    /// The value as it is stored.
    pub(super) fn write_value<'v>(&self, value: &'v [u8]) -> Result<Cow<'v, [u8]>> {
        if self.is_own() {
            return Ok(value.into());
        }
        Ok(row::write_value(value)?.into_bytes().into())
    }

    /// A row of [`Table::read`] and its kin.
    pub(super) fn entry(&self, row: Row) -> Result<Found> {
        let wrong = || unreadable("not the columns that were asked for");
        let [Cell::Bytes(key), value, Cell::Int(flags), Cell::Int(end), Cell::Int(cas), Cell::Int(used)]: [Cell; 6] =
            row.try_into().map_err(|_| wrong())?
        else {
            return Err(wrong());
        };
        let (value, deadline) = match value {
            Cell::Bytes(value) => (Bytes::from(value), (end < i64::MAX).then_some(end.max(0) as u64)),
            Cell::Text(text) => (row::read_value(&text).map_err(unreadable)?, row::deadline(end)),
            Cell::Int(_) => return Err(wrong()),
        };
        Ok(Found { key, value, flags: flags as u32, deadline, cas: cas as u64, used })
    }

    fn statement<'a>(&self, text: &str) -> Statement<'a> {
        Statement::new(self.vendor, text)
    }

    /// A time in the column of ends.
    fn time<'a>(&self, milliseconds: i64) -> Arg<'a> {
        if self.is_own() { Arg::Int(milliseconds) } else { Arg::Time(milliseconds) }
    }

    /// A value in its column.
    fn stored<'a>(&self, value: &'a [u8]) -> Arg<'a> {
        if self.is_own() { Arg::Bytes(value) } else { Arg::Text(text(value)) }
    }

    /// A key in its column: MySQL has bytes there, PostgreSQL text.
    fn named<'a>(&self, key: &'a str) -> Arg<'a> {
        if self.is_own() && !self.is_postgres() { Arg::Bytes(key.as_bytes()) } else { Arg::Text(key) }
    }

    /// Columns of an entry, for [`Table::entry`].
    fn entry_columns(&self) -> (String, &'static [Column]) {
        let Table { key, value, ends, .. } = self;
        let (key, ends) = match (self.vendor, self.layout) {
            (Vendor::Postgres, _) => (format!("convert_to({key}, 'UTF8')"), (*ends).to_owned()),
            (Vendor::MySql, Layout::Own) => ((*key).to_owned(), (*ends).to_owned()),
            (Vendor::MySql, Layout::Django) => (self.bytes_of_key(), format!("CAST({ends} AS CHAR)")),
        };
        let (flags, cas, used) = match (self.vendor, self.layout) {
            (_, Layout::Own) => ("flags", "cas", "used"),
            (Vendor::Postgres, Layout::Django) => ("0::bigint", "xmin::text::bigint", "0::bigint"),
            (Vendor::MySql, Layout::Django) => ("0", "0", "0"),
        };
        let kinds = if self.is_own() { OWN_ENTRY } else { DJANGO_ENTRY };
        (format!("{key}, {value}, {flags}, {ends}, {cas}, {used}"), kinds)
    }

    /// MySQL compares texts by rules of languages: exactly the same they are as bytes only.
    fn bytes_of_key(&self) -> String {
        format!("CAST(CONVERT({} USING utf8mb4) AS BINARY)", self.key)
    }

    fn compares_by_language(&self) -> bool {
        !self.is_own() && !self.is_postgres()
    }

    /// ` WHERE` it is one of these keys.
    fn where_keys<'a>(&self, statement: &mut Statement<'a>, keys: &[&'a str]) {
        statement.text(" WHERE ").text(self.key);
        if self.is_postgres() {
            match keys {
                [key] => statement.text(" = ").arg(Arg::Text(key)),
                keys => statement.text(" = ANY(").arg(Arg::Texts(keys.to_vec())).text(")"),
            };
            return;
        }
        let list = |statement: &mut Statement<'a>, before: &str, behind: &str| {
            for (number, key) in keys.iter().enumerate() {
                statement.text(if number == 0 { " IN (" } else { ", " });
                statement.text(before).arg(self.named(key)).text(behind);
            }
            statement.text(")");
        };
        list(statement, "", "");
        if self.compares_by_language() {
            // The index finds the few that look alike.
            statement.text(" AND ").text(&self.bytes_of_key());
            list(statement, "CAST(", " AS BINARY)");
        }
    }

    /// ` AND` it is live.
    fn and_live(&self, statement: &mut Statement<'_>, now: i64) {
        statement.text(" AND ").text(self.ends).text(" > ").arg(self.time(now));
    }

    /// The live ones of these keys.
    pub(super) fn read<'a>(&self, keys: &[&'a str], now: i64, lock: bool) -> Statement<'a> {
        let (columns, kinds) = self.entry_columns();
        let mut statement = self.statement("SELECT ");
        statement.text(&columns).text(" FROM ").text(&self.quoted).giving(kinds);
        self.where_keys(&mut statement, keys);
        self.and_live(&mut statement, now);
        if lock {
            statement.text(" FOR UPDATE");
        }
        statement
    }
}

/// Base64, which we wrote ourselves.
fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}
