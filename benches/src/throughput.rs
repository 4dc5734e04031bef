//! Operations a second of CPU: reads alone, and three reads to one write, from one to four threads.
//!
//! Keys are spread over 100,000 entries that all fit, so a lookup waits for memory as in a real process.
//! Each contestant holds the same values, made beforehand: a set stores a clone of the value that is
//! there, so the allocator is not measured. CPU is that of the threads; times the number of threads, it
//! is what they would do with a core each.
use crate::contestants::{
    Contestant, Foyer, HotclubBackend, HotclubStore, Moka, MokaWithExpiry, QuickCache, Timed,
};
use crate::random::Random;
use crate::row::{Row, Target, median};
use bytes::Bytes;
use foyer_memory::S3FifoConfig;
use hotclub::backend::memory::MemoryConfig;
use hotclub::clock::Clock;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

const KEYS: usize = 100_000;
const CAPACITY: usize = 2 * KEYS;
/// For all that let us choose; hotclub's own choice at this capacity.
const SHARDS: usize = 64;
const VALUE: usize = 100;
const LIFE: Option<Duration> = Some(Duration::from_secs(300));
/// Operations between two looks at the stop sign.
const BATCH: usize = 256;
const HOTCLUB: &str = "hotclub Store";
const YARDSTICK: &str = "quick_cache";
const LEAST: f64 = 0.9;

#[derive(Clone, Copy)]
struct Case {
    threads: usize,
    percent_read: usize,
}

const CASES: [Case; 6] = [(1, 100), (2, 100), (4, 100), (1, 75), (2, 75), (4, 75)]
    .map_cases();

/// One contestant, filled and verified, whatever it holds.
struct Entered {
    name: &'static str,
    slice: Box<dyn Fn(Case, Duration) -> f64>,
}

pub(crate) fn rows(quick: bool) -> Vec<Row> {
    let (rounds, slice) = if quick { (3, 30) } else { (15, 100) };
    let contestants = contestants();
    let mut rows = Vec::new();
    for case in CASES {
        let speeds = interleaved(&contestants, case, rounds, Duration::from_millis(slice));
        rows.extend(compared(&contestants, case, &speeds));
    }
    rows
}

/// For each contestant, one figure a round; who begins changes from round to round.
fn interleaved(contestants: &[Entered], case: Case, rounds: usize, slice: Duration) -> Vec<Vec<f64>> {
    let mut speeds = vec![Vec::new(); contestants.len()];
    for round in 0..=rounds {
        for turn in 0..contestants.len() {
            let index = (turn + round) % contestants.len();
            let speed = (contestants[index].slice)(case, slice);
            if round > 0 {
                speeds[index].push(speed);
            }
        }
    }
    speeds
}
