//! Layout `django`: the table of Django's `DatabaseCache` in a SQLite file, in its own words.
use super::super::layout::quoted;
use super::super::row;
use super::own::APPLICATION;
use super::table::{Candidate, Failure, Head, New, Place, Row, Table, Totals};
use crate::entry::Flags;
use crate::error::ErrorKind;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, ToSql, params};

/// The layout, with its statements: the table's name is a part of each.
#[derive(Debug)]
pub(super) struct Django {
    name: String,
    table: String,
    row: String,
    head: String,
    put: String,
    extend: String,
    remove: String,
    count: String,
    sample: String,
    expired: String,
    clear_prefix: String,
}

impl Django {
    pub(super) fn new(name: &str) -> Self {
        let table = quoted(name, '"');
        Django {
            name: name.to_owned(),
            row: format!("SELECT value, expires FROM {table} WHERE cache_key = ?1"),
            head: format!("SELECT expires FROM {table} WHERE cache_key = ?1"),
            put: format!(
                "INSERT INTO {table} (cache_key, value, expires) VALUES (?1, ?2, ?3) ON CONFLICT (cache_key) \
                 DO UPDATE SET value = excluded.value, expires = excluded.expires"
            ),
            extend: format!("UPDATE {table} SET expires = ?2 WHERE cache_key = ?1"),
            remove: format!("DELETE FROM {table} WHERE cache_key = ?1"),
            count: format!("SELECT count(*) FROM {table}"),
            // The first by key, as Django culls.
            sample: format!("SELECT cache_key, expires FROM {table} ORDER BY cache_key LIMIT ?1"),
            expired: format!("SELECT cache_key, expires FROM {table} WHERE expires <= ?1 LIMIT ?2"),
            clear_prefix: format!("DELETE FROM {table} WHERE substr(cache_key, 1, ?2) = ?1"),
            table,
        }
    }

    fn execute(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<usize, Failure> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(values).map_err(Failure::from)
    }

    fn columns(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY name")?;
        statement.query_map([&self.name], |row| row.get(0))?.collect()
    }

    fn check(&self, connection: &Connection) -> Result<bool, Failure> {
        let columns = self.columns(connection)?;
        if columns.is_empty() {
            return Ok(false);
        }
        if columns == ["cache_key", "expires", "value"] {
            return Ok(true);
        }
        let what = format!(
            "the table {:?} has the columns {}, not cache_key, value and expires as Django's",
            self.name,
            columns.join(", ")
        );
        Err(Failure::said(ErrorKind::Config, what))
    }

    fn deadline(&self, text: &str) -> Result<Option<u64>, Failure> {
        let at = row::read_time(text).map(row::deadline);
        at.ok_or_else(|| {
            Failure::said(ErrorKind::Corrupt, format!("table {:?}: {text:?} is no time", self.name))
        })
    }

    fn listed(
        &self,
        connection: &Connection,
        sql: &str,
        values: &[&dyn ToSql],
    ) -> Result<Vec<Candidate>, Failure> {
        let read = |row: &SqlRow<'_>| Ok((row.get(0)?, row.get(1)?));
        let all = || {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map(values, read)?.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        let rows = all()?;
        let candidate = |(rank, (key, expires)): (i64, (String, String))| {
            let deadline = self.deadline(&expires)?;
            Ok(Candidate { place: Place::Key(key), deadline, rank, size: 0 })
        };
        (0..).zip(rows).map(candidate).collect()
    }
}

impl Table for Django {
    fn make(&self, connection: &Connection) -> Result<(), Failure> {
        let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        if application == APPLICATION {
            let what =
                "the file is of layout `own`; a table of Django's is looked for in the site's database";
            return Err(Failure::said(ErrorKind::Config, what));
        }
        if self.check(connection)? {
            return Ok(());
        }
        let index = quoted(&format!("{}_expires", self.name), '"');
        let table = &self.table;
        // As `manage.py createcachetable` makes it.
        let schema = format!(
            "CREATE TABLE IF NOT EXISTS {table} (\"cache_key\" varchar(255) NOT NULL PRIMARY KEY, \
             \"value\" text NOT NULL, \"expires\" datetime NOT NULL);\n\
             CREATE INDEX IF NOT EXISTS {index} ON {table} (\"expires\");"
        );
        connection.execute_batch(&schema)?;
        self.check(connection).map(drop)
    }

