//! Python's `datetime.datetime` and `datetime.date`, valid by construction.
use super::iso::FOLD;
use std::fmt;

/// A day of the Gregorian calendar, year 1 to 9999: Python's `datetime.date`.
///
/// A `Date` in a serialized struct becomes a real `datetime.date` in a pickle, and its text,
/// `2026-01-02`, in other formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// This day, unless the calendar does not have it.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let valid = (1..=9999).contains(&year) && (1..=days_in_month(year, month)).contains(&day);
        valid.then_some(Date { year, month, day })
    }

    /// 1 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// The four bytes of CPython.
    pub(super) fn to_state(self) -> [u8; 4] {
        let [high, low] = self.year.to_be_bytes();
        [high, low, self.month, self.day]
    }

    pub(super) fn from_state([high, low, month, day]: [u8; 4]) -> Option<Self> {
        Date::new(u16::from_be_bytes([high, low]), month, day)
    }
}

/// A date and a time of day to the microsecond, with or without an offset from UTC: Python's
/// `datetime.datetime`, whose time zone is none or a fixed `datetime.timezone`.
///
/// A `DateTime` in a serialized struct becomes a real `datetime.datetime` in a pickle, and its ISO 8601
/// text in other formats. Django's `timezone.now()` is a `DateTime` with offset 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    date: Date,
    hour: u8,
    minute: u8,
    second: u8,
    microsecond: u32,
    fold: bool,
    offset_seconds: Option<i32>,
}

impl DateTime {
    /// This second of that day, unless the clock does not have it. Without an offset from UTC.
    pub fn new(date: Date, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let valid = hour < 24 && minute < 60 && second < 60;
        valid.then_some(DateTime {
            date,
            hour,
            minute,
            second,
            microsecond: 0,
            fold: false,
            offset_seconds: None,
        })
    }

    /// The same second with these microseconds, fewer than a million.
    pub fn with_microsecond(self, microsecond: u32) -> Option<Self> {
        (microsecond < 1_000_000).then_some(DateTime { microsecond, ..self })
    }

    /// The same clock time at this offset east of UTC, less than a day; 0 is UTC itself.
    pub fn with_offset(self, seconds: i32) -> Option<Self> {
        (seconds.unsigned_abs() < 86_400).then_some(DateTime { offset_seconds: Some(seconds), ..self })
    }

    /// The same clock time, said to be the second of two (`true`) when clocks go back.
    #[must_use]
    pub fn with_fold(self, fold: bool) -> Self {
        DateTime { fold, ..self }
    }

    /// The day.
    pub fn date(self) -> Date {
        self.date
    }

    /// 0 to 23.
    pub fn hour(self) -> u8 {
        self.hour
    }

    /// 0 to 59.
    pub fn minute(self) -> u8 {
        self.minute
    }

    /// 0 to 59.
    pub fn second(self) -> u8 {
        self.second
    }

    /// 0 to 999,999.
    pub fn microsecond(self) -> u32 {
        self.microsecond
    }

    /// Whether this is the second of two equal clock times.
    pub fn fold(self) -> bool {
        self.fold
    }

    /// Seconds east of UTC; `None` for what Python calls naive.
    pub fn offset_seconds(self) -> Option<i32> {
        self.offset_seconds
    }

    /// The ten bytes of CPython: fold is the top bit of the month.
    pub(super) fn to_state(self) -> [u8; 10] {
        let [high, low, month, day] = self.date.to_state();
        let [_, micro @ ..] = self.microsecond.to_be_bytes();
        let month = month | u8::from(self.fold) << 7;
        [high, low, month, day, self.hour, self.minute, self.second, micro[0], micro[1], micro[2]]
    }

    pub(super) fn from_state(state: [u8; 10]) -> Option<Self> {
        let [high, low, month, day, hour, minute, second, m0, m1, m2] = state;
        let date = Date::from_state([high, low, month & 0x7f, day])?;
        let plain = DateTime::new(date, hour, minute, second)?;
        Some(plain.with_microsecond(u32::from_be_bytes([0, m0, m1, m2]))?.with_fold(month > 0x7f))
    }

    /// The text that serde sees: ISO 8601, and the fold where there is one.
    pub(super) fn to_text(self) -> String {
        format!("{self}{}", if self.fold { FOLD } else { "" })
    }
}

fn days_in_month(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(leap),
        1..=12 => 31,
        _ => 0,
    }
}

/// `2026-01-02`
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// ISO 8601 as Python's `isoformat()`: `2026-01-02T03:04:05.000006+01:00`
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{:02}:{:02}:{:02}", self.date, self.hour, self.minute, self.second)?;
        if self.microsecond > 0 {
            write!(f, ".{:06}", self.microsecond)?;
        }
        let Some(offset) = self.offset_seconds else { return Ok(()) };
        let (sign, away) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", away / 3600, away / 60 % 60)?;
        if away % 60 > 0 { write!(f, ":{:02}", away % 60) } else { Ok(()) }
    }
}
