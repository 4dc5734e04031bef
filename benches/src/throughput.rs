//! Operations a second of CPU: reads alone, and three reads to one write, from one to four threads.
//!
//! Keys are spread over 100,000 entries that all fit, so a lookup waits for memory as in a real process.
//! Each contestant is filled as a program fills it: a value is made, then stored, entry by entry. Later a
//! set stores a clone of the value that is there, so the allocator is not measured. CPU is that of the threads; times the number of threads, it
//! is what they would do with a core each.
use crate::contestants::{
    Contestant, Foyer, HotclubBackend, HotclubStore, Moka, MokaWithExpiry, QuickCache, Timed,
};
use crate::random::Random;
use crate::row::{Row, Target, in_turns, median, ratio};
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

const CASES: [Case; 6] = [case(1, 100), case(2, 100), case(4, 100), case(1, 75), case(2, 75), case(4, 75)];

const fn case(threads: usize, percent_read: usize) -> Case {
    Case { threads, percent_read }
}

impl Case {
    fn name(self) -> String {
        let operation =
            if self.percent_read == 100 { "get".into() } else { format!("{} % get", self.percent_read) };
        let plural = if self.threads == 1 { "" } else { "s" };
        format!("{operation} {} thread{plural}", self.threads)
    }
}

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
        let length = Duration::from_millis(slice);
        let speeds = in_turns(contestants.len(), rounds, |index| (contestants[index].slice)(case, length));
        rows.extend(compared(&contestants, case, &speeds));
    }
    rows
}

fn compared(contestants: &[Entered], case: Case, speeds: &[Vec<f64>]) -> Vec<Row> {
    let yardstick = contestants.iter().position(|entered| entered.name == YARDSTICK).expect("it takes part");
    let row = |(entered, own): (&Entered, &Vec<f64>)| Row {
        case: case.name(),
        contestant: entered.name,
        median: median(own.iter().copied()),
        best: own.iter().copied().fold(0.0, f64::max),
        unit: "Mop/CPU-s x threads",
        against: YARDSTICK,
        compared: ratio(own, &speeds[yardstick]),
        target: (entered.name == HOTCLUB).then_some(Target::AtLeast(LEAST)),
    };
    contestants.iter().zip(speeds).map(row).collect()
}

fn contestants() -> Vec<Entered> {
    let keys: Arc<[Box<str>]> =
        (0..KEYS).map(|index| format!(":1:bench:object:{index:010}").into()).collect();
    let (config, clock) = (MemoryConfig::entries(CAPACITY).with_shards(SHARDS), Clock::system());
    let enter = |name, contestant: Box<dyn Contestant<Arc<[u8]>>>| {
        entered(name, contestant, keys.clone(), |index| bytes_of(index).into())
    };
    vec![
        enter(HOTCLUB, Box::new(HotclubStore::new(config.clone(), clock.clone()))),
        enter(YARDSTICK, Box::new(QuickCache::new(CAPACITY, Some(SHARDS)))),
        enter(
            "quick_cache + deadline in the value",
            Box::new(Timed::new(QuickCache::new(CAPACITY, Some(SHARDS)), clock)),
        ),
        enter("moka", Box::new(Moka::new(CAPACITY))),
        enter("moka + expiry", Box::new(MokaWithExpiry::new(CAPACITY))),
        enter("foyer s3-fifo", Box::new(Foyer::new(CAPACITY, Some(SHARDS), S3FifoConfig::default()))),
        entered("hotclub dyn Backend", Box::new(HotclubBackend::new(config)), keys.clone(), |index| {
            Bytes::from(bytes_of(index))
        }),
    ]
}

fn bytes_of(index: usize) -> Vec<u8> {
    index.to_le_bytes().into_iter().cycle().take(VALUE).collect()
}

/// Fills a contestant and makes sure that it gives back every value.
fn entered<V: PartialEq + Clone + Send + Sync + 'static>(
    name: &'static str,
    contestant: Box<dyn Contestant<V>>,
    keys: Arc<[Box<str>]>,
    value_of: impl Fn(usize) -> V,
) -> Entered {
    let fill = |index: usize| {
        let value = value_of(index);
        contestant.set(&keys[index], value.clone(), LIFE);
        value
    };
    let values: Vec<V> = (0..keys.len()).map(fill).collect();
    contestant.settle();
    for (key, value) in keys.iter().zip(values.iter()) {
        assert!(contestant.get(key).as_ref() == Some(value), "{name} lost or changed {key}");
    }
    let slice = move |case, length| slice(&*contestant, &keys, &values, case, length);
    Entered { name, slice: Box::new(slice) }
}

/// Million operations a CPU-second, times the threads.
fn slice<V: Clone + Send + Sync>(
    contestant: &dyn Contestant<V>,
    keys: &[Box<str>],
    values: &[V],
    case: Case,
    length: Duration,
) -> f64 {
    let (stop, start) = (AtomicBool::new(false), Barrier::new(case.threads + 1));
    let worker = |seed: usize| {
        start.wait();
        let mut random = Random::new(seed as u64);
        let (began, mut operations) = (cpu_seconds(), 0);
        while !stop.load(Relaxed) {
            for _ in 0..BATCH {
                let index = random.below(KEYS);
                if random.below(100) < case.percent_read {
                    black_box(contestant.get(&keys[index]));
                } else {
                    contestant.set(&keys[index], values[index].clone(), LIFE);
                }
            }
            operations += BATCH;
        }
        (operations as f64, cpu_seconds() - began)
    };
    let done: Vec<(f64, f64)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..case.threads).map(|seed| scope.spawn(move || worker(seed))).collect();
        start.wait();
        thread::sleep(length);
        stop.store(true, Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("no contestant panics")).collect()
    });
    let (operations, cpu) = done.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    operations / cpu * case.threads as f64 / 1e6
}

/// CPU time of the calling thread.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec for the length of the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "every Linux has CLOCK_THREAD_CPUTIME_ID");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
