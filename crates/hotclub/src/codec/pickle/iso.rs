//! Dates and times as text in ISO 8601, which is what serde formats other than pickle see.
use super::datetime::{Date, DateTime};
use super::marker;
use crate::error::{Error, ErrorKind};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Says in text what ISO 8601 has no word for: the second of two equal hours when clocks go back.
pub(super) const FOLD: &str = "[fold=1]";

impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        date(text).ok_or_else(|| no_iso(text, "date"))
    }
}

impl FromStr for DateTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        datetime(text).ok_or_else(|| no_iso(text, "date and time"))
    }
}

fn no_iso(text: &str, what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{text:?} is no {what} in ISO 8601"))
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(marker::DATE, &self.to_string())
    }
}

impl Serialize for DateTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(marker::DATETIME, &self.to_text())
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(marker::DATE, Text("a date", Date::from_str))
    }
}

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(marker::DATETIME, Text("a date and time", DateTime::from_str))
    }
}

/// Takes the text of what is expected, bare or as the content of a newtype struct.
struct Text<T>(&'static str, fn(&str) -> Result<T, Error>);

impl<'de, T> Visitor<'de> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(|error| E::custom(error.message()))
    }
}

/// `2026-01-02`
fn date(text: &str) -> Option<Date> {
    let mut scan = Scan(text.as_bytes());
    let date = scan.date()?;
    scan.is_done().then_some(date)
}

/// `2026-01-02T03:04:05`, with a fraction, which is cut to microseconds, and with `Z` or an offset.
fn datetime(text: &str) -> Option<DateTime> {
    let (text, fold) = match text.strip_suffix(FOLD) {
        Some(text) => (text, true),
        None => (text, false),
    };
    let mut scan = Scan(text.as_bytes());
    let date = scan.date()?;
    if !(scan.skip(b'T') || scan.skip(b' ') || scan.skip(b't')) {
        return None;
    }
    let (hour, minute, second) = scan.clock()?;
    let plain =
        DateTime::new(date, hour, minute, second)?.with_microsecond(scan.fraction()?)?.with_fold(fold);
    let datetime = match scan.offset()? {
        Some(seconds) => plain.with_offset(seconds)?,
        None => plain,
    };
    scan.is_done().then_some(datetime)
}

/// The text not yet read.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip(byte).then_some(())
    }

    fn digit(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        let digit = char::from(first).to_digit(10)?;
        self.0 = rest;
        Some(digit as u8)
    }

    fn two_digits(&mut self) -> Option<u8> {
        Some(self.digit()? * 10 + self.digit()?)
    }

    fn date(&mut self) -> Option<Date> {
        let year = u16::from(self.two_digits()?) * 100 + u16::from(self.two_digits()?);
        self.expect(b'-')?;
        let month = self.two_digits()?;
        self.expect(b'-')?;
        Date::new(year, month, self.two_digits()?)
    }

    fn clock(&mut self) -> Option<(u8, u8, u8)> {
        let hour = self.two_digits()?;
        self.expect(b':')?;
        let minute = self.two_digits()?;
        let second = if self.skip(b':') { self.two_digits()? } else { 0 };
        Some((hour, minute, second))
    }

    /// Microseconds; finer digits are dropped.
    fn fraction(&mut self) -> Option<u32> {
        if !self.skip(b'.') {
            return Some(0);
        }
        let mut micros = u32::from(self.digit()?) * 100_000;
        let mut unit = 10_000;
        while let Some(digit) = self.digit() {
            micros += u32::from(digit) * unit;
            unit /= 10;
        }
        Some(micros)
    }

    /// Seconds east of UTC: `Z`, `+01:00`, `-00:00:30`, or none.
    fn offset(&mut self) -> Option<Option<i32>> {
        if self.is_done() {
            return Some(None);
        }
        if self.skip(b'Z') || self.skip(b'z') {
            return Some(Some(0));
        }
        let sign = if self.skip(b'-') { -1 } else { self.expect(b'+').map(|()| 1)? };
        let (hours, minutes, seconds) = self.clock()?;
        let valid = minutes < 60 && seconds < 60;
        valid.then(|| Some(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60 + i32::from(seconds))))
    }
}
