//! Waiting for what a server does in its own time, with a limit.
use std::thread;
use std::time::{Duration, Instant};

const GLANCE: Duration = Duration::from_millis(5);

/// Asks until there is an answer; nothing if the limit is over first.
pub(super) fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(GLANCE);
    }
}
