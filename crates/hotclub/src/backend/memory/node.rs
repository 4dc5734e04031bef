//! One entry in one block of memory: metadata, value, then the key's bytes.
//!
//! A hit touches the index and this block and nothing else; with keys in allocations of their own,
//! lookups spread over 100,000 keys waited for one cache miss more. All raw memory of the store is here.
use crate::sync::AtomicU64;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

/// A deadline that never comes.
pub(super) const NEVER: u64 = (1 << 56) - 1;
/// Uses beyond this many are not counted.
const MOST_USES: u64 = 3;
const USES: u64 = 0b11;
const MAIN: u64 = 0b100;

/// Metadata and value; `key_length` bytes of key follow in the same block.
#[repr(C)]
pub(super) struct Node<V> {
    pub(super) previous: Option<Pointer<V>>,
    pub(super) next: Option<Pointer<V>>,
    // From here on what a hit reads, together.
    /// deadline in ms << 8 | queue bit | uses. Readers under the shared lock change only the uses.
    meta: AtomicU64,
    pub(super) hash: u32,
    key_length: u32,
    pub(super) value: V,
}

impl<V> Node<V> {
    pub(super) fn key_length(&self) -> usize {
        self.key_length as usize
    }

    pub(super) fn deadline(&self) -> u64 {
        self.meta.load(Relaxed) >> 8
    }

    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.deadline() <= now
    }

    pub(super) fn set_deadline(&mut self, deadline: u64) {
        let rest = self.meta.load(Relaxed) & 0xff;
        self.meta.store(deadline.min(NEVER) << 8 | rest, Relaxed);
    }

    /// Counts a use. Two readers at once may count one: a hint for the policy, not a statistic.
    pub(super) fn mark_used(&self) {
        let meta = self.meta.load(Relaxed);
        if meta & USES < MOST_USES {
            self.meta.store(meta + 1, Relaxed);
        }
    }

    pub(super) fn uses(&self) -> u64 {
        self.meta.load(Relaxed) & USES
    }

    pub(super) fn set_uses(&mut self, uses: u64) {
        let meta = self.meta.load(Relaxed) & !USES;
        self.meta.store(meta | uses.min(MOST_USES), Relaxed);
    }

    pub(super) fn is_main(&self) -> bool {
        self.meta.load(Relaxed) & MAIN != 0
    }

    pub(super) fn set_main(&mut self, main: bool) {
        let meta = self.meta.load(Relaxed) & !MAIN;
        self.meta.store(if main { meta | MAIN } else { meta }, Relaxed);
    }
}

/// The address of a node. Owned by the shard that made it; copies are used only under that shard's lock.
pub(super) struct Pointer<V>(NonNull<Node<V>>);

impl<V> Clone for Pointer<V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for Pointer<V> {}
impl<V> PartialEq for Pointer<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<V> Pointer<V> {
    fn layout(key_length: usize) -> Layout {
        let size = size_of::<Node<V>>().checked_add(key_length).expect("a key fits into memory");
        Layout::from_size_align(size, align_of::<Node<V>>()).expect("a key fits into memory")
    }

    /// Makes a node that is in no queue.
    pub(super) fn new(key: &[u8], hash: u32, deadline: u64, value: V) -> Self {
        let key_length = u32::try_from(key.len()).expect("keys are shorter than 4 GiB");
        let layout = Self::layout(key.len());
        // SAFETY: the layout has a size above zero, since a node has.
        let block = unsafe { alloc(layout) };
        let Some(node) = NonNull::new(block.cast::<Node<V>>()) else { handle_alloc_error(layout) };
        let meta = AtomicU64::new(deadline.min(NEVER) << 8);
        // SAFETY: the block is large enough for a node and the key behind it, aligned for the node,
        // and ours alone; the key cannot overlap a block that was just allocated.
        unsafe {
            node.write(Node { meta, previous: None, next: None, hash, key_length, value });
            let behind = block.add(size_of::<Node<V>>());
            std::ptr::copy_nonoverlapping(key.as_ptr(), behind, key.len());
        }
        Pointer(node)
    }

    /// # Safety
    /// The node is live, and nobody has a `&mut` to it for the length of `'a`.
    pub(super) unsafe fn get<'a>(self) -> &'a Node<V> {
        // SAFETY: what the caller promises.
        unsafe { self.0.as_ref() }
    }

    /// The key's bytes, reached from the block's own pointer: a reference to the node does not cover them.
    ///
    /// # Safety
    /// The node is live for the length of `'a`.
    pub(super) unsafe fn key<'a>(self) -> &'a [u8] {
        // SAFETY: live, as the caller promises. `Pointer::new` is the only maker of nodes; it puts
        // `key_length` initialised bytes right behind the node, in the same allocation, and nothing
        // changes them.
        unsafe {
            let length = (*self.0.as_ptr()).key_length as usize;
            let start = self.0.as_ptr().cast::<u8>().add(size_of::<Node<V>>());
            std::slice::from_raw_parts(start, length)
        }
    }

