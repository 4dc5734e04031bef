//! Layout `own`: one table of entries by a hash of their keys, and their totals.
//!
//! The hash (xxh3) is the row's number, so that an entry is found, written and removed in one tree, and numbers are as
//! good as drawn by lot: any stretch of them is a sample. Should two keys ever have the same one of 2^64 numbers, the
//! later takes the place of the earlier: keys are compared, so nobody reads another's value.
use super::table::{Candidate, Failure, Head, New, Place, Row, Table, Totals};
use crate::entry::Flags;
use crate::error::ErrorKind;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, ToSql, params};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use xxhash_rust::xxh3::xxh3_64;

/// "hotc": says in the file whose it is (`PRAGMA application_id`).
pub(super) const APPLICATION: i64 = 0x686f_7463;
/// The form of the tables (`PRAGMA user_version`).
const VERSION: i64 = 1;
/// What an entry weighs beside its key and value: its other columns and its part of the tree.
const OVERHEAD: usize = 64;

// Small columns first: what is read of an entry without its value lies together.
const SCHEMA: &str = "
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    deadline INTEGER,
    flags INTEGER NOT NULL,
    size INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    used INTEGER NOT NULL,
    cas INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE TABLE total (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO total VALUES (1, 0, 0);
";
const PUT: &str = "INSERT INTO entry (id, deadline, flags, size, stored, used, cas, key, value)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET deadline = excluded.deadline,
flags = excluded.flags, size = excluded.size, stored = excluded.stored, used = excluded.used,
cas = excluded.cas, key = excluded.key, value = excluded.value";

/// The layout; who goes first is by use or by age.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) by_use: bool,
}

fn id(key: &str) -> i64 {
    xxh3_64(key.as_bytes()).cast_signed()
}

/// Tells this write from every other.
fn token() -> i64 {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let parts = [time.as_nanos() as u64, WRITES.fetch_add(1, Relaxed), u64::from(std::process::id())];
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
    (xxh3_64(&bytes) >> 1).cast_signed()
}

fn signed(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

fn unsigned(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0)
}

impl Own {
    fn execute(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<usize, Failure> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(values).map_err(Failure::from)
    }

    fn one<T>(
        connection: &Connection,
        sql: &str,
        values: &[&dyn ToSql],
        read: impl FnOnce(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Failure> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row(values, read).optional().map_err(Failure::from)
    }

    fn candidates(
        &self,
        connection: &Connection,
        from: i64,
        below: i64,
        most: usize,
    ) -> Result<Vec<Candidate>, Failure> {
        let sql = match self.by_use {
            true => {
                "SELECT id, deadline, used, size FROM entry WHERE id >= ?1 AND id <= ?2 ORDER BY id LIMIT ?3"
            }
            false => {
                "SELECT id, deadline, stored, size FROM entry WHERE id >= ?1 AND id <= ?2 ORDER BY id LIMIT ?3"
            }
        };
        let read = |row: &SqlRow<'_>| {
            Ok(Candidate {
                place: Place::Id(row.get(0)?),
                deadline: row.get::<_, Option<i64>>(1)?.map(unsigned),
                rank: row.get(2)?,
                size: row.get(3)?,
            })
        };
        let all = || {
            let mut statement = connection.prepare_cached(sql)?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            statement.query_map(params![from, below, most], read)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        all().map_err(Failure::from)
    }
}

impl Table for Own {
    fn make(&self, connection: &Connection) -> Result<(), Failure> {
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        if number("PRAGMA application_id")? != APPLICATION {
            begin(connection)?;
            // Somebody else may have made them meanwhile.
            if number("PRAGMA application_id")? != APPLICATION {
                if number("SELECT count(*) FROM sqlite_master")? != 0 {
                    let what = "the file holds tables that are not hotclub's: name another file, or open a table \
                        of Django's DatabaseCache with layout=django";
                    return Err(Failure::said(ErrorKind::Config, what));
                }
                let pragmas = format!("PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION};");
                connection.execute_batch(&(pragmas + SCHEMA))?;
            }
            connection.execute_batch("COMMIT")?;
        }
        let version = number("PRAGMA user_version")?;
        if version != VERSION {
            let what = format!("the file has form {version}, and this release knows form {VERSION}");
            return Err(Failure::said(ErrorKind::Config, what));
        }
        let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
        match mode.as_str() {
            "wal" => Ok(()),
            _ => Err(Failure::said(
                ErrorKind::Unavailable,
                "the file system gives no shared memory for the log",
            )),
        }
    }

    fn row(&self, connection: &Connection, key: &str) -> Result<Option<Row>, Failure> {
        let sql = "SELECT deadline, flags, used, cas, value FROM entry WHERE id = ?1 AND key = ?2";
        let read = |row: &SqlRow<'_>| {
            Ok(Row {
                deadline: row.get::<_, Option<i64>>(0)?.map(unsigned),
                flags: Flags(row.get(1)?),
                used: unsigned(row.get(2)?),
                cas: Some(unsigned(row.get(3)?)),
                value: row.get_ref(4)?.as_blob()?.to_vec(),
            })
        };
        Self::one(connection, sql, &[&id(key), &key], read)
    }

