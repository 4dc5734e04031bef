//! Counting rows, and removing those that are over or too many.
use super::Table;
use crate::backend::database::server::statement::{Arg, Column, Statement};

/// Half of the number of PostgreSQL's advisory lock; the other half is the table's.
const LOCK: i64 = 0x0068_6f74;
/// A name of at most 64 letters, of this database and table.
const LOCK_OF_MYSQL: &str = "CONCAT('hotclub:', MD5(CONCAT(DATABASE(), '.', ";

impl Table {
    /// How many rows there are.
    pub(in super::super) fn rows(&self) -> Statement<'static> {
        let mut statement = self.statement("SELECT COUNT(*) FROM ");
        statement.text(&self.quoted).giving(&[Column::Int]);
        statement
    }

    /// How many bytes keys and values have.
    pub(in super::super) fn bytes(&self) -> Statement<'static> {
        let size = if self.is_own() { "size".to_owned() } else { format!("OCTET_LENGTH({})", self.value) };
        let integer = if self.is_postgres() { "bigint" } else { "SIGNED" };
        let sum = format!(
            "SELECT CAST(COALESCE(SUM({size} + OCTET_LENGTH({})), 0) AS {integer}) FROM {}",
            self.key, self.quoted
        );
        let mut statement = self.statement(&sum);
        statement.giving(&[Column::Int]);
        statement
    }

    /// Removes some rows whose time is over, those that have been so for longest.
    pub(in super::super) fn sweep(&self, now: i64, most: i64) -> Statement<'static> {
        let mut statement = self.begin_removal();
        statement.text(" WHERE ").text(self.ends).text(" <= ").arg(self.time(now));
        statement.text(" ORDER BY ").text(self.ends);
        self.end_removal(&mut statement, most);
        statement
    }

    /// Removes rows to make room: those that nobody wrote or touched for longest; of Django's, which does not say
    /// that, those whose time is over first.
    pub(in super::super) fn cull(&self, most: i64) -> Statement<'static> {
        let mut statement = self.begin_removal();
        statement.text(" ORDER BY ").text(if self.is_own() { "used" } else { self.ends });
        self.end_removal(&mut statement, most);
        statement
    }

    /// What begins and ends the time of the lock, where that is a transaction.
    pub(in super::super) fn around_lock(
        &self,
    ) -> (Option<&'static str>, Option<&'static str>, Option<&'static str>) {
        if self.is_postgres() {
            (Some("BEGIN"), Some("COMMIT"), Some("ROLLBACK"))
        } else {
            (None, None, None)
        }
    }

    /// 1 if nobody else culls this table, who then has to wait: PostgreSQL until the end of the transaction, MySQL until
    /// [`Table::unlock`] or the end of the connection.
    pub(in super::super) fn try_lock(&self) -> Statement<'_> {
        let mut statement = self.statement("SELECT ");
        if self.is_postgres() {
            let text = format!("pg_try_advisory_xact_lock({LOCK} * 4294967296 + to_regclass(");
            statement.text("CASE WHEN ").text(&text).arg(Arg::Text(&self.quoted));
            statement.text(")::oid::bigint) THEN 1 ELSE 0 END::bigint");
        } else {
            statement.text("CAST(COALESCE(GET_LOCK(").text(LOCK_OF_MYSQL).arg(Arg::Text(&self.name));
            statement.text("))), 0), 0) AS SIGNED)");
        }
        statement.giving(&[Column::Int]);
        statement
    }

    /// Where the end of a transaction is not enough.
    pub(in super::super) fn unlock(&self) -> Option<Statement<'_>> {
        if self.is_postgres() {
            return None;
        }
        let mut statement = self.statement("SELECT CAST(COALESCE(RELEASE_LOCK(");
        statement.text(LOCK_OF_MYSQL).arg(Arg::Text(&self.name)).text(")))), 0) AS SIGNED)");
        statement.giving(&[Column::Int]);
        Some(statement)
    }

    /// MySQL removes a number of rows, PostgreSQL those of a list.
    fn begin_removal(&self) -> Statement<'static> {
        let mut statement = self.statement("DELETE FROM ");
        statement.text(&self.quoted);
        if self.is_postgres() {
            let list = format!(" WHERE {key} IN (SELECT {key} FROM {}", self.quoted, key = self.key);
            statement.text(&list);
        }
        statement
    }

    fn end_removal(&self, statement: &mut Statement<'_>, most: i64) {
        statement.text(" LIMIT ").arg(Arg::Int(most));
        if self.is_postgres() {
            // What somebody else is writing is nobody's victim.
            statement.text(" FOR UPDATE SKIP LOCKED)");
        }
    }
}
