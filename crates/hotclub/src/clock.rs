//! The one clock of the house: coarse, cheap, and movable by hand in tests.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// Milliseconds since the Unix epoch at which an entry ends. What a read returns; never what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(pub u64);

/// Where in-process backends read the time.
///
/// The system clock is the kernel's coarse monotonic one: about 5 ns a reading (a precise one costs
/// five to ten times that), a step of 1 to 10 ms, and no jumps when the wall clock is set. Time during
/// which the machine is suspended does not count.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The system's coarse monotonic clock.
    pub const fn system() -> Self {
        Clock(None)
    }

    /// Milliseconds since some fixed instant; never goes back.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            None => monotonic_ms(),
            Some(by_hand) => by_hand.load(Relaxed),
        }
    }

    /// The wall-clock deadline of an instant of this clock.
    pub fn deadline(&self, at_ms: u64) -> Deadline {
        let wall = match &self.0 {
            None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis()
                as u64,
            Some(by_hand) => by_hand.load(Relaxed),
        };
        Deadline(wall.saturating_add(at_ms).saturating_sub(self.now_ms()))
    }
}

/// A clock that stands still until it is moved: time in tests passes by hand, without sleeping.
///
/// ```
/// use hotclub::clock::ManualClock;
/// use std::time::Duration;
/// let hand = ManualClock::new();
/// let clock = hand.clock();
/// let before = clock.now_ms();
/// hand.advance(Duration::from_secs(60));
/// assert_eq!(clock.now_ms() - before, 60_000);
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that starts at an arbitrary instant.
    pub fn new() -> Self {
        ManualClock(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    /// The clock to give to a backend.
    pub fn clock(&self) -> Clock {
        Clock(Some(self.0.clone()))
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        ManualClock::new()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn monotonic_ms() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec for the length of the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    debug_assert_eq!(result, 0, "CLOCK_MONOTONIC_COARSE exists since Linux 2.6.32");
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn monotonic_ms() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    // One hour is added so that "a moment ago" never lies before zero.
    START.get_or_init(Instant::now).elapsed().as_millis() as u64 + 3_600_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = Clock::system();
        let mut last = clock.now_ms();
        for _ in 0..1000 {
            let now = clock.now_ms();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn deadlines_are_wall_clock_time() {
        let clock = Clock::system();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        let Deadline(at) = clock.deadline(clock.now_ms() + 60_000);
        assert!(at.abs_diff(wall + 60_000) < 1_000, "{at} is a minute after {wall}");
    }
}
