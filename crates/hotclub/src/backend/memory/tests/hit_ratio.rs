//! Who is evicted: the policies against a skewed load and against a scan.
use super::*;
use crate::backend::memory::{Change, Store, Usage, Weigh};
use crate::clock::Clock;
use crate::testing::{Fixture, Random};
use crate::timeout::Life;

const CAPACITY: usize = 1_000;

fn fixture(policy: Policy) -> Fixture {
    let config = match policy {
        Policy::S3Fifo => MemoryConfig::entries(CAPACITY).with_shards(1),
        // One of the entries is culled at each write that finds the store full: plain LRU.
        Policy::Lru => MemoryConfig::lru(CAPACITY as i64, CAPACITY as i64),
    };
    Fixture::by_hand(|clock| MemoryBackend::with_clock(config, clock))
}

/// A rank among `items`, rank r with a probability in proportion to 1 / r: Zipf's law with exponent 1.
fn zipf(random: &mut Random, items: f64) -> usize {
    (items.powf(random.fraction()) - 1.0) as usize
}

fn look_up(fixture: &Fixture, key: &str) {
    if fixture.get(key).is_none() {
        fixture.set(key, "value");
    }
}

fn hit_ratio(policy: Policy, with_scans: bool) -> f64 {
    let fixture = fixture(policy);
    let mut random = Random::new(42);
    for n in 0..100_000 {
        look_up(&fixture, &format!("item{}", zipf(&mut random, 20_000.0)));
        if with_scans && n % 4 == 0 {
            look_up(&fixture, &format!("scanned{n}"));
        }
    }
    fixture.backend().stats().unwrap().hit_ratio()
}

#[test]
fn s3fifo_is_at_least_as_good_as_lru_on_a_skewed_load() {
    let (s3fifo, lru) = (hit_ratio(Policy::S3Fifo, false), hit_ratio(Policy::Lru, false));
    assert!(s3fifo >= lru, "s3-fifo {s3fifo:.3}, lru {lru:.3}");
    assert!(lru > 0.5 && s3fifo < 0.8, "a load that tells them apart: s3-fifo {s3fifo:.3}, lru {lru:.3}");
}

#[test]
fn s3fifo_is_better_than_lru_where_scans_pass_through() {
    let (s3fifo, lru) = (hit_ratio(Policy::S3Fifo, true), hit_ratio(Policy::Lru, true));
    assert!(s3fifo > lru + 0.02, "s3-fifo {s3fifo:.3}, lru {lru:.3}");
}

#[test]
fn a_scan_does_not_flush_what_is_in_use() {
    let fixture = fixture(Policy::S3Fifo);
    let in_use: Vec<String> = (0..CAPACITY / 2).map(|n| format!("used{n}")).collect();
    for _ in 0..3 {
        in_use.iter().for_each(|key| look_up(&fixture, key));
    }
    (0..CAPACITY * 20).for_each(|n| look_up(&fixture, &format!("scanned{n}")));
    let left = in_use.iter().filter(|key| fixture.has(key)).count();
    assert!(left > in_use.len() * 9 / 10, "{left} of {} are left", in_use.len());
}

#[test]
fn lru_keeps_the_most_recent_ones_exactly() {
    let fixture = fixture(Policy::Lru);
    (0..CAPACITY * 3).for_each(|n| fixture.set(&n.to_string(), "value"));
    let kept = (0..CAPACITY * 3).filter(|n| fixture.has(&n.to_string()));
    assert_eq!(kept.collect::<Vec<_>>(), (CAPACITY * 2..CAPACITY * 3).collect::<Vec<_>>());
}

/// Two megabytes, as far as the store knows.
struct Large;

impl Weigh for Large {
    fn weight(&self) -> usize {
        2 << 20
    }
}

/// With few entries a shard, a writer whose own shard is empty takes from the others: not from those in use.
#[test]
fn use_protects_large_values_too() {
    // One shard: among several, chance (the hash is keyed anew in each process) puts most of the hot keys into one
    // of them at times, which then has no room for them.
    let store = Store::new(MemoryConfig::default().with_shards(1), Clock::system());
    let set = |key: &str| store.update(key.as_bytes(), None, |_| (Change::Store(Large, Life::Never), ()));
    let mut misses = 0;
    for round in 0..2000 {
        for hot in ["a", "b", "c", "d", "e"] {
            if store.get(hot.as_bytes(), Usage::Count, |_| ()).is_none() {
                misses += 1;
                set(hot);
            }
        }
        set(&format!("cold {round}"));
    }
    assert!(misses < 200, "{misses} of 10,000 lookups of five hot keys missed, with room for thirty");
}
