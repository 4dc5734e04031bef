//! Clear in O(shards): at once for readers, in small portions for memory.
use super::*;
use crate::backend::memory::{Change, Store, Weigh};
use crate::clock::Clock;
use crate::timeout::Life;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts how often values like it were dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Weigh for Counted {
    fn weight(&self) -> usize {
        8
    }
}

fn filled(config: MemoryConfig, count: usize) -> (Store<Counted>, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    let store = Store::new(config, Clock::system());
    (0..count).for_each(|n| put(&store, n, &dropped));
    (store, dropped)
}

fn put(store: &Store<Counted>, n: usize, dropped: &Arc<AtomicUsize>) {
    let value = Counted(dropped.clone());
    store.update(format!("key{n}").as_bytes(), None, |_| (Change::Store(value, Life::Never), ()));
}

const MANY: usize = 50_000;

fn variants() -> [MemoryConfig; 3] {
    let roomy = MemoryConfig::bytes(1 << 30);
    [roomy.clone().with_shards(1), roomy.with_shards(16), MemoryConfig::lru(1 << 40, 3)]
}

#[test]
fn clear_returns_before_everything_is_freed() {
    for config in variants() {
        let (store, dropped) = filled(config, MANY);
        store.clear();
        assert_eq!((store.stats().entries, store.keys().len()), (0, 0));
        assert!(dropped.load(Relaxed) <= 5_000, "clear freed {} entries itself", dropped.load(Relaxed));
    }
}

#[test]
fn later_writes_free_the_rest_a_little_each() {
    for config in variants() {
        let (store, dropped) = filled(config, MANY);
        store.clear();
        let mut before = dropped.load(Relaxed);
        for n in 0..2_000 {
            put(&store, n, &dropped);
            let now = dropped.load(Relaxed);
            assert!(now - before <= 100, "one write freed {}", now - before);
            before = now;
        }
        assert_eq!(dropped.load(Relaxed), MANY, "2,000 writes have freed everything that was cleared");
        assert_eq!(store.stats().entries, 2_000);
    }
}

#[test]
fn every_value_is_dropped_exactly_once() {
    for config in variants() {
        let (store, dropped) = filled(config, MANY);
        store.clear();
        (0..100).for_each(|n| put(&store, n, &dropped));
        store.clear();
        (0..100).for_each(|n| put(&store, n, &dropped));
        (0..50).for_each(|n| put(&store, n, &dropped));
        drop(store);
        assert_eq!(dropped.load(Relaxed), MANY + 250);
    }
}

#[test]
fn a_store_that_is_dropped_frees_what_it_holds() {
    for config in variants() {
        let (store, dropped) = filled(config, 1_000);
        drop(store);
        assert_eq!(dropped.load(Relaxed), 1_000);
    }
}

#[test]
fn evicted_and_culled_values_are_dropped_exactly_once() {
    for config in [MemoryConfig::entries(100), MemoryConfig::bytes(10_000), MemoryConfig::lru(100, 3)] {
        let (store, dropped) = filled(config, 5_000);
        let left = store.stats().entries as usize;
        assert!(left <= 200);
        assert_eq!(dropped.load(Relaxed), 5_000 - left);
        drop(store);
        assert_eq!(dropped.load(Relaxed), 5_000);
    }
}
