//! Whole numbers as decimal digits: the form that `incr` works on, as Django's Redis and memcached have it.
use super::corrupt;
use crate::error::Result;
use bytes::Bytes;
use serde::de::value::{I64Deserializer, I128Deserializer, U64Deserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::ser::{Impossible, Serialize, Serializer};
use std::fmt;

/// The number, if the value is one (a bool is none).
pub(super) fn probe<T: Serialize + ?Sized>(value: &T) -> Option<i128> {
    value.serialize(Probe).ok()
}

pub(crate) fn encode(number: i128) -> Bytes {
    Bytes::from(number.to_string().into_bytes())
}

/// Parses digits. Blanks around them are taken, as memcached pads with them.
pub(crate) fn parse(bytes: &[u8]) -> Option<i128> {
    std::str::from_utf8(bytes).ok()?.trim_matches(' ').parse().ok()
}

/// Whether Python's `int(bytes)` takes this for a number: white space around it, a sign, leading zeros and single
/// underscores between digits are no hindrance, more than 4,300 digits are.
pub(crate) fn is_pythons(bytes: &[u8]) -> bool {
    let digits = match trimmed(bytes) {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    let groups = digits.split(|&byte| byte == b'_');
    let is_number = |group: &[u8]| !group.is_empty() && group.iter().all(u8::is_ascii_digit);
    // Most values are long and no numbers: the first byte tells.
    digits.first().is_some_and(u8::is_ascii_digit)
        && groups.clone().all(is_number)
        && groups.map(<[u8]>::len).sum::<usize>() <= MOST_DIGITS
}

/// `sys.int_info.default_max_str_digits`.
const MOST_DIGITS: usize = 4300;

fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// Parses what [`is_pythons`]; `None` also for a number that does not fit.
fn parse_pythons(bytes: &[u8]) -> Option<i128> {
    if !is_pythons(bytes) {
        return None;
    }
    let digits: Vec<u8> = trimmed(bytes).iter().copied().filter(|&byte| byte != b'_').collect();
    parse(&digits)
}

/// The sum of stored digits and a delta, for rooms that count by themselves.
#[cfg(any(feature = "memory", feature = "file", feature = "database"))]
pub(crate) fn add(bytes: &[u8], delta: i128) -> Result<i128> {
    use crate::error::{Error, ErrorKind};
    let not_an_integer = |message: &str| Error::new(ErrorKind::NotAnInteger, message);
    let number = parse(bytes).ok_or_else(|| not_an_integer("the stored value is no whole number"))?;
    number.checked_add(delta).ok_or_else(|| not_an_integer("the sum does not fit into 128 bits"))
}

pub(super) fn decode<'de, T: serde::Deserialize<'de>>(bytes: &[u8]) -> Result<T> {
    let number = parse(bytes).or_else(|| parse_pythons(bytes)).ok_or_else(|| {
        corrupt(if is_pythons(bytes) {
            "the whole number does not fit into 128 bits"
        } else {
            "the entry is marked as a whole number and holds none"
        })
    })?;
    T::deserialize(Number(number)).map_err(|error| corrupt(error.0))
}

#[derive(Debug)]
struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Problem {}
impl serde::ser::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Problem(message.to_string())
    }
}
impl serde::de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Problem(message.to_string())
    }
}

struct Number(i128);

impl<'de> Deserializer<'de> for Number {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if let Ok(number) = i64::try_from(self.0) {
            let number: I64Deserializer<Problem> = number.into_deserializer();
            return number.deserialize_any(visitor);
        }
        if let Ok(number) = u64::try_from(self.0) {
            let number: U64Deserializer<Problem> = number.into_deserializer();
            return number.deserialize_any(visitor);
        }
        let number: I128Deserializer<Problem> = self.0.into_deserializer();
        number.deserialize_any(visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_i128(self.0)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match u128::try_from(self.0) {
            Ok(number) => visitor.visit_u128(number),
            Err(_) => visitor.visit_i128(self.0),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A serializer that knows whole numbers and refuses the rest at once, without building anything.
struct Probe;

macro_rules! numbers {
    ($($method:ident $number:ty),*) => {$(
        fn $method(self, number: $number) -> Result<i128, Problem> {
            i128::try_from(number).map_err(|_| no_number())
        }
    )*};
}
macro_rules! refused {
    ($($method:ident ( $($argument:ty),* )),* $(,)?) => {$(
        fn $method(self, $(_: $argument),*) -> Result<i128, Problem> {
            Err(no_number())
        }
    )*};
}
macro_rules! refused_compounds {
    ($($method:ident ( $($argument:ty),* ) $kind:ident),* $(,)?) => {$(
        type $kind = Impossible<i128, Problem>;
        fn $method(self, $(_: $argument),*) -> Result<Self::$kind, Problem> {
            Err(no_number())
        }
    )*};
}

/// No text: probing a value that is no number must not allocate.
fn no_number() -> Problem {
    Problem(String::new())
}

impl Serializer for Probe {
    type Ok = i128;
    type Error = Problem;

    numbers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_u128 u128
    );
    refused!(
        serialize_bool(bool),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    );

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<i128, Problem> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<i128, Problem> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<i128, Problem> {
        Err(no_number())
    }

    refused_compounds!(
        serialize_seq(Option<usize>) SerializeSeq,
        serialize_tuple(usize) SerializeTuple,
        serialize_tuple_struct(&'static str, usize) SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) SerializeTupleVariant,
        serialize_map(Option<usize>) SerializeMap,
        serialize_struct(&'static str, usize) SerializeStruct,
        serialize_struct_variant(&'static str, u32, &'static str, usize) SerializeStructVariant,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line was tried in Python 3.13: `int(b"…")`.
    #[test]
    fn numbers_are_what_python_takes_for_numbers() {
        for (bytes, number) in [
            (&b"42"[..], 42),
            (b" 12 ", 12),
            (b"\t\n\x0b\x0c\r 12\r\n", 12),
            (b"+5", 5),
            (b"-7", -7),
            (b"1_000", 1000),
            (b"+1_0_0", 100),
            (b"0012", 12),
            (b"-0", 0),
            (b"0_0", 0),
        ] {
            assert!(is_pythons(bytes), "{}", bytes.escape_ascii());
            assert_eq!(decode::<i64>(bytes).unwrap(), number, "{}", bytes.escape_ascii());
        }
        for bytes in [
            &b""[..],
            b" ",
            b"+",
            b"--1",
            b"+-1",
            b"- 1",
            b"1 2",
            b"_1",
            b"1_",
            b"1__0",
            b"+_1",
            b"1.0",
            b"0x10",
            b"1e3",
            b"\x1c12",
            b"\x8512",
            b"12\0",
            "\u{663}".as_bytes(),
            b"\x80\x05K*.",
        ] {
            assert!(!is_pythons(bytes), "{}", bytes.escape_ascii());
            assert!(decode::<i64>(bytes).is_err());
        }
    }

    #[test]
    fn numbers_have_an_end() {
        assert!(is_pythons(&[b'9'; MOST_DIGITS]) && !is_pythons(&[b'9'; MOST_DIGITS + 1]));
        let error = decode::<i128>(&[b'9'; 40]).unwrap_err();
        assert!(error.to_string().contains("128 bits"), "{error}");
        assert_eq!(decode::<i128>(b"1208925819614629174706176").unwrap(), 1 << 80);
    }
}
