//! Values that leave are dropped without a lock: their finalisers may come back to the store.
use super::*;
use crate::backend::memory::{Change, Store, Was, Weigh};
use crate::testing::ManualClock;
use crate::timeout::Life;
use std::sync::mpsc;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A value whose end writes to the store that held it, as a Python finaliser may.
struct Restless(Weak<Store<Restless>>, &'static str);

impl Weigh for Restless {
    fn weight(&self) -> usize {
        100
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        if let Some(store) = self.0.upgrade().filter(|_| self.1 != "last") {
            put(&store, "last words", "last", Life::Never);
            store.contains(b"key");
        }
    }
}

fn put(store: &Arc<Store<Restless>>, key: &str, text: &'static str, life: Life) {
    let value = Restless(Arc::downgrade(store), text);
    store.update(key.as_bytes(), None, |_| (Change::Store(value, life), ()));
}

/// Runs `leave` over a store with an entry; fails instead of hanging for ever if a lock is held.
fn lets_go(config: MemoryConfig, leave: fn(&Arc<Store<Restless>>, &ManualClock)) {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let hand = ManualClock::new();
        let store = Arc::new(Store::new(config.with_shards(1), hand.clock()));
        put(&store, "key", "value", Life::For(Duration::from_secs(60)));
        leave(&store, &hand);
        let said = store.contains(b"last words");
        done.send(said).unwrap();
    });
    let said =
        wait.recv_timeout(Duration::from_secs(10)).expect("a value was dropped under the lock of its shard");
    assert!(said, "the value was dropped, and its finaliser ran");
}

fn roomy() -> MemoryConfig {
    MemoryConfig::bytes(1 << 20)
}

#[test]
fn a_replaced_value() {
    lets_go(roomy(), |store, _| put(store, "key", "last", Life::Never));
}

#[test]
fn an_exchanged_value() {
    lets_go(roomy(), |store, _| {
        let value = Restless(Weak::new(), "last");
        store.update(b"key", None, |_| (Change::Exchange(value), ()));
    });
}

#[test]
fn an_exchange_that_finds_nothing() {
    lets_go(roomy(), |store, _| {
        let value = Restless(Arc::downgrade(store), "value");
        store.update(b"missing", None, |_| (Change::Exchange(value), ()));
    });
}

#[test]
fn a_value_that_is_stored_for_no_time() {
    lets_go(roomy(), |store, _| put(store, "missing", "value", Life::Gone));
}

#[test]
fn a_removed_value() {
    lets_go(roomy(), |store, _| assert_eq!(store.remove(b"key"), Was::Live));
    lets_go(roomy(), |store, _| store.update(b"key", None, |_| (Change::Remove, ())));
    lets_go(roomy(), |store, _| store.update(b"key", None, |_| (Change::Touch(Life::Gone), ())));
}

#[test]
fn a_cleared_value() {
    lets_go(roomy(), |store, _| store.clear());
    lets_go(roomy(), |store, _| store.retain(|key, _| key != b"key"));
}

#[test]
fn an_evicted_value() {
    let evict = |store: &Arc<Store<Restless>>, _: &ManualClock| put(store, "other", "last", Life::Never);
    lets_go(MemoryConfig::entries(1), evict);
    lets_go(MemoryConfig::lru(1, 1), evict);
    lets_go(MemoryConfig::bytes(300), evict);
}

#[test]
fn an_expired_value_that_is_swept() {
    lets_go(roomy(), |store, hand| {
        hand.advance(Duration::from_secs(60));
        for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            put(store, key, "last", Life::Never);
        }
    });
}

#[test]
fn a_value_too_large_for_the_store() {
    lets_go(MemoryConfig::bytes(250), |store, _| put(store, &"k".repeat(300), "value", Life::Never));
}
