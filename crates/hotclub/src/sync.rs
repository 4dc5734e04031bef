//! Locks and atomics through one door, so that the model checker can take their place (`--cfg shuttle`).
pub(crate) use imp::*;

#[cfg(not(shuttle))]
mod imp {
    pub(crate) use parking_lot::Mutex;
    #[cfg(feature = "memory")]
    pub(crate) use parking_lot::RwLock;
    #[cfg(feature = "memory")]
    pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize};
}

#[cfg(shuttle)]
mod imp {
    pub(crate) use shuttle::sync::atomic::{AtomicU64, AtomicUsize};
    use shuttle::sync::{self, MutexGuard, RwLockReadGuard, RwLockWriteGuard};

    /// parking_lot's surface over the checker's mutex.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(sync::Mutex::new(value))
        }
        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }

    /// parking_lot's surface over the checker's lock.
    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            RwLock(sync::RwLock::new(value))
        }
        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
        }
        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }
}
