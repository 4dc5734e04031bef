//! One shard's content: an index of nodes, two queues, and the atomic steps on them.
//!
//! Invariant, on which every `SAFETY` argument here rests: a pointer is in the index exactly when its
//! node is live and in exactly one of the two queues (`main` if its main bit is set, else `small`).
//! Pointers never leave the content but into a [`Removed`] chain. References to nodes are borrowed from
//! the content, shared from `&self`, exclusive from `&mut self`.
use super::change::Weigh;
use super::node::{NEVER, Node, Pointer, Queue, Removed};
use super::policy::History;
use hashbrown::HashTable;

/// What an entry costs beside its key and value: the block's header and its share of the index.
const INDEX_SHARE: usize = 16;
/// Index places looked at by each insert, so that expired entries do not pile up.
/// At 4 they can make up a quarter of the table at most, which is below the load at which it grows.
const SWEEP_STEP: usize = 4;

pub(super) struct Content<V> {
    index: HashTable<Pointer<V>>,
    /// Newcomers on probation (`s3-fifo` only).
    pub(super) small: Queue<V>,
    /// Proven entries; all entries under `lru`.
    pub(super) main: Queue<V>,
    pub(super) history: History,
    swept: usize,
}

impl<V> Default for Content<V> {
    fn default() -> Self {
        Content {
            index: HashTable::new(),
            small: Queue::default(),
            main: Queue::default(),
            history: History::default(),
            swept: 0,
        }
    }
}

// SAFETY: the content owns its nodes, and pointers do not leave it, so it may move to another thread
// when its values may, and be shared when they may.
unsafe impl<V: Send> Send for Content<V> {}
// SAFETY: as above; what `&self` allows on nodes is reading, and an atomic store to `meta`.
unsafe impl<V: Send + Sync> Sync for Content<V> {}