    fn head(&self, connection: &Connection, key: &str) -> Result<Option<Head>, Failure> {
        let sql = "SELECT deadline, size, key = ?2 FROM entry WHERE id = ?1";
        let read = |row: &SqlRow<'_>| {
            let deadline = row.get::<_, Option<i64>>(0)?.map(unsigned);
            Ok(Head { deadline, size: row.get(1)?, is_this: row.get(2)? })
        };
        Self::one(connection, sql, &[&id(key), &key], read)
    }

    fn put(&self, connection: &Connection, key: &str, new: &New<'_>) -> Result<(), Failure> {
        let (size, deadline, now) = (self.size(key, new.value), new.deadline.map(signed), signed(new.now));
        let values: [&dyn ToSql; 8] =
            [&id(key), &deadline, &new.flags.0, &size, &now, &token(), &key, &new.value];
        Self::execute(connection, PUT, &values).map(drop)
    }

    fn size(&self, key: &str, value: &[u8]) -> i64 {
        i64::try_from(key.len() + value.len() + OVERHEAD).unwrap_or(i64::MAX)
    }

    fn extend(&self, connection: &Connection, key: &str, deadline: Option<u64>) -> Result<(), Failure> {
        let sql = "UPDATE entry SET deadline = ?2 WHERE id = ?1";
        Self::execute(connection, sql, &[&id(key), &deadline.map(signed)]).map(drop)
    }

    fn remove(&self, connection: &Connection, key: &str) -> Result<(), Failure> {
        Self::execute(connection, "DELETE FROM entry WHERE id = ?1", &[&id(key)]).map(drop)
    }

    fn clear(&self, connection: &Connection, prefix: Option<&str>) -> Result<Totals, Failure> {
        let Some(prefix) = prefix else {
            let totals = self.totals(connection)?;
            // Without a condition SQLite drops the whole tree.
            Self::execute(connection, "DELETE FROM entry", &[])?;
            Self::execute(connection, "UPDATE total SET entries = 0, bytes = 0", &[])?;
            return Ok(totals);
        };
        let sum = "SELECT count(*), coalesce(sum(size), 0) FROM entry WHERE substr(key, 1, ?2) = ?1";
        let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
        let read = |row: &SqlRow<'_>| Ok(Totals { entries: row.get(0)?, bytes: row.get(1)? });
        let gone = Self::one(connection, sum, &[&prefix, &length], read)?.unwrap_or_default();
        let sql = "DELETE FROM entry WHERE substr(key, 1, ?2) = ?1";
        Self::execute(connection, sql, &[&prefix, &length])?;
        self.change(connection, Totals { entries: -gone.entries, bytes: -gone.bytes })?;
        Ok(gone)
    }

    fn totals(&self, connection: &Connection) -> Result<Totals, Failure> {
        let read = |row: &SqlRow<'_>| Ok(Totals { entries: row.get(0)?, bytes: row.get(1)? });
        let totals = Self::one(connection, "SELECT entries, bytes FROM total", &[], read)?;
        totals
            .ok_or_else(|| Failure::said(ErrorKind::Corrupt, "the totals are missing; `repair` counts anew"))
    }

    fn change(&self, connection: &Connection, by: Totals) -> Result<Option<Totals>, Failure> {
        if by == Totals::default() {
            return Ok(None);
        }
        let sql = "UPDATE total SET entries = entries + ?1, bytes = bytes + ?2 RETURNING entries, bytes";
        let read = |row: &SqlRow<'_>| Ok(Totals { entries: row.get(0)?, bytes: row.get(1)? });
        Self::one(connection, sql, &[&by.entries, &by.bytes], read)
    }

    fn sample(&self, connection: &Connection, most: usize) -> Result<Vec<Candidate>, Failure> {
        let from = token() << 1;
        let mut found = self.candidates(connection, from, i64::MAX, most)?;
        if found.len() < most && from > i64::MIN {
            found.extend(self.candidates(connection, i64::MIN, from - 1, most - found.len())?);
        }
        Ok(found)
    }

    fn expired(
        &self,
        connection: &Connection,
        from: Option<&Place>,
        most: usize,
        now: u64,
    ) -> Result<(Vec<Candidate>, Option<Place>), Failure> {
        let from = match from {
            Some(Place::Id(id)) => id.saturating_add(1),
            _ => i64::MIN,
        };
        let mut found = self.candidates(connection, from, i64::MAX, most)?;
        let last = found.last().map(|candidate| candidate.place.clone());
        let next = last.filter(|_| found.len() == most);
        found.retain(|candidate| candidate.deadline.is_some_and(|deadline| deadline <= now));
        Ok((found, next))
    }

    fn place(&self, key: &str) -> Place {
        Place::Id(id(key))
    }

    fn remove_at(&self, connection: &Connection, place: &Place) -> Result<(), Failure> {
        let Place::Id(id) = place else { return Ok(()) };
        Self::execute(connection, "DELETE FROM entry WHERE id = ?1", &[id]).map(drop)
    }

    fn used(&self, connection: &Connection, key: &str, at: u64) -> Result<(), Failure> {
        let sql = "UPDATE entry SET used = ?2 WHERE id = ?1 AND used < ?2";
        Self::execute(connection, sql, &[&id(key), &signed(at)]).map(drop)
    }
}

fn begin(connection: &Connection) -> Result<(), Failure> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(Failure::from)
}
