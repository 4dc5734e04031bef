//! The road of a miss: who loads, who waits, who takes over, and that nobody waits for ever.
use crate::backend::memory::MemoryBackend;
use crate::blocking::Cache;
use crate::error::BoxError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
mod after_fork;
mod mixed;
#[cfg(shuttle)]
mod shuttle;
mod tasks;
mod threads;

/// Longer than any test should take; a wait that lasts longer is a bug.
const LONG: Duration = Duration::from_secs(20);

fn cache_that_waits(limit: Duration) -> Cache {
    crate::Cache::builder().backend(Arc::new(MemoryBackend::default())).wait(limit).build().blocking()
}

fn waiting(cache: &Cache, key: &str) -> usize {
    cache.0.flights.waiting(&format!(":1:{key}"))
}

/// Gives way until so many wait for the leader of `key`: how a test knows that they are where they should be.
fn until_waiting(cache: &Cache, key: &str, count: usize) {
    let began = Instant::now();
    while waiting(cache, key) != count {
        assert!(began.elapsed() < LONG, "{} of {count} wait", waiting(cache, key));
        std::thread::yield_now();
    }
}

/// Counts the runs of a loader.
#[derive(Default)]
struct Loads(AtomicUsize);

impl Loads {
    /// Counts one more; its number, from 1.
    fn next(&self) -> usize {
        self.0.fetch_add(1, SeqCst) + 1
    }

    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

fn failure(text: &str) -> BoxError {
    text.into()
}
