//! What closures see of an entry, and what they may do to it.
use super::node::{NEVER, Node};
use crate::timeout::Life;

/// What a value weighs, in bytes, beside the key and the store's own overhead.
///
/// Must not change while the value is in the store.
pub trait Weigh {
    /// Heap and inline bytes beyond `size_of::<Self>()`.
    fn weight(&self) -> usize;
}

/// A live entry as a closure sees it, under the shard's lock.
#[derive(Debug)]
pub struct Seen<'a, V> {
    /// The value.
    pub value: &'a V,
    /// In milliseconds of the store's clock; `None` means never.
    pub deadline_ms: Option<u64>,
}

/// What an [`update`](super::Store::update) does to the entry it saw.
#[derive(Debug)]
pub enum Change<V> {
    /// Nothing.
    Keep,
    /// Stores a value with a new life. [`Life::Gone`] removes the entry.
    Store(V, Life),
    /// Exchanges the value of the live entry and keeps its deadline (`incr`). Nothing if there is none.
    Exchange(V),
    /// Gives the live entry a new life, without counting as use. [`Life::Gone`] removes it.
    Touch(Life),
    /// The same for a lookup: counts as a hit and as use, or as a miss if there is no live entry.
    Read(Life),
    /// Removes the entry.
    Remove,
}

/// Whether a lookup counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// As use of the entry, and as hit or miss.
    Count,
    /// As nothing (`has_key`).
    Peek,
}

/// What was under a key that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// A live entry.
    Live,
    /// An entry whose time had ended, not yet taken out.
    Expired,
    /// Nothing.
    Missing,
}

impl<V> Node<V> {
    pub(super) fn seen(&self) -> Seen<'_, V> {
        let deadline = self.deadline();
        Seen { value: &self.value, deadline_ms: (deadline != NEVER).then_some(deadline) }
    }
}
