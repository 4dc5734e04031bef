//! A deadline for caches that have none: it lies in the value, and a hit past it is a miss.
use super::{Contestant, Value};
use hotclub::clock::Clock;
use std::time::Duration;

/// A value with the instant it ends.
#[derive(Clone)]
pub(crate) struct Until<V> {
    deadline_ms: u64,
    value: V,
}

impl<V: Value> Value for Until<V> {
    fn bytes(&self) -> usize {
        self.value.bytes()
    }
}

/// What a user of such a cache writes around it. It reads hotclub's coarse clock, the cheapest there is.
pub(crate) struct Timed<C> {
    inner: C,
    clock: Clock,
}

impl<C> Timed<C> {
    pub(crate) fn new(inner: C, clock: Clock) -> Self {
        Timed { inner, clock }
    }
}

impl<V: Value, C: Contestant<Until<V>>> Contestant<V> for Timed<C> {
    fn get(&self, key: &str) -> Option<V> {
        let found = self.inner.get(key)?;
        (found.deadline_ms > self.clock.now_ms()).then_some(found.value)
    }

    fn set(&self, key: &str, value: V, life: Option<Duration>) {
        let deadline_ms = life.map_or(u64::MAX, |life| self.clock.now_ms() + life.as_millis() as u64);
        self.inner.set(key, Until { deadline_ms, value }, None);
    }

    fn entries(&self) -> usize {
        self.inner.entries()
    }

    fn settle(&self) {
        self.inner.settle();
    }
}
