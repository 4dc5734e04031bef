//! Changing and removing rows that are there.
use super::{Fresh, Table};
use crate::backend::database::layout::Layout;
use crate::backend::database::server::config::Vendor;
use crate::backend::database::server::statement::{Arg, Column, Statement};

/// What MySQL must find in a value to count in the database: `\z` is the end of the text in both of its engines.
const FEW_DIGITS: &str = r"^-?[0-9]{1,17}\z";
/// What MySQL counts in the database: both numbers below this, so that no sum leaves 64 bits.
const MOST_DELTA: i128 = 1_000_000_000_000_000_000;

/// A part of the table, in the order of its keys.
#[derive(Debug, Default)]
pub(in super::super) struct Part<'a> {
    /// The first key of it; nothing: that of the table.
    pub(in super::super) from: Option<&'a str>,
    /// The first one behind it; nothing: there is none.
    pub(in super::super) to: Option<&'a str>,
}

impl Table {
    /// Writes over a live row; with `cas` only if it still has this token.
    pub(in super::super) fn replace<'a>(
        &self,
        row: &'a Fresh<'a>,
        end: i64,
        now: i64,
        cas: Option<i64>,
    ) -> Statement<'a> {
        let mut statement = self.statement("UPDATE ");
        statement.text(&self.quoted).text(" SET ").text(self.ends).text(" = ").arg(self.time(end));
        self.set_value(&mut statement, row, now);
        if self.is_own() {
            statement.text(", flags = ").arg(Arg::Int(row.flags.into()));
        }
        self.where_keys(&mut statement, &[row.key]);
        self.and_live(&mut statement, now);
        self.and_cas(&mut statement, cas);
        statement
    }

    /// Writes the value alone, over a row that is locked.
    pub(in super::super) fn exchange<'a>(&self, row: &'a Fresh<'a>, now: i64) -> Statement<'a> {
        let mut statement = self.statement("UPDATE ");
        statement.text(&self.quoted).text(" SET ").text(self.ends).text(" = ").text(self.ends);
        self.set_value(&mut statement, row, now);
        self.where_keys(&mut statement, &[row.key]);
        statement
    }

    fn set_value<'a>(&self, statement: &mut Statement<'a>, row: &'a Fresh<'a>, now: i64) {
        statement.text(", ").text(self.value).text(" = ").arg(self.stored(&row.value));
        if self.is_own() {
            statement.text(", used = ").arg(Arg::Int(now)).text(", cas = ").arg(Arg::Int(row.cas));
        }
    }

    fn and_cas(&self, statement: &mut Statement<'_>, cas: Option<i64>) {
        let Some(cas) = cas else { return };
        let column = if self.is_own() { "cas" } else { "xmin::text::bigint" };
        statement.text(" AND ").text(column).text(" = ").arg(Arg::Int(cas));
    }

    /// Removes rows whether they are live or not, since another clock than the caller's may say that they are. Tells
    /// for each whether it was live, where the vendor can.
    pub(in super::super) fn remove<'a>(&self, keys: &[&'a str], now: i64) -> Option<Statement<'a>> {
        if !self.is_postgres() {
            return None;
        }
        let mut statement = self.statement("DELETE FROM ");
        statement.text(&self.quoted);
        self.where_keys(&mut statement, keys);
        statement.text(" RETURNING (CASE WHEN ").text(self.ends).text(" > ").arg(self.time(now));
        statement.text(" THEN 1 ELSE 0 END)::bigint").giving(&[Column::Int]);
        Some(statement)
    }

    /// Removes rows that are over by the caller's clock.
    pub(in super::super) fn remove_over<'a>(&self, keys: &[&'a str], now: i64) -> Statement<'a> {
        let mut statement = self.statement("DELETE FROM ");
        statement.text(&self.quoted);
        self.where_keys(&mut statement, keys);
        statement.text(" AND ").text(self.ends).text(" <= ").arg(self.time(now));
        statement
    }

    /// Removes live rows; with `cas` only if they still have this token.
    pub(in super::super) fn delete<'a>(&self, keys: &[&'a str], now: i64, cas: Option<i64>) -> Statement<'a> {
        let mut statement = self.statement("DELETE FROM ");
        statement.text(&self.quoted);
        self.where_keys(&mut statement, keys);
        self.and_live(&mut statement, now);
        self.and_cas(&mut statement, cas);
        statement
    }

    /// Gives live rows a new end.
    pub(in super::super) fn touch<'a>(&self, keys: &[&'a str], end: i64, now: i64) -> Statement<'a> {
        let mut statement = self.statement("UPDATE ");
        statement.text(&self.quoted).text(" SET ").text(self.ends).text(" = ").arg(self.time(end));
        if self.is_own() {
            statement.text(", used = ").arg(Arg::Int(now));
        }
        self.where_keys(&mut statement, keys);
        self.and_live(&mut statement, now);
        statement
    }

    /// The same giving the rows, where the vendor can.
    pub(in super::super) fn read_and_touch<'a>(
        &self,
        keys: &[&'a str],
        end: Option<i64>,
        now: i64,
    ) -> Option<Statement<'a>> {
        if !self.is_postgres() {
            return None;
        }
        let mut statement = match end {
            Some(end) => self.touch(keys, end, now),
            None => self.delete(keys, now, None),
        };
        let (columns, kinds) = self.entry_columns();
        statement.text(" RETURNING ").text(&columns).giving(kinds);
        Some(statement)
    }

    /// Notes that rows are used. Where the vendor can pass over rows that somebody is writing, it does.
    pub(in super::super) fn note_use<'a>(&self, keys: &[&'a str], now: i64) -> Statement<'a> {
        let mut statement = self.statement("UPDATE ");
        statement.text(&self.quoted).text(" SET used = ").arg(Arg::Int(now));
        if !self.is_postgres() {
            self.where_keys(&mut statement, keys);
            return statement;
        }
        let list = format!(" WHERE {key} IN (SELECT {key} FROM {}", self.quoted, key = self.key);
        statement.text(&list);
        self.where_keys(&mut statement, keys);
        statement.text(" FOR UPDATE SKIP LOCKED)");
        statement
    }

    /// Counts in the database, if the value is so plain a number that it can.
    pub(in super::super) fn count<'a>(
        &self,
        key: &'a str,
        delta: &'a str,
        now: i64,
        cas: i64,
    ) -> Option<Statement<'a>> {
        if !self.is_own() {
            return None;
        }
        let small = delta.parse::<i128>().is_ok_and(|delta| delta.abs() < MOST_DELTA);
        if !small {
            return None;
        }
        let mut statement = self.statement("UPDATE ");
        statement.text(&self.quoted).text(" SET used = ").arg(Arg::Int(now));
        statement.text(", cas = ").arg(Arg::Int(cas));
        if self.is_postgres() {
            statement.text(", value = convert_to((encode(value, 'escape')::numeric + ");
            statement.arg(Arg::Text(delta)).text("::numeric)::text, 'UTF8')");
        } else {
            // The number before is noted, whatever the order in which columns are set.
            statement.text(" + 0 * IF(LAST_INSERT_ID(CAST(value AS SIGNED)) = 0, 0, 0)");
            statement.text(", value = CAST(CAST(value AS SIGNED) + CAST(").arg(Arg::Text(delta));
            statement.text(" AS SIGNED) AS CHAR)");
        }
        self.where_keys(&mut statement, &[key]);
        self.and_live(&mut statement, now);
        if self.is_postgres() {
            statement.text(" AND encode(value, 'escape') ~ '^-?[0-9]{1,36}$' RETURNING value");
            statement.giving(&[Column::Bytes]);
        } else {
            statement.text(" AND CONVERT(value USING latin1) REGEXP ").arg(Arg::Text(FEW_DIGITS));
        }
        Some(statement)
    }

    /// Removes the rows of a part, or those of them whose keys begin with this; [`pattern`] makes it.
    pub(in super::super) fn clear<'a>(&self, part: &Part<'a>, pattern: Option<&'a str>) -> Statement<'a> {
        let mut statement = self.statement("DELETE FROM ");
        statement.text(&self.quoted);
        self.where_part(&mut statement, part, pattern);
        statement
    }

    /// The key behind so many rows of a part, where the next one begins. No rows: the part has no more than that.
    pub(in super::super) fn behind<'a>(
        &self,
        part: &Part<'a>,
        pattern: Option<&'a str>,
        rows: i64,
    ) -> Statement<'a> {
        let mut statement = self.statement("SELECT ");
        let bytes = match (self.vendor, self.layout) {
            (Vendor::Postgres, _) => format!("convert_to({}, 'UTF8')", self.key),
            (Vendor::MySql, Layout::Own) => self.key.to_owned(),
            (Vendor::MySql, Layout::Django) => self.bytes_of_key(),
        };
        statement.text(&bytes).text(" FROM ").text(&self.quoted).giving(&[Column::Bytes]);
        self.where_part(&mut statement, part, pattern);
        statement.text(" ORDER BY ").text(self.key).text(" LIMIT 1 OFFSET ").arg(Arg::Int(rows));
        statement
    }

    fn where_part<'a>(&self, statement: &mut Statement<'a>, part: &Part<'a>, pattern: Option<&'a str>) {
        let mut word = " WHERE ";
        for (compared, key) in [(" >= ", part.from), (" < ", part.to)] {
            let Some(key) = key else { continue };
            statement.text(word).text(self.key).text(compared).arg(self.named(key));
            word = " AND ";
        }
        let Some(pattern) = pattern else { return };
        if self.compares_by_language() {
            statement.text(word).text(&self.bytes_of_key()).text(" LIKE CAST(");
            statement.arg(Arg::Text(pattern)).text(" AS BINARY)");
        } else {
            statement.text(word).text(self.key).text(" LIKE ").arg(self.named(pattern));
        }
        statement.text(" ESCAPE '!'");
    }
}

/// For `LIKE … ESCAPE '!'`: what begins with this, every letter of which means itself.
pub(in super::super) fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 8);
    for letter in prefix.chars() {
        if matches!(letter, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn letters_of_a_prefix_mean_themselves() {
        assert_eq!(pattern("50%_!:"), "50!%!_!!:%");
        assert_eq!(pattern(""), "%");
    }
}
