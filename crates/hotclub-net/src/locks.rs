//! Locks that a fork may copy while threads wait for them, with parking_lot's surface over those of std.
//!
//! parking_lot keeps whoever waits in one table of the process, in memory of the waiting threads. The child of a fork
//! inherits the table without the threads, and the next one that waits there walks through memory that is used for
//! something else by then. Those of std are a number beside the value: a lock that is new in the child is free.
use std::ops::{Deref, DerefMut};
use std::sync::{self, PoisonError, TryLockError};
use std::time::Duration;

pub use sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// A lock. A panic while it is held leaves it usable.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A free one.
    pub const fn new(value: T) -> Self {
        Mutex(sync::Mutex::new(value))
    }

    /// Waits until it is free.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without waiting; nothing if somebody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// A lock that many readers may hold. A panic while it is held leaves it usable.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    /// A free one.
    pub const fn new(value: T) -> Self {
        RwLock(sync::RwLock::new(value))
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody holds it.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where threads wait for a change of what a [`Mutex`] holds.
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

impl Condvar {
    /// One where nobody waits.
    pub const fn new() -> Self {
        Condvar(sync::Condvar::new())
    }

    /// Wakes one who waits.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all who wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Waits while `is_early`, but not longer than `limit`; true: the limit has passed, and it still is.
    pub fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
        is_early: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, bool) {
        let waited = self.0.wait_timeout_while(guard, limit, is_early);
        let (guard, end) = waited.unwrap_or_else(PoisonError::into_inner);
        (guard, end.timed_out())
    }
}

/// A lock that is waited for within a limit. A panic while it is held leaves it usable.
#[derive(Debug)]
pub struct TimedMutex<T> {
    /// Nothing while somebody has it.
    value: Mutex<Option<T>>,
    freed: Condvar,
}

/// What a [`TimedMutex`] holds, until this is dropped.
#[derive(Debug)]
pub struct TimedGuard<'a, T> {
    from: &'a TimedMutex<T>,
    value: Option<T>,
}

impl<T> TimedMutex<T> {
    /// A free one.
    pub const fn new(value: T) -> Self {
        TimedMutex { value: Mutex::new(Some(value)), freed: Condvar::new() }
    }

    /// Waits until it is free; nothing if it is not within `limit`.
    pub fn lock_for(&self, limit: Duration) -> Option<TimedGuard<'_, T>> {
        let value = self.value.lock();
        let (mut value, _) = self.freed.wait_while(value, limit, |value| value.is_none());
        value.take().map(|value| TimedGuard { from: self, value: Some(value) })
    }
}

impl<T: Default> Default for TimedMutex<T> {
    fn default() -> Self {
        TimedMutex::new(T::default())
    }
}

impl<T> Deref for TimedGuard<'_, T> {
    type Target = T;

    #[expect(clippy::expect_used, reason = "it is taken out in drop alone")]
    fn deref(&self) -> &T {
        self.value.as_ref().expect("a guard has its value")
    }
}

impl<T> DerefMut for TimedGuard<'_, T> {
    #[expect(clippy::expect_used, reason = "it is taken out in drop alone")]
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("a guard has its value")
    }
}

impl<T> Drop for TimedGuard<'_, T> {
    fn drop(&mut self) {
        *self.from.value.lock() = self.value.take();
        self.from.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn a_panic_leaves_them_usable() {
        let (lock, shared) = (Mutex::new(1), RwLock::new(1));
        let panics = catch_unwind(AssertUnwindSafe(|| {
            let _held = (lock.lock(), shared.write());
            panic!("on purpose");
        }));
        assert!(panics.is_err());
        *lock.lock() += 1;
        *shared.write() += 1;
        assert_eq!((*lock.lock(), *shared.read()), (2, 2));
    }

    #[test]
    fn a_timed_lock_has_one_holder_and_hears_of_its_end() {
        let lock = Arc::new(TimedMutex::new(0));
        let held = lock.lock_for(Duration::ZERO).unwrap();
        assert!(lock.lock_for(Duration::from_millis(5)).is_none());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = lock.clone();
                thread::spawn(move || {
                    for _ in 0..500 {
                        *lock.lock_for(Duration::from_secs(10)).unwrap() += 1;
                    }
                })
            })
            .collect();
        drop(held);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.lock_for(Duration::ZERO).unwrap(), 2000);
        let panics = catch_unwind(AssertUnwindSafe(|| {
            let _held = lock.lock_for(Duration::ZERO);
            panic!("on purpose");
        }));
        assert!(panics.is_err());
        assert!(lock.lock_for(Duration::ZERO).is_some());
        assert!(TimedMutex::<u8>::default().lock_for(Duration::ZERO).is_some());
    }

    #[test]
    fn who_waits_is_woken_or_hears_that_it_is_late() {
        let both = Arc::new((Mutex::new(false), Condvar::new()));
        let (done, late) = both.1.wait_while(both.0.lock(), Duration::from_millis(10), |done| !*done);
        assert!(late);
        drop(done);
        let other = both.clone();
        let thread = thread::spawn(move || {
            *other.0.lock() = true;
            other.1.notify_all();
        });
        let (done, late) = both.1.wait_while(both.0.lock(), Duration::from_secs(10), |done| !*done);
        assert!(*done && !late);
        thread.join().unwrap();
    }
}
