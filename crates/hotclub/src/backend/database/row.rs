//! A row of Django's table: a pickle in base64, and a time without a zone, in UTC (`USE_TZ = True`).
use crate::codec::digits;
use crate::error::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// What Django writes for entries without an end: the last second of its calendar.
pub(super) const NEVER_MS: i64 = 253_402_300_799_000;

/// The text of the column `value`.
pub(super) fn write_value(value: &[u8]) -> Result<String> {
    Ok(STANDARD.encode(digits::to_pickle(value)?))
}

/// The bytes in a column `value`.
pub(super) fn read_value(text: &str) -> std::result::Result<Bytes, &'static str> {
    let decoded = match STANDARD.decode(text) {
        Ok(decoded) => decoded,
        // Line breaks, as Python's `base64.encodebytes` makes them.
        Err(_) => {
            let plain: String = text.split_ascii_whitespace().collect();
            STANDARD.decode(plain).map_err(|_| "the value is not in base64")?
        }
    };
    Ok(digits::from_pickle(decoded))
}

/// Milliseconds since 1970 of a column's time; `None`: never.
pub(super) fn deadline(milliseconds: i64) -> Option<u64> {
    // The last day of the calendar, in whatever zone it was written.
    const A_DAY: i64 = 86_400_000;
    (milliseconds < NEVER_MS - A_DAY).then(|| u64::try_from(milliseconds).unwrap_or(0))
}

/// `YYYY-MM-DD HH:MM:SS`, with microseconds if it is no whole second: SQLite's form of Django's times.
#[cfg_attr(
    not(any(feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "PostgreSQL takes numbers")
)]
pub(super) fn write_time(deadline: Option<u64>) -> String {
    let milliseconds = deadline.map_or(NEVER_MS, |at| i64::try_from(at).unwrap_or(NEVER_MS).min(NEVER_MS));
    let (days, of_day) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    let (year, month, day) = date_of(days);
    let (seconds, rest) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    if rest != 0 {
        text += &format!(".{:06}", rest * 1000);
    }
    text
}

/// Milliseconds since 1970 of such a text.
#[cfg_attr(
    not(any(feature = "mysql", feature = "sqlite")),
    allow(dead_code, reason = "PostgreSQL takes numbers")
)]
pub(super) fn read_time(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let milliseconds = match text.get(19..) {
        None | Some("") => 0,
        Some(rest) => {
            let digits = rest.strip_prefix('.')?;
            let digits = digits.get(..digits.len().min(3))?;
            digits.parse::<i64>().ok()? * 10_i64.pow(3 - u32::try_from(digits.len()).ok()?)
        }
    };
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    (is_date && is_time).then(|| {
        ((days_until(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + milliseconds
    })
}

/// The date so many days after 1970-01-01. Years begin in March here, so that leap days come last
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The inverse of [`date_of`].
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_and_read_as_django_does() {
        // base64.b64encode(pickle.dumps(value, 5))
        for (golden, value) in [("gAVLKi4=", &b"42"[..]), ("gAWVBgAAAAAAAACMAmhplC4=", b"")] {
            if !value.is_empty() {
                assert_eq!(write_value(value).unwrap(), golden);
                assert_eq!(read_value(golden).unwrap(), value);
            }
            let with_breaks = format!("{}\n{}\n", &golden[..4], &golden[4..]);
            assert_eq!(read_value(&with_breaks), read_value(golden));
        }
        assert!(read_value("no base64!").is_err());
    }

    #[test]
    fn times_are_written_and_read_as_django_does() {
        for (milliseconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399_000, "2000-02-28 23:59:59"),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (1_800_000_000_250, "2027-01-15 08:00:00.250000"),
        ] {
            assert_eq!(write_time(Some(milliseconds)), text);
            assert_eq!(read_time(text), Some(milliseconds as i64));
            assert_eq!(deadline(milliseconds as i64), Some(milliseconds));
        }
        assert_eq!(write_time(None), "9999-12-31 23:59:59");
        assert_eq!(read_time("9999-12-31 23:59:59").map(deadline), Some(None));
        assert_eq!(read_time("2027-01-15 08:00:00.25"), Some(1_800_000_000_250));
        for nonsense in ["", "soon", "2027-13-01 00:00:00", "2027-01-15 08:00:00,5", "2027-01-15"] {
            assert_eq!(read_time(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in -10_000..140_000 {
            let (year, month, of_month) = date_of(day);
            assert_eq!(days_until(year, month, of_month), day);
        }
    }
}