/// The index's hash: 32 bits of the key's hash, spread so that both ends of the word vary.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl<V: Weigh> Content<V> {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// What all entries cost, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.small.cost + self.main.cost
    }

    /// What the shard holds beside its entries, in bytes.
    pub(super) fn overhead(&self) -> usize {
        self.history.heap_bytes()
    }

    pub(super) fn node(&self, pointer: Pointer<V>) -> &Node<V> {
        // SAFETY: pointers in use here are in the index, hence live; the borrow of `self` keeps
        // exclusive references away.
        unsafe { pointer.get() }
    }

    pub(super) fn key(&self, pointer: Pointer<V>) -> &[u8] {
        // SAFETY: as in `node`.
        unsafe { pointer.key() }
    }

    pub(super) fn node_mut(&mut self, pointer: Pointer<V>) -> &mut Node<V> {
        // SAFETY: live as above; `&mut self` makes the reference the only one.
        unsafe { pointer.get_mut() }
    }

    pub(super) fn find(&self, hash: u32, key: &[u8]) -> Option<Pointer<V>> {
        let same = |pointer: &Pointer<V>| {
            let node = self.node(*pointer);
            node.hash == hash && self.key(*pointer) == key
        };
        self.index.find(spread(hash), same).copied()
    }

    pub(super) fn cost_of(&self, pointer: Pointer<V>) -> usize {
        let node = self.node(pointer);
        entry_cost::<V>(node.key_length(), &node.value)
    }

    /// Puts a new entry in front of its queue. The key must not be in the index.
    pub(super) fn insert(
        &mut self,
        hash: u32,
        key: &[u8],
        deadline: u64,
        value: V,
        main: bool,
    ) -> Pointer<V> {
        let cost = entry_cost::<V>(key.len(), &value);
        let pointer = Pointer::new(key, hash, deadline, value);
        // SAFETY: nodes in the index are live; growing only reads them.
        let rehash = |pointer: &Pointer<V>| spread(unsafe { pointer.get() }.hash);
        self.index.insert_unique(spread(hash), pointer, rehash);
        self.node_mut(pointer).set_main(main);
        // SAFETY: just made, so live and in no queue; no reference is held.
        unsafe { self.queue(main).push_front(pointer, cost) };
        pointer
    }

    fn queue(&mut self, main: bool) -> &mut Queue<V> {
        if main { &mut self.main } else { &mut self.small }
    }

    /// Exchanges the value of an entry; returns the old one, to be dropped after the lock.
    pub(super) fn exchange(&mut self, pointer: Pointer<V>, value: V) -> V {
        let after = value.weight();
        let node = self.node_mut(pointer);
        let old = std::mem::replace(&mut node.value, value);
        let (before, main) = (old.weight(), node.is_main());
        let queue = self.queue(main);
        queue.cost = queue.cost - before + after;
        old
    }

    /// Moves an entry to the front of `main`, from wherever it is.
    pub(super) fn move_to_front_of_main(&mut self, pointer: Pointer<V>) {
        if self.main.is_front(pointer) {
            return;
        }
        if self.node(pointer).is_main() {
            // SAFETY: by the invariant the node is in `main`; no reference is held. The cost stays, so it
            // need not be known: a hit does not look at the value's size.
            unsafe {
                self.main.unlink(pointer, 0);
                self.main.push_front(pointer, 0);
            }
            return;
        }
        let cost = self.cost_of(pointer);
        // SAFETY: by the invariant the node is in the queue its main bit names; no reference is held.
        unsafe { self.small.unlink(pointer, cost) };
        self.node_mut(pointer).set_main(true);
        // SAFETY: live, and in no queue since the step before; no reference is held.
        unsafe { self.main.push_front(pointer, cost) };
    }

    /// Moves a newcomer to the front of `small`, where it must be.
    pub(super) fn move_to_front_of_small(&mut self, pointer: Pointer<V>) {
        // SAFETY: by the invariant the node is in `small`, since its main bit is not set; no reference is
        // held. The cost stays.
        unsafe {
            self.small.unlink(pointer, 0);
            self.small.push_front(pointer, 0);
        }
    }

    /// Takes an entry out; its node waits in `removed` until the lock is gone.
    pub(super) fn remove(&mut self, pointer: Pointer<V>, removed: &mut Removed<V>) {
        let cost = self.cost_of(pointer);
        let (hash, main) = (self.node(pointer).hash, self.node(pointer).is_main());
        if let Ok(place) = self.index.find_entry(spread(hash), |other| *other == pointer) {
            place.remove();
        }
        // SAFETY: by the invariant the node is in the queue its main bit names; no reference is held.
        unsafe { self.queue(main).unlink(pointer, cost) };
        // SAFETY: in no queue and no index since the two steps before; only the chain keeps the pointer.
        unsafe { removed.push(pointer) };
    }

    /// Takes the entry of a key out with one look into the index; whether it had expired.
    pub(super) fn remove_key(
        &mut self,
        hash: u32,
        key: &[u8],
        now: u64,
        removed: &mut Removed<V>,
    ) -> Option<bool> {
        let same = |pointer: &Pointer<V>| {
            // SAFETY: pointers in the index are live, and no exclusive reference to a node is held.
            let (node, its_key) = unsafe { (pointer.get(), pointer.key()) };
            node.hash == hash && its_key == key
        };
        let (pointer, _) = self.index.find_entry(spread(hash), same).ok()?.remove();
        let (expired, main) = (self.node(pointer).is_expired(now), self.node(pointer).is_main());
        let cost = self.cost_of(pointer);
        // SAFETY: by the invariant the node is in the queue its main bit names; no reference is held.
        unsafe { self.queue(main).unlink(pointer, cost) };
        // SAFETY: in no queue and no index since the two steps before; only the chain keeps the pointer.
        unsafe { removed.push(pointer) };
        Some(expired)
    }

    /// Looks at a few index places and takes out what has expired there; how many.
    ///
    /// Each insert pays for this, so a store that is written to keeps at most a fraction of expired
    /// entries, without a thread of its own.
    pub(super) fn sweep(&mut self, now: u64, removed: &mut Removed<V>) -> u64 {
        let places = self.index.num_buckets();
        let mut expired = 0;
        for _ in 0..SWEEP_STEP.min(places) {
            self.swept = if self.swept + 1 < places { self.swept + 1 } else { 0 };
            let Some(&pointer) = self.index.get_bucket(self.swept) else { continue };
            if self.node(pointer).is_expired(now) {
                self.remove(pointer, removed);
                expired += 1;
            }
        }
        expired
    }

    /// The entries for which `keep` is false are taken out; how many.
    pub(super) fn retain(&mut self, removed: &mut Removed<V>, keep: impl Fn(&[u8], &V) -> bool) -> u64 {
        let unwanted = |pointer: &&Pointer<V>| !keep(self.key(**pointer), &self.node(**pointer).value);
        let chosen: Vec<Pointer<V>> = self.index.iter().filter(unwanted).copied().collect();
        for &pointer in &chosen {
            self.remove(pointer, removed);
        }
        chosen.len() as u64
    }

    /// The keys of the entries that live at this time.
    pub(super) fn keys(&self, now: u64) -> impl Iterator<Item = &[u8]> {
        let live = self.index.iter().filter(move |pointer| !self.node(**pointer).is_expired(now));
        live.map(|pointer| self.key(*pointer))
    }
}

impl<V> Content<V> {
    /// All nodes as one chain, in O(1): what `clear` frees after the lock.
    pub(super) fn into_removed(mut self) -> Removed<V> {
        self.take_all()
    }

    fn take_all(&mut self) -> Removed<V> {
        let mut removed = Removed::none();
        for queue in [std::mem::take(&mut self.small), std::mem::take(&mut self.main)] {
            // SAFETY: the index is emptied below before anything can look into it, and queues hold
            // only live nodes that nobody references.
            unsafe { removed.adopt(queue) };
        }
        self.index = HashTable::new();
        removed
    }
}

impl<V> Drop for Content<V> {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

/// What an entry costs, in bytes.
pub(super) fn entry_cost<V: Weigh>(key_length: usize, value: &V) -> usize {
    size_of::<Node<V>>() + INDEX_SHARE + key_length + value.weight()
}

/// The instant at which a life that starts now ends, in the clock's milliseconds.
pub(super) fn deadline_of(life: crate::timeout::Life, now: u64) -> u64 {
    use crate::timeout::Life;
    match life {
        Life::Never => NEVER,
        Life::Gone => now,
        Life::For(time) => {
            // Rounded up to the clock's milliseconds; the clock itself moves in steps of 1 to 10 ms.
            let ms = time.as_nanos().div_ceil(1_000_000);
            u64::try_from(ms).map_or(NEVER, |ms| now.saturating_add(ms).min(NEVER))
        }
    }
}
