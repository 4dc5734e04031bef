//! quick_cache: the yardstick of speed and memory.
use super::{Contestant, Hasher, Value};
use ::quick_cache::sync::{Cache, DefaultLifecycle};
use ::quick_cache::{OptionsBuilder, UnitWeighter};
use std::time::Duration;

pub(crate) struct QuickCache<V>(Cache<Box<str>, V, UnitWeighter, Hasher>);

impl<V: Value> QuickCache<V> {
    /// `shards` is `None` for the crate's own choice.
    pub(crate) fn new(capacity: usize, shards: Option<usize>) -> Self {
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(capacity).weight_capacity(capacity as u64);
        if let Some(shards) = shards {
            options.shards(shards);
        }
        let options = options.build().expect("both capacities are given");
        QuickCache(Cache::with_options(options, UnitWeighter, Hasher::default(), DefaultLifecycle::default()))
    }
}

impl<V: Value> Contestant<V> for QuickCache<V> {
    fn get(&self, key: &str) -> Option<V> {
        self.0.get(key)
    }

    fn set(&self, key: &str, value: V, _: Option<Duration>) {
        self.0.insert(key.into(), value);
    }

    fn entries(&self) -> usize {
        self.0.len()
    }
}
