//! How to read, write and clear: the words of the contract's arguments.
use super::lease::Tag;
use crate::entry::Flags;
use crate::timeout::Life;
use bytes::Bytes;

/// When a write takes place: set, add, replace, compare-and-set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Always (set).
    #[default]
    Always,
    /// Only if there is no live entry (add).
    IfAbsent,
    /// Only if there is a live entry (replace).
    IfPresent,
    /// Only if the live entry still has this token ([`Entry::cas`](crate::Entry::cas)).
    IfCas(u64),
}

/// Django's MAX_ENTRIES and CULL_FREQUENCY of the *caller*: several callers may share one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// A write that finds at least this many entries culls first.
    pub max_entries: i64,
    /// One in this many entries is culled; 0 means all of them.
    pub cull_frequency: i64,
}

/// How to read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetOptions {
    /// Gives the entry a new life in the same step.
    pub touch: Option<Life>,
    /// Does not count as use of the entry, nor as hit or miss.
    pub peek: bool,
    /// Fills [`Entry::deadline`](crate::Entry::deadline).
    pub want_deadline: bool,
    /// Fills [`Entry::cas`](crate::Entry::cas).
    pub want_cas: bool,
    /// Fills [`Entry::tags`](crate::Entry::tags) with the stamps of these tags.
    pub tags: Vec<Tag>,
}

impl GetOptions {
    /// Reads without counting as use.
    pub fn peek() -> Self {
        GetOptions { peek: true, ..GetOptions::default() }
    }
}

/// How to write.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SetOptions {
    /// How long the entry lives.
    pub life: Life,
    /// When the write takes place.
    pub condition: Condition,
    /// What the codec wrote.
    pub flags: Flags,
    /// The caller's own limit; without it the store's.
    pub limit: Option<Limit>,
}

impl SetOptions {
    /// An unconditional write with this life.
    pub fn new(life: Life) -> Self {
        SetOptions { life, condition: Condition::Always, flags: Flags::RAW, limit: None }
    }
    /// The same with these flags.
    #[must_use]
    pub fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }
    /// The same under this condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }
    /// The same under the caller's own limit.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// One entry of a `set_many`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    /// The full key.
    pub key: &'a str,
    /// The bytes to store.
    pub value: Bytes,
    /// What the codec wrote.
    pub flags: Flags,
}

/// What `clear` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// Every entry of the store, whoever wrote it (Django's `clear`).
    All,
    /// The entries whose full key starts with this; needs [`Capability::clear_prefix`](super::Capability::clear_prefix).
    Prefix(&'a str),
}
