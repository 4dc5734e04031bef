//! Expired entries: exactly when, and that they do not pile up.
use super::*;
use crate::backend::{Backend, SetOptions};
use crate::testing::{Fixture, ManualClock};
use crate::timeout::Life;
use bytes::Bytes;
use std::time::Duration;

/// Writes 100,000 entries that live 100 ms, one a millisecond: 100 are live at any time.
fn most_entries_at_once(config: MemoryConfig) -> u64 {
    let hand = ManualClock::new();
    let backend = MemoryBackend::with_clock(config, hand.clock());
    let options = SetOptions::new(Life::For(Duration::from_millis(100)));
    let mut most = 0;
    for n in 0..100_000 {
        backend.set(&format!("session:{n}"), Bytes::from_static(b"short"), &options).unwrap();
        hand.advance(Duration::from_millis(1));
        if n % 64 == 0 {
            most = most.max(backend.stats().unwrap().entries);
        }
    }
    let stats = backend.stats().unwrap();
    assert_eq!((stats.evicted, stats.culled), (0, 0), "room was never short");
    assert_eq!(stats.expired + stats.entries, 100_000);
    most
}

#[test]
fn expired_entries_do_not_pile_up() {
    for config in [MemoryConfig::bytes(1 << 30).with_shards(1), MemoryConfig::lru(1 << 40, 3)] {
        let most = most_entries_at_once(config.clone());
        assert!(most <= 1_000, "{most} entries for 100 live ones: {config:?}");
    }
}

/// Small tables are swept unevenly: usually about 400 are left, rarely over 1,000.
#[test]
fn expired_entries_do_not_pile_up_in_many_shards() {
    let most = most_entries_at_once(MemoryConfig::bytes(1 << 30).with_shards(64));
    assert!(most <= 4_000, "{most} entries for 100 live ones");
}

#[test]
fn a_life_is_rounded_up_to_the_clocks_step() {
    let fixture = Fixture::by_hand(|clock| MemoryBackend::with_clock(MemoryConfig::default(), clock));
    fixture.set_for("key", "value", Duration::from_nanos(1));
    assert!(fixture.has("key"), "an entry never ends before its time");
    fixture.set_for("other", "value", Duration::from_micros(1_001));
    fixture.pass(Duration::from_millis(1));
    assert!(!fixture.has("key") && fixture.has("other"));
    fixture.pass(Duration::from_millis(1));
    assert!(!fixture.has("other"));
}

#[test]
fn a_life_beyond_all_clocks_is_for_ever() {
    let fixture = Fixture::by_hand(|clock| MemoryBackend::with_clock(MemoryConfig::default(), clock));
    for life in [Duration::MAX, Duration::from_millis(1 << 60)] {
        fixture.set_for("key", "value", life);
        fixture.pass(Duration::from_secs(1 << 30));
        assert!(fixture.has("key"));
    }
}
