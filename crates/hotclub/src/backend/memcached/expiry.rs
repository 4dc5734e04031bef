//! Lives in memcached's words: whole seconds, and beyond 30 days a point in time.
use crate::timeout::Life;
use std::time::{SystemTime, UNIX_EPOCH};

/// The largest number that the server takes for seconds from now.
const MOST_RELATIVE: u64 = 30 * 86_400;
/// The server counts in 32 bits with a sign.
const LAST: u64 = i32::MAX as u64;

/// What is sent: 0 never ends, below 0 ends at once. Fractions are rounded up, so that nothing short ends at once;
/// the server's own clock ticks in seconds, and may end an entry up to one early.
pub(super) fn exptime(life: Life) -> i64 {
    match life {
        Life::Never => 0,
        Life::Gone => -1,
        Life::For(time) => {
            let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            let sent =
                if seconds > MOST_RELATIVE { now().saturating_add(seconds).min(LAST) } else { seconds };
            i64::try_from(sent.max(1)).unwrap_or(i64::MAX)
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lives_are_whole_seconds_and_then_points_in_time() {
        let of = |seconds: f64| exptime(Life::For(Duration::from_secs_f64(seconds)));
        assert_eq!((exptime(Life::Never), exptime(Life::Gone)), (0, -1));
        assert_eq!((of(0.001), of(1.0), of(1.1), of(300.0)), (1, 1, 2, 300));
        assert_eq!(of(30.0 * 86_400.0), 30 * 86_400);
        let later = 31 * 86_400;
        assert!((of(later as f64) - now() as i64 - later).abs() <= 1);
        assert_eq!(of(1e12), i64::from(i32::MAX));
    }
}
