//! Removing: by key, by prefix, everything.
use super::{MOST_ROWS, Verb, check_keys};
use crate::backend::database::server::error::Trouble;
use crate::backend::database::server::session::Session;
use crate::backend::database::server::statement::Cell;
use crate::backend::database::server::store::add;
use crate::backend::database::server::table::{Part, Table, pattern};
use crate::error::Result;
use hotclub_net::Effect;

/// Rows that one statement of a `clear` removes.
const CLEARED: i64 = 10_000;

/// Removes entries by key; how many were live.
#[derive(Debug)]
pub(in super::super) struct Remove {
    pub(in super::super) keys: Vec<String>,
    pub(in super::super) name: &'static str,
}

impl Verb for Remove {
    type Answer = u64;

    fn name(&self) -> &'static str {
        self.name
    }

    fn effect(&self) -> Effect {
        Effect::Idempotent
    }

    fn statements(&self) -> usize {
        2 * self.keys.len().div_ceil(MOST_ROWS)
    }

    fn check(&self, table: &Table) -> Result<()> {
        check_keys(table, &self.keys)
    }

    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<u64, Trouble> {
        let mut removed = 0;
        for keys in self.keys.chunks(MOST_ROWS) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            removed += session.remove(&keys).await?;
        }
        Ok(removed)
    }
}

impl Session<'_> {
    /// Removes entries, also those that are over, by which of the clocks ever; how many live ones there were.
    pub(super) async fn remove(&mut self, keys: &[&str]) -> std::result::Result<u64, Trouble> {
        let (table, now) = (self.table, self.now());
        if let Some(remove) = table.remove(keys, now) {
            let removed = self.ask(remove).await?.rows;
            let live = removed.iter().filter(|row| row.first() == Some(&Cell::Int(1))).count() as u64;
            self.removed(live, removed.len() as u64 - live);
            return Ok(live);
        }
        let live = self.ask(table.delete(keys, now, None)).await?.affected;
        self.removed(live, 0);
        if live < keys.len() as u64 {
            self.remove_over(keys, now).await?;
        }
        Ok(live)
    }

    /// Removes those that were over at this time.
    pub(super) async fn remove_over(&mut self, keys: &[&str], now: i64) -> std::result::Result<(), Trouble> {
        let over = self.ask(self.table.remove_over(keys, now)).await?.affected;
        self.removed(0, over);
        Ok(())
    }

    /// So many entries were removed by key, and so many that were over.
    pub(super) fn removed(&mut self, live: u64, over: u64) {
        add(&self.counts.deleted, live);
        self.state.room.lock().change(-i64::try_from(live + over).unwrap_or(i64::MAX));
    }
}

/// Removes all entries, or those whose keys begin with this.
#[derive(Debug)]
pub(in super::super) struct Clear {
    pub(in super::super) prefix: Option<String>,
}

impl Verb for Clear {
    type Answer = ();

    fn name(&self) -> &'static str {
        "clear"
    }

    fn effect(&self) -> Effect {
        Effect::Idempotent
    }

    fn statements(&self) -> usize {
        // Each of them has its limit; how many there are depends on the table.
        2000
    }

    fn check(&self, _table: &Table) -> Result<()> {
        Ok(())
    }

    /// In steps, through the keys in their order: all rows of a large table would take one statement too long. What
    /// was there when it began is gone at the end.
    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<(), Trouble> {
        let pattern = self.prefix.as_deref().map(pattern);
        let (table, pattern) = (session.table, pattern.as_deref());
        let mut from: Option<String> = None;
        loop {
            let part = Part { from: from.as_deref(), to: None };
            let behind = session.ask(table.behind(&part, pattern, CLEARED)).await?;
            let next = match behind.rows.into_iter().next().and_then(|row| row.into_iter().next()) {
                // A key that is no text was not written by us: it goes with the rest.
                Some(Cell::Bytes(key)) => String::from_utf8(key).ok(),
                _ => None,
            };
            let part = Part { to: next.as_deref(), ..part };
            let removed = session.ask(table.clear(&part, pattern)).await?.affected;
            session.removed(removed, 0);
            if next.is_none() {
                session.state.room.lock().forget();
                return Ok(());
            }
            from = next;
        }
    }
}
