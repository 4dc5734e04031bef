//! How long an entry lives: what callers ask for, with Django's meaning of default, never and zero.
use crate::error::{Error, Result};
use std::time::Duration;

/// What a caller asks for.
///
/// Numbers are whole seconds; zero and negative numbers store nothing and are no error
/// (Django, "Basic usage"). `None` means never.
///
/// ```
/// use hotclub::Timeout;
/// use std::time::Duration;
/// assert_eq!(Timeout::from(60), Timeout::After(Duration::from_secs(60)));
/// assert_eq!(Timeout::from(0), Timeout::Gone);
/// assert_eq!(Timeout::from(-5), Timeout::Gone);
/// assert_eq!(Timeout::from(None::<u64>), Timeout::Never);
/// assert!(Timeout::try_from(f64::NAN).is_err());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Timeout {
    /// The cache's default timeout.
    #[default]
    Default,
    /// Never expires.
    Never,
    /// Expires after this time. A zero duration means [`Timeout::Gone`].
    After(Duration),
    /// Zero or negative: nothing readable remains.
    Gone,
}

/// What a backend is told: always relative, never an instant; the room converts to its own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Never expires.
    Never,
    /// Expires after this time.
    For(Duration),
    /// Zero or negative: nothing readable remains.
    Gone,
}

impl Timeout {
    /// The life asked for, given the cache's default.
    pub fn life(self, default: Life) -> Life {
        match self {
            Timeout::Default => default,
            Timeout::Never => Life::Never,
            Timeout::After(Duration::ZERO) | Timeout::Gone => Life::Gone,
            Timeout::After(time) => Life::For(time),
        }
    }
}

impl From<Duration> for Timeout {
    fn from(time: Duration) -> Self {
        if time.is_zero() { Timeout::Gone } else { Timeout::After(time) }
    }
}

impl From<Life> for Timeout {
    fn from(life: Life) -> Self {
        match life {
            Life::Never => Timeout::Never,
            Life::For(time) => Timeout::from(time),
            Life::Gone => Timeout::Gone,
        }
    }
}

impl<T: Into<Timeout>> From<Option<T>> for Timeout {
    fn from(timeout: Option<T>) -> Self {
        timeout.map_or(Timeout::Never, Into::into)
    }
}

macro_rules! from_whole_seconds {
    ($($number:ty)*) => {$(
        impl From<$number> for Timeout {
            #[allow(unused_comparisons, reason = "one body for signed and unsigned numbers")]
            fn from(seconds: $number) -> Self {
                if seconds <= 0 { Timeout::Gone } else { Timeout::After(Duration::from_secs(seconds as u64)) }
            }
        }
    )*};
}
from_whole_seconds!(u32 u64 usize i32 i64);

impl TryFrom<f64> for Timeout {
    type Error = Error;

    /// Seconds with a fraction. Infinity means never; a value that is no number is an error.
    fn try_from(seconds: f64) -> Result<Self> {
        if seconds.is_nan() {
            return Err(Error::config("a timeout must be a number of seconds, not NaN"));
        }
        if seconds <= 0.0 {
            return Ok(Timeout::Gone);
        }
        Ok(Duration::try_from_secs_f64(seconds).map_or(Timeout::Never, Timeout::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_takes_the_default_of_the_cache() {
        assert_eq!(Timeout::Default.life(Life::Never), Life::Never);
        assert_eq!(Timeout::Never.life(Life::Gone), Life::Never);
    }

    #[test]
    fn zero_and_negative_mean_gone() {
        for timeout in [0.into(), (-1).into(), Duration::ZERO.into(), Timeout::After(Duration::ZERO)] {
            assert_eq!(timeout.life(Life::Never), Life::Gone);
        }
    }

    #[test]
    fn fractions_are_kept() {
        let timeout = Timeout::try_from(0.25).unwrap();
        assert_eq!(timeout.life(Life::Never), Life::For(Duration::from_millis(250)));
        assert_eq!(Timeout::try_from(f64::INFINITY).unwrap(), Timeout::Never);
        assert_eq!(Timeout::try_from(-0.5).unwrap(), Timeout::Gone);
    }
}
