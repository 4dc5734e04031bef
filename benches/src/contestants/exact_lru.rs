//! One exact least-recently-used order over all entries: the yardstick of hit ratios.
use super::{Contestant, Hasher, Value};
use lru::LruCache;
use std::num::NonZero;
use std::sync::Mutex;
use std::time::Duration;

/// Behind one plain mutex: it is never asked by two threads here.
pub(crate) struct ExactLru<V>(Mutex<LruCache<Box<str>, V, Hasher>>);

impl<V: Value> ExactLru<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = NonZero::new(capacity).expect("a capacity above zero");
        ExactLru(Mutex::new(LruCache::with_hasher(capacity, Hasher::default())))
    }

    fn order(&self) -> std::sync::MutexGuard<'_, LruCache<Box<str>, V, Hasher>> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

impl<V: Value> Contestant<V> for ExactLru<V> {
    fn get(&self, key: &str) -> Option<V> {
        self.order().get(key).cloned()
    }

    fn set(&self, key: &str, value: V, _: Option<Duration>) {
        self.order().put(key.into(), value);
    }

    fn entries(&self) -> usize {
        self.order().len()
    }
}
