//! The steps of a write, under the shard's exclusive lock.
use super::change::Weigh;
use super::content::{Content, deadline_of};
use super::node::{Pointer, Removed};
use super::policy::Policy;
use super::shard::{Shard, count};
use super::store::Store;
use crate::backend::Limit;
use crate::timeout::Life;

/// The steps of one write, under the shard's exclusive lock.
pub(super) struct Write<'a, V> {
    pub(super) store: &'a Store<V>,
    pub(super) shard: &'a Shard<V>,
    pub(super) content: &'a mut Content<V>,
    pub(super) removed: &'a mut Removed<V>,
    pub(super) now: u64,
}

impl<V: Weigh> Write<'_, V> {
    pub(super) fn remove(&mut self, found: Option<Pointer<V>>, live: bool) {
        let Some(pointer) = found else { return };
        let counters = &self.shard.counters;
        count(if live { &counters.deleted } else { &counters.expired }, 1);
        self.content.remove(pointer, self.removed);
    }

    /// Exchanges the value of a live entry; its entry, unless it grew larger than the whole store.
    pub(super) fn exchange(&mut self, live: Option<Pointer<V>>, value: V) -> Option<Pointer<V>> {
        match live {
            None => {
                self.removed.value = Some(value);
                None
            }
            Some(pointer) if !self.store.has_room_for(self.content.node(pointer).key_length(), &value) => {
                count(&self.shard.counters.evicted, 1);
                self.content.remove(pointer, self.removed);
                self.removed.value = Some(value);
                None
            }
            Some(pointer) => {
                self.removed.value = Some(self.content.exchange(pointer, value));
                self.used(pointer);
                Some(pointer)
            }
        }
    }

    /// A lookup that gives a new life.
    pub(super) fn read(&mut self, found: Option<Pointer<V>>, live: Option<Pointer<V>>, life: Life) {
        let Some(pointer) = live else {
            count(&self.shard.counters.misses, 1);
            return;
        };
        count(&self.shard.counters.hits, 1);
        if life == Life::Gone {
            self.remove(found, true);
            return;
        }
        self.content.node_mut(pointer).set_deadline(deadline_of(life, self.now));
        self.used(pointer);
    }

    fn used(&mut self, pointer: Pointer<V>) {
        match self.store.config().policy() {
            Policy::Lru => self.content.move_to_front_of_main(pointer),
            Policy::S3Fifo => self.content.node(pointer).mark_used(),
        }
    }

    /// Stores a value; its entry, unless it is larger than the whole store.
    pub(super) fn store(
        &mut self,
        hash: u32,
        key: &[u8],
        value: V,
        life: Life,
        limit: Option<Limit>,
        was_live: bool,
    ) -> Option<Pointer<V>> {
        let counters = &self.shard.counters;
        count(&counters.sets, 1);
        if !self.store.fits(key, &value) {
            // Larger than the whole store: what was there is gone, as if the new value had been
            // stored and evicted at once.
            let found = self.content.find(hash, key);
            self.remove(found, was_live);
            count(&self.shard.counters.evicted, 1);
            self.removed.value = Some(value);
            return None;
        }
        self.cull(limit);
        let deadline = deadline_of(life, self.now);
        // Looked up again, since culling may have taken the entry itself.
        match self.content.find(hash, key) {
            Some(pointer) => {
                if self.content.node(pointer).is_expired(self.now) {
                    count(&self.shard.counters.expired, 1);
                }
                self.removed.value = Some(self.content.exchange(pointer, value));
                self.content.node_mut(pointer).set_deadline(deadline);
                self.used(pointer);
                Some(pointer)
            }
            None => {
                let expired = self.content.sweep(self.now, self.removed);
                count(&self.shard.counters.expired, expired);
                let main = self.store.config().policy() == Policy::Lru || self.content.comes_back(hash);
                Some(self.content.insert(hash, key, deadline, value, main))
            }
        }
    }

    fn cull(&mut self, limit: Option<Limit>) {
        if self.store.config().policy() != Policy::Lru {
            return;
        }
        let Some(limit) = limit.or(self.store.config().limit()) else { return };
        if i64::try_from(self.content.len()).unwrap_or(i64::MAX) >= limit.max_entries {
            let (expired, culled) = self.content.cull(limit, self.now, self.removed);
            count(&self.shard.counters.expired, expired);
            count(&self.shard.counters.culled, culled);
        }
    }
}
