//! Reading, and touching.
use super::{MOST_ROWS, Verb, check_keys};
use crate::backend::GetOptions;
use crate::backend::database::server::error::Trouble;
use crate::backend::database::server::session::Session;
use crate::backend::database::server::statement::Answer;
use crate::backend::database::server::store::add;
use crate::backend::database::server::table::{Found, Table};
use crate::clock::Deadline;
use crate::entry::{Entry, Flags};
use crate::error::{Error, Result};
use crate::timeout::Life;
use hotclub_net::Effect;
use std::collections::HashMap;

/// Reads entries, in the order of the keys.
#[derive(Debug)]
pub(in super::super) struct Read {
    pub(in super::super) keys: Vec<String>,
    pub(in super::super) options: GetOptions,
    pub(in super::super) name: &'static str,
}

impl Verb for Read {
    type Answer = Vec<Option<Entry>>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn effect(&self) -> Effect {
        if self.options.touch.is_some() { Effect::Idempotent } else { Effect::Read }
    }

    fn statements(&self) -> usize {
        self.keys.len().div_ceil(MOST_ROWS)
    }

    fn check(&self, table: &Table) -> Result<()> {
        if !self.options.tags.is_empty() {
            return Err(Error::unsupported(table.scheme(), "get with tags"));
        }
        check_keys(table, &self.keys)
    }

    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<Self::Answer, Trouble> {
        let mut found: HashMap<Vec<u8>, Found> = HashMap::with_capacity(self.keys.len());
        for keys in self.keys.chunks(MOST_ROWS) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let answer = self.chunk(session, &keys).await?;
            for row in answer.rows {
                let row = session.table.entry(row)?;
                found.insert(row.key.clone(), row);
            }
        }
        let entry = |key: &String| found.get(key.as_bytes()).map(|found| self.entry(found));
        let entries: Vec<Option<Entry>> = self.keys.iter().map(entry).collect();
        if !self.options.peek {
            let hits = entries.iter().flatten().count() as u64;
            add(&session.counts.hits, hits);
            add(&session.counts.misses, entries.len() as u64 - hits);
            let found: Vec<&Found> = found.values().collect();
            session.note_use(&found).await;
        }
        Ok(entries)
    }
}

impl Read {
    async fn chunk(&self, session: &mut Session<'_>, keys: &[&str]) -> std::result::Result<Answer, Trouble> {
        let (table, now) = (session.table, session.now());
        let Some(life) = self.options.touch else { return session.ask(table.read(keys, now, false)).await };
        let end = session.end(life);
        if let Some(both) = table.read_and_touch(keys, end, now) {
            let answer = session.ask(both).await?;
            if end.is_none() {
                session.removed(answer.rows.len() as u64, 0);
                session.remove_over(keys, now).await?;
            }
            return Ok(answer);
        }
        session.begin().await?;
        let answer = session.ask(table.read(keys, now, true)).await?;
        match end {
            Some(end) => {
                session.ask(table.touch(keys, end, now)).await?;
            }
            None => {
                session.remove(keys).await?;
            }
        }
        session.commit().await?;
        Ok(answer)
    }

    fn entry(&self, found: &Found) -> Entry {
        let mut entry = Entry::new(found.value.clone(), Flags(found.flags));
        entry.cas = self.options.want_cas.then_some(found.cas);
        entry.deadline = found.deadline.filter(|_| self.options.want_deadline).map(Deadline);
        entry
    }
}

/// Gives an entry a new life; whether there was a live one.
#[derive(Debug)]
pub(in super::super) struct Touch {
    pub(in super::super) key: String,
    pub(in super::super) life: Life,
}

impl Verb for Touch {
    type Answer = bool;

    fn name(&self) -> &'static str {
        "touch"
    }

    fn effect(&self) -> Effect {
        Effect::Idempotent
    }

    fn statements(&self) -> usize {
        0
    }

    fn check(&self, table: &Table) -> Result<()> {
        table.check_key(&self.key)
    }

    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<bool, Trouble> {
        let (table, now, keys) = (session.table, session.now(), [self.key.as_str()]);
        let Some(end) = session.end(self.life) else { return Ok(session.remove(&keys).await? > 0) };
        Ok(session.ask(table.touch(&keys, end, now)).await?.affected > 0)
    }
}

impl Session<'_> {
    /// When an entry of this life ends, in the unit of the table; nothing: it is gone.
    pub(super) fn end(&self, life: Life) -> Option<i64> {
        match life {
            Life::Gone => None,
            Life::Never => Some(self.table.never()),
            Life::For(time) => {
                // A life of less than the smallest step is a step.
                let milliseconds = u64::try_from(time.as_millis().max(1)).unwrap_or(u64::MAX);
                Some(self.table.end(milliseconds.saturating_add(self.now().max(0) as u64)))
            }
        }
    }
}