    /// # Safety
    /// The node is live, and nobody has another reference to it for the length of `'a`.
    pub(super) unsafe fn get_mut<'a>(mut self) -> &'a mut Node<V> {
        // SAFETY: what the caller promises.
        unsafe { self.0.as_mut() }
    }

    /// Frees the block and hands the value out.
    ///
    /// # Safety
    /// The node is live, nobody has a reference to it, and no copy of this pointer is used afterwards.
    pub(super) unsafe fn free(self) -> V {
        // SAFETY: live and unreferenced, as the caller promises; the value is moved out once, and the
        // other fields need no drop. The layout is the one the block was made with.
        unsafe {
            let node = ManuallyDrop::new(self.0.read());
            let value = std::ptr::read(&raw const node.value);
            let layout = Self::layout(node.key_length as usize);
            dealloc(self.0.as_ptr().cast(), layout);
            value
        }
    }
}

/// Nodes taken out of a shard, freed when this is dropped: after the lock, because dropping a value may
/// run foreign code (a Python object's finaliser).
pub(super) struct Removed<V> {
    chain: Option<Pointer<V>>,
    pub(super) value: Option<V>,
}

impl<V> Removed<V> {
    pub(super) fn none() -> Self {
        Removed { chain: None, value: None }
    }

    /// # Safety
    /// The node is live, in no queue and in no index any more, and only this chain keeps its pointer.
    pub(super) unsafe fn push(&mut self, pointer: Pointer<V>) {
        // SAFETY: live and known to nobody else, as the caller promises.
        unsafe { pointer.get_mut() }.next = self.chain;
        self.chain = Some(pointer);
    }

    /// Takes over all nodes of a queue, in O(1).
    ///
    /// # Safety
    /// The nodes are live, and no index keeps their pointers any more.
    pub(super) unsafe fn adopt(&mut self, queue: Queue<V>) {
        let (Some(front), Some(back)) = (queue.front, queue.back) else { return };
        // SAFETY: live and known to nobody else, as the caller promises; a queue's `next` links lead
        // from its front to its back, where the chain so far is hung on.
        unsafe { back.get_mut() }.next = self.chain;
        self.chain = Some(front);
    }

    /// Frees up to `most` nodes; whether some are left.
    pub(super) fn free_some(&mut self, most: usize) -> bool {
        for _ in 0..most {
            let Some(pointer) = self.chain else { return false };
            // SAFETY: nodes of the chain are live and known only to it (`push`).
            self.chain = unsafe { pointer.get() }.next;
            // SAFETY: as above; the chain has just forgotten it.
            drop(unsafe { pointer.free() });
        }
        self.chain.is_some()
    }

    /// The rest of the chain, to be freed later.
    pub(super) fn take(&mut self) -> Removed<V> {
        Removed { chain: self.chain.take(), value: self.value.take() }
    }
}

impl<V> Drop for Removed<V> {
    fn drop(&mut self) {
        while self.free_some(1024) {}
    }
}

// SAFETY: a chain owns its nodes and lends nothing, so it may go to another thread when the values may.
unsafe impl<V: Send> Send for Removed<V> {}

/// A doubly linked queue of nodes with what they cost together. New ones come in front.
pub(super) struct Queue<V> {
    front: Option<Pointer<V>>,
    back: Option<Pointer<V>>,
    pub(super) cost: usize,
}

impl<V> Default for Queue<V> {
    fn default() -> Self {
        Queue { front: None, back: None, cost: 0 }
    }
}

impl<V> Queue<V> {
    pub(super) fn back(&self) -> Option<Pointer<V>> {
        self.back
    }

    pub(super) fn is_front(&self, pointer: Pointer<V>) -> bool {
        self.front == Some(pointer)
    }

    /// # Safety
    /// The node is live and in no queue, and nobody has a reference to it or to a node of this queue.
    pub(super) unsafe fn push_front(&mut self, pointer: Pointer<V>, cost: usize) {
        let old = self.front.replace(pointer);
        // SAFETY: what the caller promises; the old front is live because queues hold only live nodes.
        unsafe {
            let node = pointer.get_mut();
            (node.previous, node.next) = (None, old);
            match old {
                Some(old) => old.get_mut().previous = Some(pointer),
                None => self.back = Some(pointer),
            }
        }
        self.cost += cost;
    }

    /// # Safety
    /// The node is in this queue, and nobody has a reference to it or to a node of this queue.
    pub(super) unsafe fn unlink(&mut self, pointer: Pointer<V>, cost: usize) {
        // SAFETY: what the caller promises; neighbours are live because queues hold only live nodes.
        unsafe {
            let node = pointer.get_mut();
            let (previous, next) = (node.previous.take(), node.next.take());
            match previous {
                Some(previous) => previous.get_mut().next = next,
                None => self.front = next,
            }
            match next {
                Some(next) => next.get_mut().previous = previous,
                None => self.back = previous,
            }
        }
        self.cost -= cost;
    }
}
