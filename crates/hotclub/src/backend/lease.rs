//! Leases, fills and tags: the words of the atomic steps whose rules are written above the backends.
use crate::entry::Entry;
use std::time::Duration;

/// A label on many entries, already hashed by the layer above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u64);

/// The logical time at which a lease was given, by the backend's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

/// Proof of a lease: random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u128);

/// How to ask for a lease.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LeaseOptions {
    /// After this time the lease ends by itself.
    pub ttl: Duration,
    /// The entry that the caller saw and wants to replace, by its [`Entry::cas`].
    pub seen: Option<u64>,
    /// The tags that the value will depend on.
    pub tags: Vec<Tag>,
}

impl LeaseOptions {
    /// A lease of this length on an absent entry without tags.
    pub fn new(ttl: Duration) -> Self {
        LeaseOptions { ttl, seen: None, tags: Vec::new() }
    }
}

/// What a backend answers to a lease request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lease {
    /// There is a value after all.
    Hit(Entry),
    /// The caller may load and fill.
    Granted {
        /// Proves the right to fill.
        token: Token,
        /// The stamp for the entry's tags, taken before the load.
        stamp: Option<Stamp>,
    },
    /// Somebody else is loading; ask again after this time.
    Busy {
        /// How long to wait before asking again.
        wait: Duration,
    },
    /// An invalidation holds the key: load, but do not fill.
    Held,
}

/// What became of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filled {
    /// Stored.
    Stored,
    /// Refused: the lease is gone (invalidated, expired, evicted).
    Lost,
    /// Refused: another value was set meanwhile.
    Superseded,
    /// Refused: one of its tags was invalidated, or is unknown.
    StaleTag,
}
