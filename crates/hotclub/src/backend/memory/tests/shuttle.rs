//! Shards under a model checker: random schedules of a few threads, each lock a point where they may change.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p hotclub --lib shuttle`
use super::*;
use crate::backend::memory::{Change, Store, Usage, Weigh};
use crate::clock::Clock;
use crate::testing::shuttle::check;
use crate::timeout::Life;
use ::shuttle::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// A value that knows its key, and notices a second drop.
struct Value {
    key: &'static str,
    number: usize,
    dropped: bool,
    alive: Arc<AtomicUsize>,
}

impl Value {
    fn new(key: &'static str, number: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, SeqCst);
        Value { key, number, dropped: false, alive: alive.clone() }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        assert!(!std::mem::replace(&mut self.dropped, true), "a value was dropped twice");
        self.alive.fetch_sub(1, SeqCst);
    }
}

impl Weigh for Value {
    fn weight(&self) -> usize {
        self.number * 100
    }
}

fn put(store: &Store<Value>, key: &'static str, number: usize, alive: &Arc<AtomicUsize>) {
    let value = Value::new(key, number, alive);
    store.update(key.as_bytes(), None, |_| (Change::Store(value, Life::Never), ()));
}

/// Reads; a value must be one that some thread wrote under this key.
fn look(store: &Store<Value>, key: &str) {
    let seen = store
        .get(key.as_bytes(), Usage::Count, |seen| (seen.value.key, seen.value.number, seen.value.dropped));
    if let Some((of, number, dropped)) = seen {
        assert!(of == key && (1..=3).contains(&number) && !dropped, "{key} holds {number} of {of}");
    }
}

/// What one thread does: writes, reads, removes, and one of them clears.
fn work(store: &Store<Value>, thread: usize, alive: &Arc<AtomicUsize>) {
    for round in 0..2 {
        let key = KEYS[(thread + round) % KEYS.len()];
        put(store, key, thread, alive);
        look(store, KEYS[round]);
        match (thread, round) {
            (1, 0) => store.clear(),
            (2, 0) => store.retain(|key, _| key != b"a"),
            (_, 1) => drop(store.remove(KEYS[2].as_bytes())),
            _ => {}
        }
    }
}

fn threads_agree(config: MemoryConfig) {
    check(move || {
        let alive = Arc::new(AtomicUsize::new(0));
        let store = Arc::new(Store::new(config.clone(), Clock::system()));
        let start = |thread| {
            let (store, alive) = (store.clone(), alive.clone());
            thread::spawn(move || work(&store, thread, &alive))
        };
        let running: Vec<_> = (1..=3).map(start).collect();
        running.into_iter().for_each(|thread| thread.join().unwrap());
        let (entries, costs) = (store.keys().len(), store.stats());
        assert_eq!(alive.load(SeqCst), entries, "what is not in the store is gone");
        assert_eq!(costs.entries, entries as u64);
        let (counted, bytes) = store.totals();
        if config.max_entries().is_some() && config.policy() == Policy::S3Fifo {
            assert!(
                counted == entries && entries <= 2,
                "{counted} entries were counted, {entries} are there"
            );
        }
        if config.max_bytes().is_some() {
            assert_eq!(bytes, store.cost(), "the total is what the entries cost");
        }
        drop(store);
        assert_eq!(alive.load(SeqCst), 0);
    });
}

#[test]
fn one_roomy_shard() {
    threads_agree(MemoryConfig::bytes(1 << 20).with_shards(1));
}

#[test]
fn shards_that_make_room_for_each_other() {
    threads_agree(MemoryConfig::entries(2).with_shards(2));
    threads_agree(MemoryConfig::bytes(700).with_shards(2));
}

#[test]
fn lru_that_culls() {
    threads_agree(MemoryConfig::lru(2, 2));
    threads_agree(MemoryConfig::bytes(700).with_policy(Policy::Lru));
}

#[test]
fn threads_count_without_losing_any() {
    struct Number(usize);
    impl Weigh for Number {
        fn weight(&self) -> usize {
            0
        }
    }
    check(|| {
        let store = Arc::new(Store::new(MemoryConfig::bytes(1 << 20).with_shards(1), Clock::system()));
        let add = |store: &Store<Number>| {
            store.update(b"key", None, |seen| match seen {
                Some(seen) => (Change::Exchange(Number(seen.value.0 + 1)), ()),
                None => (Change::Store(Number(1), Life::Never), ()),
            });
        };
        let start = |_| {
            let store = store.clone();
            thread::spawn(move || (0..3).for_each(|_| add(&store)))
        };
        let running: Vec<_> = (0..3).map(start).collect();
        running.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(store.get(b"key", Usage::Peek, |seen| seen.value.0), Some(9));
    });
}
