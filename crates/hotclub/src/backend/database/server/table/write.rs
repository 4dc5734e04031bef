//! Writing entries: upsert and add.
use super::{Table, text};
use crate::backend::database::server::statement::{Answer, Arg, Cell, Column, Statement};
use std::borrow::Cow;

/// A row to write.
#[derive(Debug)]
pub(in super::super) struct Fresh<'a> {
    pub(in super::super) key: &'a str,
    /// As it is stored.
    pub(in super::super) value: Cow<'a, [u8]>,
    pub(in super::super) flags: u32,
    pub(in super::super) cas: i64,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Wrote {
    /// Rows that were written.
    pub(in super::super) written: u64,
    /// Those of them that were not there before.
    pub(in super::super) new: u64,
}

/// For MySQL, which does not say it in rows: the two ways in which an `add` meets a row.
const OVER: u64 = 1;
const LIVE: u64 = 2;

impl Table {
    /// Writes rows, each key once; with `add` only where there is no live one.
    pub(in super::super) fn write<'a>(
        &self,
        rows: &'a [Fresh<'a>],
        end: i64,
        now: i64,
        add: bool,
    ) -> Statement<'a> {
        let mut statement = self.statement("INSERT INTO ");
        let own = if self.is_own() { [", flags", ", used", ", cas"].concat() } else { String::new() };
        let columns = format!(" ({}, {}, {}{own}) ", self.key, self.value, self.ends);
        statement.text(&self.quoted).text(&columns);
        if self.is_postgres() {
            self.rows_of_postgres(&mut statement, rows, end, now);
            self.upsert_of_postgres(&mut statement, now, add);
        } else {
            self.rows_of_mysql(&mut statement, rows, end, now);
            self.upsert_of_mysql(&mut statement, now, add);
        }
        statement
    }

    /// Arrays: the same text for every number of rows.
    fn rows_of_postgres<'a>(&self, statement: &mut Statement<'a>, rows: &'a [Fresh<'a>], end: i64, now: i64) {
        statement.text("SELECT k, v, ").arg(self.time(end));
        if self.is_own() {
            statement.text(", f, ").arg(Arg::Int(now)).text(", c");
        }
        statement.text(" FROM unnest(");
        statement.arg(Arg::Texts(rows.iter().map(|row| row.key).collect())).text(", ");
        if self.is_own() {
            statement.arg(Arg::ManyBytes(rows.iter().map(|row| &*row.value).collect())).text(", ");
            statement.arg(Arg::Ints(rows.iter().map(|row| row.flags.into()).collect())).text(", ");
            statement.arg(Arg::Ints(rows.iter().map(|row| row.cas).collect())).text(") AS r(k, v, f, c)");
        } else {
            statement.arg(Arg::Texts(rows.iter().map(|row| text(&row.value)).collect()));
            statement.text(") AS r(k, v)");
        }
    }

    fn upsert_of_postgres(&self, statement: &mut Statement<'_>, now: i64, add: bool) {
        statement.text(&format!(" ON CONFLICT ({}) DO UPDATE SET ", self.key));
        let mut columns = vec![self.value, self.ends];
        if self.is_own() {
            columns.extend(["flags", "used", "cas"]);
        }
        let set: Vec<String> = columns.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        statement.text(&set.join(", "));
        if add {
            statement.text(&format!(" WHERE {}.{} <= ", self.quoted, self.ends)).arg(self.time(now));
        }
        // A row that was there is locked before it is changed, which leaves a mark.
        statement.text(&format!(" RETURNING (CASE WHEN {}.xmax = 0 THEN 1 ELSE 0 END)::bigint", self.quoted));
        statement.giving(&[Column::Int]);
    }

    fn rows_of_mysql<'a>(&self, statement: &mut Statement<'a>, rows: &'a [Fresh<'a>], end: i64, now: i64) {
        for (number, row) in rows.iter().enumerate() {
            statement.text(if number == 0 { "VALUES (" } else { ", (" });
            statement.arg(self.named(row.key)).text(", ").arg(self.stored(&row.value));
            statement.text(", ").arg(self.time(end));
            if self.is_own() {
                statement.text(", ").arg(Arg::Int(row.flags.into())).text(", ").arg(Arg::Int(now));
                statement.text(", ").arg(Arg::Int(row.cas));
            }
            statement.text(")");
        }
    }

    /// Columns are set from left to right, so the end, which decides, comes last.
    fn upsert_of_mysql(&self, statement: &mut Statement<'_>, now: i64, add: bool) {
        statement.text(" ON DUPLICATE KEY UPDATE ");
        let mut columns = vec![self.value];
        if self.is_own() {
            columns.extend(["flags", "used", "cas"]);
        }
        if self.compares_by_language() {
            // What looks alike to the index takes the other's place.
            columns.push(self.key);
        }
        let ends = self.ends;
        for name in columns {
            if add {
                statement.text(&format!("{name} = IF({ends} <= ")).arg(self.time(now));
                statement.text(&format!(", VALUES({name}), {name}), "));
            } else {
                statement.text(&format!("{name} = VALUES({name}), "));
            }
        }
        statement.text(&format!("{ends} = "));
        if add {
            statement.text(&format!("IF({ends} <= ")).arg(self.time(now));
            statement.text(&format!(
                ", IF(LAST_INSERT_ID({OVER}) > 0, VALUES({ends}), NULL), IF(LAST_INSERT_ID({LIVE}) > 0, {ends}, NULL))"
            ));
        } else {
            statement.text(&format!("VALUES({ends})"));
        }
    }

    /// What the answer to [`Table::write`] of so many rows says.
    pub(in super::super) fn wrote(&self, answer: &Answer, rows: usize, add: bool) -> Wrote {
        let rows = rows as u64;
        if self.is_postgres() {
            let new = answer.rows.iter().filter(|row| row.first() == Some(&Cell::Int(1))).count();
            return Wrote { written: answer.rows.len() as u64, new: new as u64 };
        }
        if add {
            let written = u64::from(answer.noted != LIVE);
            return Wrote { written, new: u64::from(answer.noted != LIVE && answer.noted != OVER) };
        }
        // A row that was there counts twice.
        Wrote { written: rows, new: rows.saturating_sub(answer.affected.saturating_sub(rows)) }
    }
}
