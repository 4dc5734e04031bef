//! How often what is asked for is there: popularity, scans, deadlines, recency.
//!
//! A miss stores the object at once, as a cache's user does. Every contestant is taken as it comes, with
//! its own number of shards. Time is moved by hand, one millisecond a request: hotclub keeps its own
//! deadlines, the others keep them in the value.
use crate::contestants::{Contestant, ExactLru, Foyer, HotclubStore, Moka, QuickCache, Timed};
use crate::row::{Row, Target};
use crate::traces::{OBJECTS, recency, with_scans, zipf};
use foyer_memory::{LruConfig, S3FifoConfig};
use hotclub::backend::memory::MemoryConfig;
use hotclub::clock::{Clock, ManualClock};
use std::time::Duration;

const REQUESTS: usize = 2_000_000;
const QUICK_REQUESTS: usize = 200_000;
const EXPONENTS: [f64; 3] = [0.8, 0.9, 1.0];
const PERCENT: [usize; 2] = [1, 10];
const HOTCLUB: &str = "hotclub s3-fifo";
const YARDSTICK: &str = "exact LRU";
/// How far below exact LRU a recency trace may be, in points.
const POINTS_BELOW: f64 = 2.0;

type Boxed = Box<dyn Contestant<u64>>;
type Make = fn(usize, Clock) -> Boxed;

const CONTESTANTS: [(&str, Make); 7] = [
    (HOTCLUB, |capacity, clock| Box::new(HotclubStore::new(MemoryConfig::entries(capacity), clock))),
    (YARDSTICK, |capacity, clock| Box::new(Timed::new(ExactLru::new(capacity), clock))),
    ("quick_cache", |capacity, clock| Box::new(Timed::new(QuickCache::new(capacity, None), clock))),
    ("moka", |capacity, clock| Box::new(Timed::new(Moka::new(capacity), clock))),
    ("foyer s3-fifo", |capacity, clock| {
        Box::new(Timed::new(Foyer::new(capacity, None, S3FifoConfig::default()), clock))
    }),
    ("foyer lru", |capacity, clock| {
        Box::new(Timed::new(Foyer::new(capacity, None, LruConfig::default()), clock))
    }),
    ("hotclub lru (Django's culling)", |capacity, clock| {
        Box::new(HotclubStore::new(MemoryConfig::lru(capacity as i64, 3), clock))
    }),
];

/// A trace, how long its objects live, and how far below the yardstick hotclub may be.
struct Load {
    name: String,
    trace: Vec<u64>,
    life: fn(u64) -> Option<Duration>,
    points_below: f64,
}

pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let requests = if quick { QUICK_REQUESTS } else { REQUESTS };
    let mut rows = Vec::new();
    for exponent in EXPONENTS {
        let plain = zipf(exponent, requests);
        let scans = with_scans(&plain);
        let load = |kind: &str, trace: &[u64], life| Load {
            name: format!("Zipf {exponent:.1}{kind}"),
            trace: trace.to_vec(),
            life,
            points_below: 0.0,
        };
        rows.extend(ratios(&load("", &plain, for_ever)));
        rows.extend(ratios(&load(" + 20 % scans", &scans, for_ever)));
        rows.extend(ratios(&load(" + mixed timeouts", &plain, mixed)));
    }
    let (name, trace) = ("recency".to_owned(), recency(requests));
    rows.extend(ratios(&Load { name, trace, life: for_ever, points_below: POINTS_BELOW }));
    rows
}

fn for_ever(_: u64) -> Option<Duration> {
    None
}

/// By class of object, as timeouts belong to kinds of things: a quarter each for ever, 400 s, 80 s and 8 s,
/// which is as many thousands of requests.
fn mixed(object: u64) -> Option<Duration> {
    [None, Some(400), Some(80), Some(8)][(object >> 20) as usize & 3].map(Duration::from_secs)
}

fn ratios(load: &Load) -> Vec<Row> {
    PERCENT.into_iter().flat_map(|percent| ratios_at(load, percent)).collect()
}

fn ratios_at(load: &Load, percent: usize) -> Vec<Row> {
    let capacity = OBJECTS * percent / 100;
    let ratios = CONTESTANTS.map(|(_, make)| hit_percent(make, capacity, load));
    let yardstick = CONTESTANTS.iter().position(|(name, _)| *name == YARDSTICK).expect("it takes part");
    let row = |(&(contestant, _), ratio): (&(&'static str, Make), f64)| Row {
        case: format!("{} at {percent} %", load.name),
        contestant,
        median: ratio,
        best: ratio,
        unit: "% hits",
        against: YARDSTICK,
        compared: ratio - ratios[yardstick],
        target: (contestant == HOTCLUB).then_some(Target::AtLeast(-load.points_below)),
    };
    CONTESTANTS.iter().zip(ratios).map(row).collect()
}

/// How often moka is asked to do what it put off, in requests.
const SETTLE_EVERY: usize = 256;

fn hit_percent(make: Make, capacity: usize, load: &Load) -> f64 {
    let time = ManualClock::new();
    let contestant = make(capacity, time.clock());
    let mut hits = 0;
    for (number, &object) in load.trace.iter().enumerate() {
        let name = Name::of(object);
        match contestant.get(name.text()) {
            Some(found) => {
                assert_eq!(found, object, "a contestant gave another object");
                hits += 1;
            }
            None => contestant.set(name.text(), object, (load.life)(object)),
        }
        time.advance(Duration::from_millis(1));
        if number % SETTLE_EVERY == 0 {
            contestant.settle();
        }
    }
    let entries = contestant.entries();
    assert!(entries <= capacity + capacity / 50, "{entries} entries where {capacity} fit");
    hits as f64 / load.trace.len() as f64 * 100.0
}

/// An object's key, without an allocation: sixteen hexadecimal digits.
struct Name([u8; 16]);

impl Name {
    fn of(object: u64) -> Self {
        let digit = |index: usize| b"0123456789abcdef"[(object >> (index * 4)) as usize & 15];
        Name(std::array::from_fn(digit))
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.0).expect("digits")
    }
}
