//! hotclub's store as Rust code uses it, and its bytes backend behind the trait that all rooms share.
use super::{Contestant, Value};
use ::hotclub::Life;
use ::hotclub::backend::memory::{Change, MemoryBackend, MemoryConfig, Store, Usage, Weigh};
use ::hotclub::backend::{Backend, GetOptions, SetOptions};
use ::hotclub::clock::Clock;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

struct Held<V>(V);

impl<V: Value> Weigh for Held<V> {
    fn weight(&self) -> usize {
        self.0.bytes()
    }
}

/// `Store<V>`: a deadline on each entry, statistics counted, as always.
pub(crate) struct HotclubStore<V>(Store<Held<V>>);

impl<V: Value> HotclubStore<V> {
    pub(crate) fn new(config: MemoryConfig, clock: Clock) -> Self {
        HotclubStore(Store::new(config, clock))
    }
}

fn life_of(life: Option<Duration>) -> Life {
    life.map_or(Life::Never, Life::For)
}

impl<V: Value> Contestant<V> for HotclubStore<V> {
    fn get(&self, key: &str) -> Option<V> {
        self.0.get(key.as_bytes(), Usage::Count, |seen| seen.value.0.clone())
    }

    fn set(&self, key: &str, value: V, life: Option<Duration>) {
        self.0.update(key.as_bytes(), None, |_| (Change::Store(Held(value), life_of(life)), ()));
    }

    fn entries(&self) -> usize {
        self.0.stats().entries as usize
    }
}

/// `MemoryBackend` as the framework calls it: dynamic, with options, errors, flags and a cas token.
pub(crate) struct HotclubBackend {
    backend: Arc<dyn Backend>,
    get: GetOptions,
}

impl HotclubBackend {
    pub(crate) fn new(config: MemoryConfig) -> Self {
        HotclubBackend { backend: Arc::new(MemoryBackend::new(config)), get: GetOptions::default() }
    }
}

impl Contestant<Bytes> for HotclubBackend {
    fn get(&self, key: &str) -> Option<Bytes> {
        self.backend.get(key, &self.get).expect("memory never fails").map(|entry| entry.value)
    }

    fn set(&self, key: &str, value: Bytes, life: Option<Duration>) {
        let options = SetOptions::new(life_of(life));
        self.backend.set(key, value, &options).expect("memory never fails");
    }

    fn entries(&self) -> usize {
        self.backend.stats().map_or(0, |stats| stats.entries as usize)
    }
}
