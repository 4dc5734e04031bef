//! foyer's memory cache, with the policy it shares with hotclub and with its LRU.
use super::{Contestant, Hasher, Value};
use foyer_memory::{Cache, CacheBuilder, CacheProperties, EvictionConfig};
use std::time::Duration;

pub(crate) struct Foyer<V: Value>(Cache<Box<str>, V, Hasher, CacheProperties>);

impl<V: Value> Foyer<V> {
    /// `shards` is `None` for the crate's own choice.
    pub(crate) fn new(capacity: usize, shards: Option<usize>, policy: impl Into<EvictionConfig>) -> Self {
        let mut builder = CacheBuilder::new(capacity).with_eviction_config(policy);
        if let Some(shards) = shards {
            builder = builder.with_shards(shards);
        }
        Foyer(builder.with_hash_builder(Hasher::default()).build())
    }
}

impl<V: Value> Contestant<V> for Foyer<V> {
    fn get(&self, key: &str) -> Option<V> {
        self.0.get(key).map(|entry| entry.value().clone())
    }

    fn set(&self, key: &str, value: V, _: Option<Duration>) {
        self.0.insert(key.into(), value);
    }

    fn entries(&self) -> usize {
        self.0.entries()
    }
}
