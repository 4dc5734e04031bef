//! moka: bare, and with its own deadlines an entry.
use super::{Contestant, Hasher, Value};
use ::moka::Expiry;
use ::moka::sync::Cache;
use std::time::{Duration, Instant};

pub(crate) struct Moka<V>(Cache<Box<str>, V, Hasher>);

impl<V: Value> Moka<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Moka(Cache::builder().max_capacity(capacity as u64).build_with_hasher(Hasher::default()))
    }
}

impl<V: Value> Contestant<V> for Moka<V> {
    fn get(&self, key: &str) -> Option<V> {
        self.0.get(key)
    }

    fn set(&self, key: &str, value: V, _: Option<Duration>) {
        self.0.insert(key.into(), value);
    }

    fn entries(&self) -> usize {
        self.0.entry_count() as usize
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

/// moka takes the timeout from the value, through `Expiry`.
pub(crate) struct MokaWithExpiry<V>(Cache<Box<str>, (Option<Duration>, V), Hasher>);

struct FromValue;

impl<V> Expiry<Box<str>, (Option<Duration>, V)> for FromValue {
    fn expire_after_create(
        &self,
        _: &Box<str>,
        value: &(Option<Duration>, V),
        _: Instant,
    ) -> Option<Duration> {
        value.0
    }

    fn expire_after_update(
        &self,
        _: &Box<str>,
        value: &(Option<Duration>, V),
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        value.0
    }
}

impl<V: Value> MokaWithExpiry<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let builder = Cache::builder().max_capacity(capacity as u64).expire_after(FromValue);
        MokaWithExpiry(builder.build_with_hasher(Hasher::default()))
    }
}

impl<V: Value> Contestant<V> for MokaWithExpiry<V> {
    fn get(&self, key: &str) -> Option<V> {
        self.0.get(key).map(|(_, value)| value)
    }

    fn set(&self, key: &str, value: V, life: Option<Duration>) {
        self.0.insert(key.into(), (life, value));
    }

    fn entries(&self) -> usize {
        self.0.entry_count() as usize
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}
