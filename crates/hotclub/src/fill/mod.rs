//! The road of a miss: one loader per key at a time in this process.
//!
//! The first caller of a key leads and runs its loader; those who come meanwhile follow and get what was
//! stored. A leader that fails, panics or is cancelled hands over to a follower. Every wait has a limit.
use crate::timeout::Timeout;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) mod flight;
pub(crate) mod recursion;
#[cfg(test)]
mod tests;
mod timer;
mod wait;

/// How a loaded value is stored.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct FillOptions {
    /// The life of the value; a loader may change it ([`Load::timeout`]).
    pub timeout: Timeout,
}

impl<T: Into<Timeout>> From<T> for FillOptions {
    fn from(timeout: T) -> Self {
        FillOptions { timeout: timeout.into() }
    }
}

/// What a loader may say about the value it makes. Clones are the same.
///
/// ```
/// use hotclub::{blocking::Cache, Ttl};
/// let cache = Cache::memory();
/// let price: u32 = cache.get_or_set("price", |load| {
///     load.timeout(2); // known to change soon
///     17
/// })?;
/// assert!(matches!(cache.ttl("price")?, Ttl::Left(time) if time.as_secs() <= 2));
/// # Ok::<(), hotclub::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Load(Arc<Mutex<Wishes>>);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) timeout: Timeout,
    pub(crate) store: bool,
}

impl Load {
    pub(crate) fn new(options: &FillOptions) -> Self {
        Load(Arc::new(Mutex::new(Wishes { timeout: options.timeout, store: true })))
    }

    /// Gives the value this timeout, whatever the caller asked for.
    pub fn timeout(&self, timeout: impl Into<Timeout>) {
        self.lock().timeout = timeout.into();
    }

    /// Returns the value without storing it.
    pub fn no_store(&self) {
        self.lock().store = false;
    }

    pub(crate) fn wishes(&self) -> Wishes {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Wishes> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// How long a follower waits for the leader before it loads for itself, without storing.
pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(30);
