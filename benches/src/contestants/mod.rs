//! hotclub and its peers behind one small trait, so that all are asked the same in the same loop.
mod exact_lru;
mod foyer;
mod hotclub;
mod moka;
mod quick_cache;
mod timed;

pub(crate) use self::hotclub::{HotclubBackend, HotclubStore};
pub(crate) use exact_lru::ExactLru;
pub(crate) use foyer::Foyer;
pub(crate) use moka::{Moka, MokaWithExpiry};
pub(crate) use quick_cache::QuickCache;
pub(crate) use timed::Timed;

use std::sync::Arc;
use std::time::Duration;

/// A cache as the benches see it. The call is dynamic for each contestant alike.
///
/// A key comes as `&str`, as a framework composes it; contestants whose API takes an owned key on a set
/// must allocate one, and that is part of their price.
pub(crate) trait Contestant<V>: Send + Sync {
    fn get(&self, key: &str) -> Option<V>;

    /// `life` is `None` for ever. Contestants without deadlines of their own ignore it; see [`Timed`].
    fn set(&self, key: &str, value: V, life: Option<Duration>);

    fn entries(&self) -> usize;

    /// Lets a contestant do what it put off (moka).
    fn settle(&self) {}
}

/// What all contestants can hold.
pub(crate) trait Value: Clone + Send + Sync + 'static {
    fn bytes(&self) -> usize;
}

impl Value for Arc<[u8]> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Value for u64 {
    fn bytes(&self) -> usize {
        0
    }
}

/// The hash function of every contestant.
pub(crate) type Hasher = foldhash::fast::RandomState;
