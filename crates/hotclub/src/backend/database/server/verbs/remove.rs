//! Removing: by key, by prefix, everything.
use super::{MOST_ROWS, Verb, check_keys};
use crate::backend::database::server::error::Trouble;
use crate::backend::database::server::session::Session;
use crate::backend::database::server::store::add;
use crate::backend::database::server::table::{Table, pattern};
use crate::error::Result;
use hotclub_net::Effect;

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
        self.keys.len().div_ceil(MOST_ROWS)
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
    /// Removes live entries in one statement; how many there were.
    pub(super) async fn remove(&mut self, keys: &[&str]) -> std::result::Result<u64, Trouble> {
        let removed = self.ask(self.table.delete(keys, self.now, None)).await?.affected;
        self.removed(removed);
        Ok(removed)
    }

    /// So many entries were removed by key.
    pub(super) fn removed(&mut self, number: u64) {
        add(&self.counts.deleted, number);
        self.state.room.lock().change(-i64::try_from(number).unwrap_or(i64::MAX));
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
        0
    }

    fn check(&self, _table: &Table) -> Result<()> {
        Ok(())
    }

    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<(), Trouble> {
        let pattern = self.prefix.as_deref().map(pattern);
        let removed = session.ask(session.table.clear(pattern.as_deref())).await?.affected;
        session.removed(removed);
        session.state.room.lock().forget();
        Ok(())
    }
}
