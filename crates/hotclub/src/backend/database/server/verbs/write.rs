//! Writing: set, add, replace, compare-and-set, and many at once.
use super::{MOST_BYTES, MOST_ROWS, Remove, Verb, token};
use crate::backend::database::server::error::Trouble;
use crate::backend::database::server::session::Session;
use crate::backend::database::server::store::add;
use crate::backend::database::server::table::{Fresh, Table};
use crate::backend::{Condition, SetOptions};
use crate::entry::Flags;
use crate::error::{Error, Result};
use crate::timeout::Life;
use bytes::Bytes;
use hotclub_net::Effect;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// An entry to write.
#[derive(Debug)]
pub(in super::super) struct Put {
    pub(in super::super) key: String,
    pub(in super::super) value: Bytes,
    pub(in super::super) flags: Flags,
}

/// Writes entries; which were written.
#[derive(Debug)]
pub(in super::super) struct Write {
    pub(in super::super) items: Vec<Put>,
    pub(in super::super) options: SetOptions,
    pub(in super::super) name: &'static str,
}

impl Verb for Write {
    type Answer = Vec<bool>;

    fn name(&self) -> &'static str {
        self.name
    }

    fn effect(&self) -> Effect {
        match self.options.condition {
            // Done twice, the second time would find what the first one did.
            Condition::IfAbsent | Condition::IfCas(_) => Effect::Once,
            Condition::Always | Condition::IfPresent => Effect::Idempotent,
        }
    }

    fn instead(&self) -> Option<Remove> {
        let stays = !matches!(self.options.condition, Condition::Always | Condition::IfPresent);
        let keys = || self.items.iter().map(|item| item.key.clone()).collect();
        (!stays).then(|| Remove { keys: keys(), name: self.name })
    }

    fn statements(&self) -> usize {
        self.items.len()
    }

    fn check(&self, table: &Table) -> Result<()> {
        if matches!(self.options.condition, Condition::IfCas(_)) && !table.has_cas() {
            return Err(Error::unsupported(table.scheme(), "compare-and-set in the table of Django"));
        }
        self.items.iter().try_for_each(|item| table.check_key(&item.key))
    }

    async fn run(&self, session: &mut Session<'_>) -> std::result::Result<Vec<bool>, Trouble> {
        if self.items.is_empty() {
            return Ok(Vec::new());
        }
        let Some(_) = session.end(self.options.life) else { return self.no_life(session).await };
        session.make_room(self.options.limit).await?;
        if self.options.condition == Condition::Always {
            return self.all(session).await;
        }
        let mut written = Vec::with_capacity(self.items.len());
        for item in &self.items {
            written.push(self.one(session, item).await?);
        }
        Ok(written)
    }
}

impl Write {
    fn row<'i>(&self, item: &'i Put, table: &Table) -> Result<Fresh<'i>> {
        let value = table.write_value(&item.value)?;
        Ok(Fresh { key: &item.key, value, flags: item.flags.0, cas: token() })
    }

    /// Without a condition: some hundred rows in a statement, each key once, all in the same order, so that writers of
    /// the same keys wait for each other instead of both holding what the other one needs.
    async fn all(&self, session: &mut Session<'_>) -> std::result::Result<Vec<bool>, Trouble> {
        let last: BTreeMap<&str, &Put> = self.items.iter().map(|item| (item.key.as_str(), item)).collect();
        let mut rows = Vec::with_capacity(last.len().min(MOST_ROWS));
        let most = MOST_BYTES.min(session.state.most_packet.load(Ordering::Relaxed) / 2);
        let mut bytes = 0;
        for item in last.into_values() {
            let row = self.row(item, session.table)?;
            if rows.len() == MOST_ROWS || (bytes + row.value.len() > most && !rows.is_empty()) {
                session.write(&rows, self.options.life, false).await?;
                rows.clear();
                bytes = 0;
            }
            bytes += row.value.len();
            rows.push(row);
        }
        session.write(&rows, self.options.life, false).await?;
        Ok(vec![true; self.items.len()])
    }

    async fn one(&self, session: &mut Session<'_>, item: &Put) -> std::result::Result<bool, Trouble> {
        let row = self.row(item, session.table)?;
        let cas = match self.options.condition {
            Condition::IfAbsent => return Ok(session.write(&[row], self.options.life, true).await? > 0),
            Condition::IfCas(cas) => match i64::try_from(cas) {
                Ok(cas) => Some(cas),
                Err(_) => return Ok(false),
            },
            Condition::IfPresent | Condition::Always => None,
        };
        let Some(end) = session.end(self.options.life) else { return Ok(false) };
        let replace = session.table.replace(&row, end, session.now(), cas);
        let replaced = session.ask_once(replace).await?.affected;
        add(&session.counts.sets, replaced);
        Ok(replaced > 0)
    }

    /// A life of no length: nothing readable remains.
    async fn no_life(&self, session: &mut Session<'_>) -> std::result::Result<Vec<bool>, Trouble> {
        let mut written = Vec::with_capacity(self.items.len());
        for item in &self.items {
            let (keys, now, table) = ([item.key.as_str()], session.now(), session.table);
            written.push(match self.options.condition {
                Condition::Always => {
                    session.remove(&keys).await?;
                    true
                }
                Condition::IfPresent => session.remove(&keys).await? > 0,
                Condition::IfAbsent => session.ask(table.read(&keys, now, false)).await?.rows.is_empty(),
                Condition::IfCas(cas) => {
                    let cas = i64::try_from(cas).unwrap_or(-1);
                    let removed = session.ask_once(table.delete(&keys, now, Some(cas))).await?.affected;
                    session.removed(removed, 0);
                    removed > 0
                }
            });
        }
        Ok(written)
    }
}

impl Session<'_> {
    /// Writes rows in one statement; how many were written.
    async fn write(
        &mut self,
        rows: &[Fresh<'_>],
        life: Life,
        add_only: bool,
    ) -> std::result::Result<u64, Trouble> {
        let Some(end) = self.end(life) else { return Ok(0) };
        let answer = self.ask_once(self.table.write(rows, end, self.now(), add_only)).await?;
        let wrote = self.table.wrote(&answer, rows.len(), add_only);
        add(&self.counts.sets, wrote.written);
        self.state.room.lock().change(i64::try_from(wrote.new).unwrap_or(0));
        Ok(wrote.written)
    }
}
