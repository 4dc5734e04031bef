//! A shard: its content behind a lock, its counters, and the two ways of reading it.
use super::change::{Seen, Usage, Weigh};
use super::content::Content;
use super::policy::Policy;
use crate::sync::{AtomicU64, RwLock};
use std::sync::atomic::Ordering::Relaxed;

/// One counter for each way a lookup ends and an entry leaves.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) sets: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) culled: AtomicU64,
    pub(super) deleted: AtomicU64,
}

/// Counts while the shard's lock is held exclusively: no other writer, so no read-modify-write.
pub(super) fn count(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed) + more, Relaxed);
}

/// On cache lines of its own, so that shards do not slow each other down.
///
/// In this order, because a hit writes its counter and the lock's word and reads the index: all three lie
/// in the first line, so two threads hand one line to each other and not two.
#[repr(C, align(128))]
pub(super) struct Shard<V> {
    pub(super) counters: Counters,
    pub(super) content: RwLock<Content<V>>,
}

impl<V: Weigh> Shard<V> {
    /// A hit under the shared lock: it moves nothing and makes at most one relaxed store.
    #[inline]
    pub(super) fn get_shared<R>(
        &self,
        hash: u32,
        key: &[u8],
        now: u64,
        usage: Usage,
        take: impl FnOnce(Seen<'_, V>) -> R,
    ) -> Option<R> {
        let content = self.content.read();
        let live =
            content.find(hash, key).map(|pointer| content.node(pointer)).filter(|node| !node.is_expired(now));
        if usage == Usage::Count {
            let counter = if live.is_some() { &self.counters.hits } else { &self.counters.misses };
            counter.fetch_add(1, Relaxed);
        }
        let node = live?;
        if usage == Usage::Count {
            node.mark_used();
        }
        Some(take(node.seen()))
    }

    #[inline]
    pub(super) fn modify<R>(
        &self,
        hash: u32,
        key: &[u8],
        now: u64,
        policy: Policy,
        change: impl FnOnce(&mut V) -> (bool, R),
    ) -> Option<R> {
        let mut content = self.content.write();
        let pointer = content.find(hash, key).filter(|&pointer| !content.node(pointer).is_expired(now))?;
        let value = &mut content.node_mut(pointer).value;
        let weight = value.weight();
        let (changed, result) = change(value);
        debug_assert_eq!(value.weight(), weight, "a change in place must not change the weight");
        match policy {
            Policy::Lru if changed => content.move_to_front_of_main(pointer),
            Policy::S3Fifo if changed => content.node(pointer).mark_used(),
            _ => {}
        }
        Some(result)
    }

    /// A hit under the exclusive lock: the entry moves to the front of the order.
    #[inline]
    pub(super) fn get_exclusively<R>(
        &self,
        hash: u32,
        key: &[u8],
        now: u64,
        take: impl FnOnce(Seen<'_, V>) -> R,
    ) -> Option<R> {
        let mut content = self.content.write();
        let live = content.find(hash, key).filter(|&pointer| !content.node(pointer).is_expired(now));
        let Some(pointer) = live else {
            count(&self.counters.misses, 1);
            return None;
        };
        count(&self.counters.hits, 1);
        content.move_to_front_of_main(pointer);
        Some(take(content.node(pointer).seen()))
    }
}
