//! What an entry costs: heap bytes beyond the key's and the value's own, at several sizes.
//!
//! Tables grow by doubling, so at one size alone luck would decide; the mean of three counts. Every
//! contestant has room for half as many entries again. A second case is the store in service: full, and
//! half of what was set evicted, so that what a policy remembers of the evicted is in the figure.
//! Keys and values are allocated by the contestants' own types; the header of an `Arc<[u8]>`, 16 bytes,
//! counts for each of them.
use crate::allocator::bytes_kept_by;
use crate::contestants::{
    Contestant, ExactLru, Foyer, HotclubStore, Moka, MokaWithExpiry, QuickCache, Timed,
};
use crate::row::{Row, Target};
use foyer_memory::S3FifoConfig;
use hotclub::backend::memory::MemoryConfig;
use hotclub::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

const SIZES: [usize; 3] = [300_000, 500_000, 700_000];
const QUICK_SIZES: [usize; 3] = [30_000, 50_000, 70_000];
const VALUE: usize = 100;
const LIFE: Option<Duration> = Some(Duration::from_secs(300));
const HOTCLUB: &str = "hotclub Store";
const YARDSTICK: &str = "quick_cache";

type Boxed = Box<dyn Contestant<Arc<[u8]>>>;
type Make = fn(usize) -> Boxed;

/// Each with a deadline on every entry, but where a row without one is named.
const CONTESTANTS: [(&str, Make); 7] = [
    (HOTCLUB, |capacity| Box::new(HotclubStore::new(MemoryConfig::entries(capacity), Clock::system()))),
    (YARDSTICK, |capacity| Box::new(QuickCache::new(capacity, None))),
    ("quick_cache + deadline in the value", |capacity| {
        Box::new(Timed::new(QuickCache::new(capacity, None), Clock::system()))
    }),
    ("moka", |capacity| Box::new(Moka::new(capacity))),
    ("moka + expiry", |capacity| Box::new(MokaWithExpiry::new(capacity))),
    ("foyer s3-fifo", |capacity| Box::new(Foyer::new(capacity, None, S3FifoConfig::default()))),
    ("exact LRU", |capacity| Box::new(ExactLru::new(capacity))),
];

pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let sizes = if quick { QUICK_SIZES } else { SIZES };
    let mut rows = Vec::new();
    for (case, more_room, rounds) in [("all fit", true, 1), ("full and evicting", false, 2)] {
        let means = CONTESTANTS.map(|(_, make)| {
            let capacity = |size| if more_room { size + size / 2 } else { size };
            sizes.map(|size| bytes_an_entry(make, capacity(size), size * rounds))
        });
        rows.extend(compared(case, &means));
    }
    rows
}

fn compared(case: &str, measured: &[[f64; 3]]) -> Vec<Row> {
    let mean = |sizes: &[f64; 3]| sizes.iter().sum::<f64>() / sizes.len() as f64;
    let yardstick = CONTESTANTS.iter().position(|(name, _)| *name == YARDSTICK).expect("it takes part");
    let row = |((name, _), own): (&(&'static str, Make), &[f64; 3])| Row {
        case: case.to_owned(),
        contestant: name,
        median: mean(own),
        best: own.iter().copied().fold(f64::INFINITY, f64::min),
        unit: "bytes an entry (mean; best)",
        against: YARDSTICK,
        compared: mean(own) / mean(&measured[yardstick]),
        target: (*name == HOTCLUB).then_some(Target::AtMost(1.0)),
    };
    CONTESTANTS.iter().zip(measured).map(row).collect()
}

/// How often moka is asked to do what it put off, in sets: before its queue is full.
const SETTLE_EVERY: usize = 256;

fn bytes_an_entry(make: Make, capacity: usize, sets: usize) -> f64 {
    let key = |index: usize| format!(":1:bench:object:{index:010}");
    let (contestant, bytes) = bytes_kept_by(|| {
        let contestant = make(capacity);
        for index in 0..sets {
            contestant.set(&key(index), vec![7; VALUE].into(), LIFE);
            if index % SETTLE_EVERY == 0 {
                contestant.settle();
            }
        }
        contestant.settle();
        contestant
    });
    let newest = contestant.get(&key(sets - 1));
    assert!(newest.is_none_or(|value| value[..] == [7; VALUE]), "a value was changed");
    let entries = contestant.entries();
    assert!(entries > sets / 4, "only {entries} of {sets} are left");
    bytes as f64 / entries as f64 - (key(0).len() + VALUE) as f64
}
