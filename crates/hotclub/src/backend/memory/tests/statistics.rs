//! Counters: every entry that came is there, or left in exactly one of the counted ways.
//!
//! The invariant: entries that were made (writes that found no live entry and stored, also those evicted at
//! once because they are larger than the whole store) = entries + expired + evicted + culled + deleted.
//! A write over a live entry makes none and ends none.
use super::*;
use crate::backend::{Backend, Condition, GetOptions, Scope, SetOptions};
use crate::testing::{ManualClock, Random};
use crate::timeout::Life;
use bytes::Bytes;
use std::time::Duration;

/// Random verbs; how many entries were made.
fn random_verbs(backend: &MemoryBackend, hand: &ManualClock, random: &mut Random) -> u64 {
    let mut made = 0;
    for _ in 0..5_000 {
        let key = format!("key{}", random.below(100));
        let life = [Life::Never, Life::For(Duration::from_millis(50))][random.below(2)];
        match random.below(20) {
            0..10 => {
                let value = Bytes::from(vec![b'x'; random.below(200)]);
                let add = SetOptions::new(life).when(Condition::IfAbsent);
                made += u64::from(backend.set(&key, value, &add).unwrap());
            }
            10..14 => drop(backend.get(&key, &GetOptions::default()).unwrap()),
            14 => drop(backend.delete(&key).unwrap()),
            15 => drop(backend.touch(&key, life).unwrap()),
            16 => drop(backend.touch(&key, Life::Gone).unwrap()),
            17 => drop(
                backend.set(&key, Bytes::new(), &SetOptions::new(life).when(Condition::IfPresent)).unwrap(),
            ),
            18 => hand.advance(Duration::from_millis(random.below(20) as u64)),
            _ if random.below(20) == 0 => backend.clear(Scope::All).unwrap(),
            _ => backend.clear(Scope::Prefix(&key)).unwrap(),
        }
    }
    made
}

#[test]
fn every_entry_is_accounted_for() {
    for config in [
        MemoryConfig::bytes(1 << 20),
        MemoryConfig::bytes(4_000).with_shards(4),
        MemoryConfig::entries(20),
        MemoryConfig::lru(1_000, 3),
        MemoryConfig::lru(1_000, 3).with_max_bytes(Some(4_000)),
    ] {
        let hand = ManualClock::new();
        let backend = MemoryBackend::with_clock(config.clone(), hand.clock());
        let made = random_verbs(&backend, &hand, &mut Random::new(9));
        let stats = backend.stats().unwrap();
        let left = stats.expired + stats.evicted + stats.culled + stats.deleted;
        assert_eq!(made, stats.entries + left, "{config:?}: {stats}");
        assert!(stats.expired > 0 && stats.deleted > 0 && stats.entries > 0, "{stats}");
    }
}

#[test]
fn culled_entries_are_accounted_for() {
    let hand = ManualClock::new();
    let backend = MemoryBackend::with_clock(MemoryConfig::lru(20, 3), hand.clock());
    for n in 0..1_000 {
        let life = if n % 4 == 0 { Life::For(Duration::from_millis(5)) } else { Life::Never };
        backend.set(&format!("key{n}"), Bytes::new(), &SetOptions::new(life)).unwrap();
        hand.advance(Duration::from_millis(1));
    }
    let stats = backend.stats().unwrap();
    assert_eq!(stats.sets, 1_000);
    assert_eq!(stats.entries + stats.expired + stats.culled, 1_000);
    assert_eq!((stats.evicted, stats.deleted), (0, 0));
    assert!(stats.expired > 0 && stats.culled > 0, "{stats}");
}

#[test]
fn a_clear_is_counted_as_deleting() {
    let backend = MemoryBackend::new(MemoryConfig::default());
    for n in 0..1_000 {
        backend.set(&format!("{}:{n}", n % 4), Bytes::new(), &SetOptions::new(Life::Never)).unwrap();
    }
    backend.clear(Scope::Prefix("3:")).unwrap();
    assert_eq!(backend.stats().unwrap().deleted, 250);
    backend.clear(Scope::All).unwrap();
    let stats = backend.stats().unwrap();
    assert_eq!((stats.entries, stats.deleted), (0, 1_000));
}

#[test]
fn the_ratio_is_that_of_hits_to_lookups() {
    let backend = MemoryBackend::default();
    assert_eq!(backend.stats().unwrap().hit_ratio(), 0.0);
    backend.set("key", Bytes::new(), &SetOptions::new(Life::Never)).unwrap();
    for key in ["key", "key", "key", "missing"] {
        backend.get(key, &GetOptions::default()).unwrap();
        backend.get(key, &GetOptions::peek()).unwrap();
    }
    assert_eq!(backend.stats().unwrap().hit_ratio(), 0.75);
}

#[test]
fn bytes_grow_and_shrink_with_the_entries() {
    let backend = MemoryBackend::default();
    let bytes = || backend.stats().unwrap().bytes;
    let set =
        |size: usize| backend.set("key", Bytes::from(vec![0; size]), &SetOptions::new(Life::Never)).unwrap();
    assert_eq!(bytes(), 0);
    set(100);
    let small = bytes();
    set(1_100);
    assert_eq!(bytes(), small + 1_000);
    set(100);
    assert_eq!(bytes(), small);
    backend.delete("key").unwrap();
    assert_eq!(bytes(), 0);
}
