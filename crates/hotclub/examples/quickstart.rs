//! The founding flow of a cache, step by step, as a table: miss, generate, store, hit, update, delete, fresh.
//!
//! `cargo run -p hotclub --example quickstart`; a step that goes otherwise ends it with an exit code.
use hotclub::blocking::Cache;
use hotclub::trace;
use std::time::{Duration, Instant};

/// What is slow: the primes below a number, by trial division.
fn count_primes(below: u32) -> u32 {
    let is_prime = |n: &u32| {
        (2..).take_while(|divisor| divisor * divisor <= *n).all(|divisor| !n.is_multiple_of(divisor))
    };
    (2..below).filter(is_prime).count() as u32
}

/// A site that answers from the cache where it can. Its data: up to where it counts.
struct Site {
    cache: Cache,
    below: u32,
}

impl Site {
    /// get, `is None`, load, set with a timeout, return.
    fn request(&self) -> hotclub::Result<(u32, Duration)> {
        let began = Instant::now();
        let primes = match self.cache.get("primes")? {
            Some(primes) => primes,
            None => {
                trace::step("check: primes is None", "true: generate");
                let primes = trace::timed("generate", || count_primes(self.below));
                self.cache.set_for("primes", &primes, 300)?;
                primes
            }
        };
        trace::step("return", format!("{primes} primes"));
        Ok((primes, began.elapsed()))
    }

    /// Timeout *and* delete on change: fresh at once.
    fn update(&mut self, below: u32) -> hotclub::Result<bool> {
        trace::step(format!("update: count below {below}"), "saved");
        self.below = below;
        self.cache.delete("primes")
    }
}

fn main() -> hotclub::Result<()> {
    let mut site = Site { cache: Cache::memory(), below: 200_000 };
    let (times, table) = trace::record(|| flow(&mut site));
    let (miss, hit) = times?;
    println!("{table}");
    let stats = site.cache.stats().expect("process memory counts");
    println!(
        "hit ratio {:.0} % of {} lookups; a miss took {}, a hit {}",
        stats.hit_ratio() * 100.0,
        stats.hits + stats.misses,
        trace::human(miss),
        trace::human(hit),
    );
    check_the_table(&table.steps());
    Ok(())
}

/// The steps of the table, each checked; how long the first request took, and the second.
fn flow(site: &mut Site) -> hotclub::Result<(Duration, Duration)> {
    let (first, miss) = site.request()?;
    assert_eq!(first, 17_984, "primes below 200,000");
    let (again, hit) = site.request()?;
    assert_eq!(again, first, "the second request is answered from the cache");
    assert!(hit < miss, "a hit is faster than generating: {hit:?} and {miss:?}");

    assert!(site.update(100_000)?, "there was an entry to delete");
    assert!(!site.cache.delete("primes")?, "deleting twice is safe");
    assert_eq!(site.cache.get::<u32>("primes")?, None, "a deleted entry is gone");
    assert_eq!(site.request()?.0, 9_592, "fresh at once: primes below 100,000");
    assert_eq!(site.request()?.0, 9_592, "and kept again");

    site.cache.set_for("nothing", &1, 0)?;
    let missing = site.cache.get::<String>("nothing")?.unwrap_or_else(|| "Not Found".to_owned());
    trace::step("default of get", &missing);
    assert_eq!(missing, "Not Found", "a timeout of 0 stores nothing and is no error");
    Ok((miss, hit))
}

/// The table tells what happened, in the order of the pages.
fn check_the_table(steps: &[trace::Step]) {
    let first: Vec<&str> = steps.iter().map(|step| step.action.as_str()).take(5).collect();
    assert_eq!(
        first,
        [r#"get("primes")"#, "check: primes is None", "generate", r#"set("primes")"#, "return"]
    );
    assert_eq!((steps[0].get_result.as_str(), steps[5].get_result.as_str()), ("None", "17984"));
    assert_eq!(steps[3].set_action, "stored, timeout 300 s");
    assert!(steps.iter().filter(|step| step.action == "generate").count() == 2, "two misses, two loads");
}
