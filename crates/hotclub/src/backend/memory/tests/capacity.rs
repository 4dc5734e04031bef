//! Limits of bytes and entries, kept after every write.
use super::*;
use crate::ErrorKind;
use crate::backend::memory::{Change, Store, Weigh};
use crate::backend::{Backend, SetOptions};
use crate::clock::Clock;
use crate::testing::{Fixture, Random};
use crate::timeout::Life;
use bytes::Bytes;

/// A value that weighs what it says.
struct Heavy(usize);

impl Weigh for Heavy {
    fn weight(&self) -> usize {
        self.0
    }
}

fn put(store: &Store<Heavy>, key: &str, weight: usize) {
    store.update(key.as_bytes(), None, |_| (Change::Store(Heavy(weight), Life::Never), ()));
}

/// What the entries weigh by their own account: nodes, index shares, keys and values.
fn counted(store: &Store<Heavy>) -> usize {
    let entry = |key: Box<[u8]>| {
        let weight = store.get(&key, crate::backend::memory::Usage::Peek, |seen| seen.value.0).unwrap();
        super::super::content::entry_cost::<Heavy>(key.len(), &Heavy(weight))
    };
    store.keys().into_iter().map(entry).sum()
}

#[test]
fn the_byte_limit_holds_after_every_write() {
    const LIMIT: usize = 20_000;
    for config in [
        MemoryConfig::bytes(LIMIT).with_shards(1),
        MemoryConfig::bytes(LIMIT).with_shards(16),
        MemoryConfig::bytes(LIMIT).with_policy(Policy::Lru),
    ] {
        let store = Store::new(config.clone(), Clock::system());
        let mut random = Random::new(3);
        for _ in 0..5_000 {
            let weight = [0, 1, 50, 800, 5_000, 19_000, 25_000][random.below(7)];
            put(&store, &format!("key{}", random.below(200)), weight);
            let used = counted(&store);
            assert!(used <= LIMIT, "{used} bytes under {config:?}");
        }
        assert!(store.stats().evicted > 0 && store.stats().entries > 0);
    }
}

#[test]
fn the_entry_limit_holds_after_every_write() {
    for shards in [1, 16] {
        let store = Store::new(MemoryConfig::entries(50).with_shards(shards), Clock::system());
        for n in 0..2_000 {
            put(&store, &format!("key{n}"), 10);
            assert!(store.stats().entries <= 50);
        }
        assert_eq!(store.stats().entries, 50, "room that there is, is used");
    }
}

#[test]
fn one_large_value_takes_its_room_from_other_shards() {
    let store = Store::new(MemoryConfig::bytes(100_000).with_shards(16), Clock::system());
    (0..500).for_each(|n| put(&store, &format!("small{n}"), 100));
    put(&store, "large", 90_000);
    assert!(store.contains(b"large"), "what was just written stays");
    assert!(counted(&store) <= 100_000);
    assert!(store.stats().entries > 1, "no more than needed was taken");
}

#[test]
fn a_value_larger_than_the_store_leaves_nothing_under_its_key() {
    let store = Store::new(MemoryConfig::bytes(10_000), Clock::system());
    put(&store, "key", 10);
    put(&store, "other", 10);
    put(&store, "key", 10_000);
    assert!(!store.contains(b"key") && store.contains(b"other"));
}

#[test]
fn what_is_just_written_is_not_the_one_that_has_to_go() {
    for config in [
        MemoryConfig::entries(2),
        MemoryConfig::entries(5),
        MemoryConfig::entries(40).with_shards(4),
        MemoryConfig::bytes(2_000),
        MemoryConfig::bytes(20_000).with_shards(4),
    ] {
        let fixture = Fixture::by_hand(|clock| MemoryBackend::with_clock(config.clone(), clock));
        for n in 0..500 {
            let key = format!("key{}", n % 90);
            fixture.set(&key, "value");
            // Three reads prove the entry, so that the main queue fills up with proven ones.
            (0..3).for_each(|_| assert!(fixture.get(&key).is_some(), "{key} is gone at once: {config:?}"));
        }
    }
}

#[test]
fn a_value_that_grows_is_not_the_one_that_has_to_go() {
    let fixture = Fixture::by_hand(|clock| MemoryBackend::with_clock(MemoryConfig::bytes(4_000), clock));
    for n in 0..50 {
        fixture.set(&format!("key{n}"), "value");
        fixture.set("growing", &"x".repeat(n * 60));
        assert!(fixture.has("growing"), "gone at {} bytes", n * 60);
    }
}

#[test]
fn a_set_is_refused_if_its_entry_cannot_be_kept() {
    let backend = MemoryBackend::new(MemoryConfig::bytes(1_000));
    let set = |size: usize| backend.set("key", Bytes::from(vec![0; size]), &SetOptions::new(Life::Never));
    for size in 0..1_100 {
        match set(size) {
            Ok(stored) => {
                assert!(stored && backend.get("key", &Default::default()).unwrap().is_some(), "{size}")
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TooLarge);
                assert!(backend.get("key", &Default::default()).unwrap().is_none(), "{size}");
            }
        }
    }
    assert!(set(100).is_ok() && set(1_000).is_err());
}