    fn row(&self, connection: &Connection, key: &str) -> Result<Option<Row>, Failure> {
        let read = |row: &SqlRow<'_>| Ok((row.get(0)?, row.get(1)?));
        let find = || {
            let mut statement = connection.prepare_cached(&self.row)?;
            statement.query_row([key], read).optional()
        };
        let found: Option<(String, String)> = find()?;
        let Some((value, expires)) = found else { return Ok(None) };
        let corrupt =
            |what| Failure::said(ErrorKind::Corrupt, format!("table {:?}, key {key:?}: {what}", self.name));
        Ok(Some(Row {
            deadline: self.deadline(&expires)?,
            cas: None,
            value: row::read_value(&value).map_err(corrupt)?.into(),
            flags: Flags::RAW,
            used: 0,
        }))
    }

    fn head(&self, connection: &Connection, key: &str) -> Result<Option<Head>, Failure> {
        let find = || {
            let mut statement = connection.prepare_cached(&self.head)?;
            statement.query_row([key], |row| row.get::<_, String>(0)).optional()
        };
        let expires = find()?;
        let head = |expires: String| Ok(Head { deadline: self.deadline(&expires)?, size: 0, is_this: true });
        expires.map(head).transpose()
    }

    fn put(&self, connection: &Connection, key: &str, new: &New<'_>) -> Result<(), Failure> {
        let unwritten = |error: crate::Error| Failure::said(error.kind(), error.message());
        let value = row::write_value(new.value).map_err(unwritten)?;
        let expires = row::write_time(new.deadline);
        Self::execute(connection, &self.put, &[&key, &value, &expires]).map(drop)
    }

    fn size(&self, _key: &str, _value: &[u8]) -> i64 {
        0
    }

    fn extend(&self, connection: &Connection, key: &str, deadline: Option<u64>) -> Result<(), Failure> {
        Self::execute(connection, &self.extend, &[&key, &row::write_time(deadline)]).map(drop)
    }

    fn remove(&self, connection: &Connection, key: &str) -> Result<(), Failure> {
        Self::execute(connection, &self.remove, &[&key]).map(drop)
    }

    fn clear(&self, connection: &Connection, prefix: Option<&str>) -> Result<Totals, Failure> {
        let gone = match prefix {
            None => Self::execute(connection, &format!("DELETE FROM {}", self.table), &[])?,
            Some(prefix) => {
                let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
                Self::execute(connection, &self.clear_prefix, &[&prefix, &length])?
            }
        };
        Ok(Totals { entries: i64::try_from(gone).unwrap_or(i64::MAX), bytes: 0 })
    }

    fn totals(&self, connection: &Connection) -> Result<Totals, Failure> {
        let count = || connection.prepare_cached(&self.count)?.query_row([], |row| row.get(0));
        Ok(Totals { entries: count()?, bytes: 0 })
    }

    fn measured(&self, connection: &Connection) -> Result<Totals, Failure> {
        let sql = format!(
            "SELECT count(*), coalesce(sum(length(cache_key) + length(value)), 0) FROM {}",
            self.table
        );
        Ok(connection.query_row(&sql, [], |row| Ok(Totals { entries: row.get(0)?, bytes: row.get(1)? }))?)
    }

    fn change(&self, _connection: &Connection, _by: Totals) -> Result<Option<Totals>, Failure> {
        Ok(None)
    }

    fn sample(&self, connection: &Connection, most: usize) -> Result<Vec<Candidate>, Failure> {
        self.listed(connection, &self.sample, &[&i64::try_from(most).unwrap_or(i64::MAX)])
    }

    fn expired(
        &self,
        connection: &Connection,
        _from: Option<&Place>,
        most: usize,
        now: u64,
    ) -> Result<(Vec<Candidate>, Option<Place>), Failure> {
        let values = params![row::write_time(Some(now)), i64::try_from(most).unwrap_or(i64::MAX)];
        let found = self.listed(connection, &self.expired, values)?;
        let last = found.last().map(|candidate| candidate.place.clone());
        let next = last.filter(|_| found.len() == most);
        Ok((found, next))
    }

    fn place(&self, key: &str) -> Place {
        Place::Key(key.to_owned())
    }

    fn remove_at(&self, connection: &Connection, place: &Place) -> Result<(), Failure> {
        let Place::Key(key) = place else { return Ok(()) };
        self.remove(connection, key)
    }

    fn used(&self, _connection: &Connection, _key: &str, _at: u64) -> Result<(), Failure> {
        Ok(())
    }
}
