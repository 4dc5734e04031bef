//! Django's LocMemCache, count for count and use for use (its tests and its source, version 6.1).
use super::*;
use crate::backend::{Backend, Condition, GetOptions, Limit, SetOptions};
use crate::testing::{Fixture, ManualClock};
use crate::timeout::Life;
use bytes::Bytes;
use std::time::Duration;

fn lru(max_entries: i64, cull_frequency: i64) -> Fixture {
    Fixture::by_hand(|clock| MemoryBackend::with_clock(MemoryConfig::lru(max_entries, cull_frequency), clock))
}

fn fill(fixture: &Fixture, count: usize) -> usize {
    (1..=count).for_each(|n| fixture.set(&format!("cull{n}"), "value"));
    (1..=count).filter(|n| fixture.has(&format!("cull{n}"))).count()
}

#[test]
fn forty_nine_sets_at_thirty_leave_twenty_nine() {
    assert_eq!(fill(&lru(30, 3), 49), 29);
}

#[test]
fn a_cull_frequency_of_zero_removes_all() {
    assert_eq!(fill(&lru(30, 0), 49), 19);
}

#[test]
fn a_limit_below_zero_keeps_the_new_entry() {
    assert_eq!(fill(&lru(-1, 3), 1), 1);
    assert_eq!(fill(&lru(-1, 0), 9), 1, "with frequency 0 every set finds itself over the limit");
}

#[test]
fn a_negative_cull_frequency_removes_none() {
    assert_eq!(fill(&lru(30, -3), 49), 49);
}

#[test]
fn a_frequency_above_the_number_of_entries_removes_none() {
    assert_eq!(fill(&lru(4, 100), 49), 49);
}

#[test]
fn an_overwrite_at_the_limit_culls_too() {
    let fixture = lru(3, 3);
    assert_eq!(fill(&fixture, 3), 3);
    fixture.set("cull3", "again");
    assert!(!fixture.has("cull1"), "the least recent one had to go");
    assert!(fixture.has("cull2") && fixture.has("cull3"));
}

#[test]
fn an_overwrite_that_culls_its_own_entry_keeps_the_new_value() {
    let fixture = lru(3, 3);
    fill(&fixture, 3);
    fixture.set_for("cull1", "again", Duration::from_secs(60));
    assert_eq!(fixture.get("cull1").as_deref(), Some("again"));
}

#[test]
fn the_callers_limit_wins_over_the_stores() {
    let fixture = lru(1_000, 3);
    let limit = Limit { max_entries: 30, cull_frequency: 0 };
    let options = SetOptions::new(Life::Never).limit(limit);
    (0..49).for_each(|n| assert!(fixture.set_with(&n.to_string(), "value", &options)));
    assert_eq!((0..49).filter(|n| fixture.has(&n.to_string())).count(), 19);
}

/// Fills a store of nine, lets `use_it` touch the oldest key, and culls three: whether the key stayed.
fn stays_after(use_it: impl FnOnce(&Fixture)) -> bool {
    let fixture = lru(9, 3);
    (0..9).for_each(|n| fixture.set(&n.to_string(), "1"));
    use_it(&fixture);
    fixture.set("new", "1");
    assert_eq!(fixture.backend().stats().unwrap().culled, 3);
    fixture.has("0")
}

#[test]
fn reading_and_writing_count_as_use() {
    assert!(!stays_after(|_| {}));
    assert!(stays_after(|fixture| assert!(fixture.get("0").is_some())));
    assert!(stays_after(|fixture| assert_eq!(fixture.backend().incr("0", 1).ok(), Some(2))));
    assert!(stays_after(|fixture| {
        let read = fixture.backend().get_many(&["0"], &GetOptions::default()).unwrap();
        assert!(read[0].is_some());
    }));
}

#[test]
fn looking_and_touching_do_not_count_as_use() {
    assert!(!stays_after(|fixture| assert!(fixture.has("0"))));
    assert!(!stays_after(|fixture| assert!(fixture.touch("0", Life::Never))));
    assert!(!stays_after(|fixture| assert!(!fixture.set_when("0", "2", Condition::IfAbsent))));
}

#[test]
fn expired_entries_are_the_first_to_be_culled() {
    let hand = ManualClock::new();
    let backend = MemoryBackend::with_clock(MemoryConfig::lru(9, 3), hand.clock());
    let set = |n: usize, life| backend.set(&n.to_string(), Bytes::new(), &SetOptions::new(life)).unwrap();
    (0..6).for_each(|n| assert!(set(n, Life::Never)));
    (6..9).for_each(|n| assert!(set(n, Life::For(Duration::from_secs(1)))));
    hand.advance(Duration::from_secs(1));
    assert!(set(9, Life::Never));
    let stats = backend.stats().unwrap();
    assert_eq!((stats.expired, stats.culled, stats.entries), (3, 0, 7));
}

#[test]
fn numbers_are_added_as_memcached_pads_them() {
    let fixture = lru(30, 3);
    fixture.set("key", "9 ");
    assert_eq!(fixture.backend().incr("key", -10).ok(), Some(-1), "counters go below zero here");
    assert_eq!(fixture.get("key").as_deref(), Some("-1"));
}
