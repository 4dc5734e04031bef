//! The sharded store: deadlines, conditions, limits and counters, over values of any kind.
//!
//! Both fronts use it: `MemoryBackend` keeps bytes here, the Python door keeps Python objects. Values
//! that leave are dropped after the shard is unlocked, and no closure given here may run foreign code.
use super::change::{Change, Seen, Usage, Was, Weigh};
use super::config::MemoryConfig;
use super::content::{Content, deadline_of, entry_cost};
use super::node::{Pointer, Removed};
use super::policy::{Left, Policy};
use super::shard::{Counters, Shard, count};
use super::write::Write;
use crate::backend::Limit;
use crate::clock::{Clock, Deadline};
use crate::stats::Stats;
use crate::sync::{AtomicUsize, Mutex, RwLock};
use crate::timeout::Life;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::Ordering::Relaxed;

/// What a write did to the totals of the store.
#[derive(Default, Clone, Copy)]
struct Sizes {
    entries: usize,
    bytes: usize,
}

impl<V: Weigh> Content<V> {
    fn sizes(&self) -> Sizes {
        Sizes { entries: self.len(), bytes: self.cost() + self.overhead() }
    }
}

/// A process-local map from full keys to values with deadlines, limits and an eviction policy.
pub struct Store<V> {
    shards: Box<[Shard<V>]>,
    hasher: foldhash::fast::RandomState,
    config: MemoryConfig,
    clock: Clock,
    /// The limits that are kept by evicting, ready for the hot path.
    most_entries: usize,
    most_bytes: usize,
    /// Kept only where a limit needs them.
    entries: AtomicUsize,
    bytes: AtomicUsize,
    /// What `clear` left to be freed by later writes, a little each.
    cleared: Mutex<Vec<Removed<V>>>,
    cleared_chains: AtomicUsize,
}

/// More than there can be.
const NO_LIMIT: usize = usize::MAX;
/// How many nodes `clear` frees at once, and how many each later write frees of the rest.
const FREE_AT_CLEAR: usize = 4096;
const FREE_AT_WRITE: usize = 64;

impl<V: Weigh> Store<V> {
    /// A store with these limits on this clock.
    pub fn new(config: MemoryConfig, clock: Clock) -> Self {
        let shards = (0..config.shards())
            .map(|_| Shard { content: RwLock::new(Content::default()), counters: Counters::default() });
        Store {
            shards: shards.collect(),
            hasher: foldhash::fast::RandomState::default(),
            most_entries: config.entry_limit().unwrap_or(NO_LIMIT),
            most_bytes: config.max_bytes().unwrap_or(NO_LIMIT),
            config,
            clock,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            cleared: Mutex::new(Vec::new()),
            cleared_chains: AtomicUsize::new(0),
        }
    }

    /// The limits and the policy of this store.
    pub fn config(&self) -> &MemoryConfig {
        &self.config
    }

    /// The wall-clock deadline of an entry seen with this `deadline_ms`.
    pub fn deadline(&self, deadline_ms: Option<u64>) -> Option<Deadline> {
        deadline_ms.map(|at| self.clock.deadline(at))
    }

    /// Time left, in milliseconds, of an entry seen with this `deadline_ms`.
    pub fn time_left_ms(&self, deadline_ms: Option<u64>) -> Option<u64> {
        deadline_ms.map(|at| at.saturating_sub(self.clock.now_ms()))
    }

    #[inline]
    fn locate(&self, key: &[u8]) -> (&Shard<V>, u32) {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        let hash = hasher.finish();
        // The number of shards is a power of two; shard and index use different bits.
        let shard = (hash >> 32) as usize & (self.shards.len() - 1);
        (&self.shards[shard], hash as u32)
    }

    /// Looks a key up; `take` copies out what is needed and must be short.
    #[inline]
    pub fn get<R>(&self, key: &[u8], usage: Usage, take: impl FnOnce(Seen<'_, V>) -> R) -> Option<R> {
        let (shard, hash) = self.locate(key);
        let now = self.clock.now_ms();
        if self.config.policy() == Policy::Lru && usage == Usage::Count {
            shard.get_exclusively(hash, key, now, take)
        } else {
            shard.get_shared(hash, key, now, usage, take)
        }
    }

    /// Whether there is a live entry. Does not count as use.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key, Usage::Peek, |_| ()).is_some()
    }

