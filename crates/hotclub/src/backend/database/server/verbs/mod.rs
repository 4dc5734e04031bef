//! The verbs, each once: what is asked, and what the answers mean. Either door carries them.
use super::error::Trouble;
use super::session::Session;
use super::table::Table;
use crate::error::Result;
use hotclub_net::Effect;
use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

mod count;
mod read;
mod remove;
mod write;

pub(super) use count::{Count, Weigh};
pub(super) use read::{Read, Touch};
pub(super) use remove::{Clear, Remove};
pub(super) use write::{Put, Write};

/// A verb with its arguments: its own, so that it can be given to another thread.
pub(super) trait Verb: Send + Sync + 'static {
    type Answer: Send + 'static;

    /// As errors name it.
    fn name(&self) -> &'static str;

    /// What may be done when its connection breaks.
    fn effect(&self) -> Effect;

    /// How many statements it may have, beyond those of every verb.
    fn statements(&self) -> usize;

    /// Whether it can be asked of this table.
    fn check(&self, table: &Table) -> Result<()>;

    /// What is done instead when a value is larger than the server takes: what it was to replace must not outlive it.
    fn instead(&self) -> Option<Remove> {
        None
    }

    /// Asks.
    fn run(
        &self,
        session: &mut Session<'_>,
    ) -> impl Future<Output = std::result::Result<Self::Answer, Trouble>> + Send;
}

/// Keys of one statement, and so many bytes of values, unless one value alone has more.
pub(super) const MOST_ROWS: usize = 512;
const MOST_BYTES: usize = 4 << 20;

fn check_keys(table: &Table, keys: &[String]) -> Result<()> {
    keys.iter().try_for_each(|key| table.check_key(key))
}

/// A token that no entry had: 63 bits at random.
fn token() -> i64 {
    thread_local! {
        static STATE: (RandomState, Cell<u64>) = (RandomState::new(), Cell::new(0));
    }
    // Keys of the hash are the process' secret of this thread; a fork copies them, so the process counts too.
    STATE.with(|(state, count)| {
        count.set(count.get().wrapping_add(1));
        let hash = state.hash_one((count.get(), std::process::id(), crate::fork::generation()));
        (hash >> 1) as i64
    })
}

#[cfg(test)]
mod tests {
    use super::token;
    use std::collections::HashSet;

    #[test]
    fn tokens_do_not_come_again() {
        let tokens: HashSet<i64> = (0..10_000).map(|_| token()).collect();
        assert_eq!(tokens.len(), 10_000);
        assert!(tokens.iter().all(|token| *token >= 0));
    }
}
