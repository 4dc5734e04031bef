//! Counts the heap bytes that are asked for, while it is told to.
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

/// The system's allocator. Off, counting costs the throughput benches one load of a flag.
pub(crate) struct Counting;

static IS_ON: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicIsize = AtomicIsize::new(0);

fn count(more: usize, less: usize) {
    if IS_ON.load(Relaxed) {
        BYTES.fetch_add(more as isize - less as isize, Relaxed);
    }
}

/// Heap bytes that `make` asked for and did not give back; requested sizes, without allocator slack.
pub(crate) fn bytes_kept_by<T>(make: impl FnOnce() -> T) -> (T, isize) {
    BYTES.store(0, Relaxed);
    IS_ON.store(true, Relaxed);
    let made = make();
    IS_ON.store(false, Relaxed);
    (made, BYTES.load(Relaxed))
}

// SAFETY: every call is the system allocator's, with the arguments as they came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