    /// Changes the value of a live entry in place, under its shard's lock.
    ///
    /// `change` says whether it changed anything, which counts as use. It must be short, must not run
    /// foreign code, and must leave the value's weight as it is.
    #[inline]
    pub fn modify<R>(&self, key: &[u8], change: impl FnOnce(&mut V) -> (bool, R)) -> Option<R> {
        let (shard, hash) = self.locate(key);
        shard.modify(hash, key, self.clock.now_ms(), self.config.policy(), change)
    }

    /// Decides on one entry under its shard's lock: the one atomic step behind every writing verb.
    ///
    /// `decide` sees the live entry, if any. `limit` is the caller's own for [`Policy::Lru`]; without it
    /// the store's is used.
    #[inline]
    pub fn update<R>(
        &self,
        key: &[u8],
        limit: Option<Limit>,
        decide: impl FnOnce(Option<Seen<'_, V>>) -> (Change<V>, R),
    ) -> R {
        let (shard, hash) = self.locate(key);
        let now = self.clock.now_ms();
        let mut removed = Removed::none();
        let result = {
            let mut content = shard.content.write();
            let before = content.sizes();
            let found = content.find(hash, key);
            let live = found.filter(|&pointer| !content.node(pointer).is_expired(now));
            let (change, result) = decide(live.map(|pointer| content.node(pointer).seen()));
            let mut write = Write { store: self, shard, content: &mut content, removed: &mut removed, now };
            let mut written = None;
            match change {
                Change::Keep => {}
                Change::Store(value, Life::Gone) => {
                    write.remove(found, live.is_some());
                    write.removed.value = Some(value);
                }
                Change::Read(life) => write.read(found, live, life),
                Change::Touch(Life::Gone) | Change::Remove => write.remove(found, live.is_some()),
                Change::Store(value, life) => {
                    written = write.store(hash, key, value, life, limit, live.is_some());
                }
                Change::Exchange(value) => written = write.exchange(live, value),
                Change::Touch(life) => {
                    if let Some(pointer) = live {
                        content.node_mut(pointer).set_deadline(deadline_of(life, now));
                    }
                }
            }
            self.settle(shard, &mut content, before, written, &mut removed, now);
            result
        };
        drop(removed);
        if self.is_over() {
            self.make_room_elsewhere(shard, now);
        }
        if self.cleared_chains.load(Relaxed) != 0 {
            self.free_some_of_the_cleared();
        }
        result
    }

    /// Removes a key; what was there.
    pub fn remove(&self, key: &[u8]) -> Was {
        let (shard, hash) = self.locate(key);
        let now = self.clock.now_ms();
        let mut removed = Removed::none();
        let mut content = shard.content.write();
        let before = content.sizes();
        let Some(expired) = content.remove_key(hash, key, now, &mut removed) else { return Was::Missing };
        let live = !expired;
        count(if live { &shard.counters.deleted } else { &shard.counters.expired }, 1);
        self.add_sizes(before, content.sizes());
        drop(content);
        if live { Was::Live } else { Was::Expired }
    }

    /// Adds what a write changed to the totals, and evicts from this shard while they are too high:
    /// others than the entry just `written`.
    fn settle(
        &self,
        shard: &Shard<V>,
        content: &mut Content<V>,
        before: Sizes,
        written: Option<Pointer<V>>,
        removed: &mut Removed<V>,
        now: u64,
    ) {
        self.add_sizes(before, content.sizes());
        while content.len() > 1 && self.is_over() {
            if !self.evict_one(shard, content, written, removed, now) {
                break;
            }
        }
    }

    fn evict_one(
        &self,
        shard: &Shard<V>,
        content: &mut Content<V>,
        spare: Option<Pointer<V>>,
        removed: &mut Removed<V>,
        now: u64,
    ) -> bool {
        let before = content.sizes();
        match content.evict(self.config.policy(), now, spare, removed) {
            None => return false,
            Some(Left::Expired) => count(&shard.counters.expired, 1),
            Some(Left::Evicted) => count(&shard.counters.evicted, 1),
        }
        self.add_sizes(before, content.sizes());
        true
    }

    fn add_sizes(&self, before: Sizes, after: Sizes) {
        if self.most_entries != NO_LIMIT && before.entries != after.entries {
            self.entries.fetch_add(after.entries.wrapping_sub(before.entries), Relaxed);
        }
        if self.most_bytes != NO_LIMIT && before.bytes != after.bytes {
            self.bytes.fetch_add(after.bytes.wrapping_sub(before.bytes), Relaxed);
        }
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.entries.load(Relaxed) > self.most_entries || self.bytes.load(Relaxed) > self.most_bytes
    }

    /// The writer's own shard had nothing more to give: the others do, one lock at a time, those that
    /// hold most first.
    #[cold]
    fn make_room_elsewhere(&self, own: &Shard<V>, now: u64) {
        let others = self.shards.iter().filter(|shard| !std::ptr::eq(*shard, own));
        let mut others: Vec<_> = others.map(|shard| (shard.content.read().cost(), shard)).collect();
        others.sort_unstable_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        for (_, shard) in others {
            let mut removed = Removed::none();
            let mut content = shard.content.write();
            while self.is_over() && self.evict_one(shard, &mut content, None, &mut removed, now) {}
            drop(content);
            drop(removed);
            if !self.is_over() {
                return;
            }
        }
    }

    /// The totals that limits go by: entries and bytes, each kept only where a limit needs it.
    #[cfg(all(test, shuttle))]
    pub(super) fn totals(&self) -> (usize, usize) {
        (self.entries.load(Relaxed), self.bytes.load(Relaxed))
    }

    /// What the entries cost, counted anew.
    #[cfg(all(test, shuttle))]
    pub(super) fn cost(&self) -> usize {
        self.shards.iter().map(|shard| shard.content.read().sizes().bytes).sum()
    }

    /// Whether one entry of this size can be kept at all.
    pub fn fits(&self, key: &[u8], value: &V) -> bool {
        self.has_room_for(key.len(), value)
    }

    pub(super) fn has_room_for(&self, key_length: usize, value: &V) -> bool {
        entry_cost::<V>(key_length, value) <= self.most_bytes
    }

    /// Removes every entry. O(shards): the memory of large stores is freed by later writes, a little each.
    pub fn clear(&self) {
        let mut budget = FREE_AT_CLEAR;
        for shard in &self.shards {
            let mut locked = shard.content.write();
            let content = std::mem::take(&mut *locked);
            count(&shard.counters.deleted, content.len() as u64);
            // Under the lock, or a writer would evict for what is gone already.
            self.add_sizes(content.sizes(), Sizes::default());
            drop(locked);
            let entries = content.len();
            let mut removed = content.into_removed();
            let left = removed.free_some(budget);
            budget = budget.saturating_sub(entries);
            if left {
                self.cleared.lock().push(removed.take());
                self.cleared_chains.fetch_add(1, Relaxed);
            }
        }
    }

    #[cold]
    fn free_some_of_the_cleared(&self) {
        // Taken out of the mutex first: dropping values may run foreign code.
        let Some(mut chain) = self.cleared.lock().pop() else { return };
        if chain.free_some(FREE_AT_WRITE) {
            self.cleared.lock().push(chain.take());
        } else {
            self.cleared_chains.fetch_sub(1, Relaxed);
        }
    }

    /// Removes the entries for which `keep` is false. O(entries); `keep` must be short.
    pub fn retain(&self, keep: impl Fn(&[u8], &V) -> bool) {
        for shard in &self.shards {
            let mut removed = Removed::none();
            let mut content = shard.content.write();
            let before = content.sizes();
            count(&shard.counters.deleted, content.retain(&mut removed, &keep));
            self.add_sizes(before, content.sizes());
            drop(content);
        }
    }

    /// The counters, and the sizes now.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for shard in &self.shards {
            let counters = &shard.counters;
            stats.hits += counters.hits.load(Relaxed);
            stats.misses += counters.misses.load(Relaxed);
            stats.sets += counters.sets.load(Relaxed);
            stats.expired += counters.expired.load(Relaxed);
            stats.evicted += counters.evicted.load(Relaxed);
            stats.culled += counters.culled.load(Relaxed);
            stats.deleted += counters.deleted.load(Relaxed);
            let content = shard.content.read();
            stats.entries += content.len() as u64;
            stats.bytes += (content.cost() + content.overhead()) as u64;
        }
        stats
    }

    /// The keys of the live entries, in no order. O(entries).
    pub fn keys(&self) -> Vec<Box<[u8]>> {
        let now = self.clock.now_ms();
        let mut keys = Vec::new();
        for shard in &self.shards {
            let content = shard.content.read();
            keys.extend(content.keys(now).map(Box::from));
        }
        keys
    }
}

impl<V: Weigh> fmt::Debug for Store<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("config", &self.config).field("stats", &self.stats()).finish()
    }
}
