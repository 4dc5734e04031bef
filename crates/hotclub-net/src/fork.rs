//! Which process this is: a number that rises in the child of a fork, and state that must not cross one.
//!
//! A child inherits sockets that its parent still reads from, and locks that threads hold which it does not
//! have. So what holds sockets or locks lives in a `PerProcess`: the child finds an older generation, leaves
//! it alone for ever (no close handshake, no unlock, no drop) and makes its own at the first use.
use std::fmt;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_the_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// Counts forks from now on. Backends with sockets call it when they are opened.
pub fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        // SAFETY: the handler is a function of this program that does one atomic add, which may be done
        // in the child of a fork; it is never unloaded before the process ends.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_the_child));
        }
    });
}

/// How many forks lie between the first [`watch`] and this process. A load: getpid would be a system call.
#[inline]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// State of one process: made at the first use, and made anew in the child of a fork.
pub struct PerProcess<T> {
    current: AtomicPtr<Made<T>>,
}

struct Made<T> {
    generation: u32,
    state: T,
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> PerProcess<T> {
    /// Nothing is made yet.
    #[must_use]
    pub const fn new() -> Self {
        PerProcess { current: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The state of this process.
    #[inline]
    pub fn get_or(&self, make: impl FnOnce() -> T) -> &T {
        self.get_or_from(|_| make())
    }

    /// The same where a child goes on from what its parent had. A lock in there may be held by a thread that does not
    /// exist in the child: it may be tried, and never waited for.
    #[inline]
    pub fn get_or_from(&self, make: impl FnOnce(Option<&T>) -> T) -> &T {
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: what `current` points to was leaked by `make` below and is freed by `drop` only, which
        // has this object to itself; so it lives as long as `self` is borrowed.
        match unsafe { current.as_ref() } {
            Some(made) if made.generation == generation() => &made.state,
            made => {
                let make = || make(made.map(|made| &made.state));
                self.make(current, make)
            }
        }
    }

    /// Two threads may both make one; the first to put it in wins, the other one is dropped unused.
    #[cold]
    fn make(&self, old: *mut Made<T>, make: impl FnOnce() -> T) -> &T {
        let made = Box::into_raw(Box::new(Made { generation: generation(), state: make() }));
        let won = match self.current.compare_exchange(old, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(other) => {
                // SAFETY: made above, and never shared.
                drop(unsafe { Box::from_raw(made) });
                other
            }
        };
        // SAFETY: as in `get_or`; whoever won the exchange made it in this process.
        unsafe { &(*won).state }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let current = *self.current.get_mut();
        // SAFETY: nobody else has this object any more. State of another process is left as it is.
        unsafe {
            if current.as_ref().is_some_and(|made| made.generation == generation()) {
                drop(Box::from_raw(current));
            }
        }
    }
}

impl<T> fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerProcess")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_made_once() {
        let state = PerProcess::new();
        assert_eq!(*state.get_or(|| 1), 1);
        assert_eq!(*state.get_or(|| 2), 1);
    }

    #[test]
    fn the_child_of_a_fork_makes_its_own() {
        watch();
        let state = PerProcess::new();
        assert_eq!(*state.get_or(|| 1), 1);
        // SAFETY: the child touches atomics and memory of its own, and leaves by `_exit`.
        unsafe {
            match libc::fork() {
                0 => libc::_exit(*state.get_or(|| 42)),
                child => {
                    let mut status = 0;
                    libc::waitpid(child, &mut status, 0);
                    assert!(libc::WIFEXITED(status));
                    assert_eq!(libc::WEXITSTATUS(status), 42);
                }
            }
        }
        assert_eq!(*state.get_or(|| 3), 1);
    }
}
