//! Values as Python's `repr` prints them.
use super::datetime::{Date, DateTime};
use super::value::Value;
use std::fmt::{self, Display, Formatter, Write};

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => float(*value, f),
            Value::Str(value) => text(value, f),
            Value::Bytes(value) => bytes(value, f),
            Value::List(items) => enclosed("[", items, "]", f),
            Value::Tuple(items) if items.len() == 1 => enclosed("(", items, ",)", f),
            Value::Tuple(items) => enclosed("(", items, ")", f),
            Value::Dict(entries) => enclosed("{", entries.iter().map(Entry), "}", f),
            Value::Set(items) if items.is_empty() => f.write_str("set()"),
            Value::Set(items) => enclosed("{", items, "}", f),
            Value::FrozenSet(items) if items.is_empty() => f.write_str("frozenset()"),
            Value::FrozenSet(items) => enclosed("frozenset({", items, "})", f),
            Value::DateTime(value) => datetime(*value, f),
            Value::Date(value) => date(*value, f),
        }
    }
}

/// The same as `Display`.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

struct Entry<'a>(&'a (Value, Value));

impl Display for Entry<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (key, value) = self.0;
        write!(f, "{key}: {value}")
    }
}

fn enclosed(
    open: &str,
    items: impl IntoIterator<Item: Display>,
    close: &str,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.into_iter().enumerate() {
        write!(f, "{}{item}", if index > 0 { ", " } else { "" })?;
    }
    f.write_str(close)
}

/// Rust prints the same digits; `nan`, and the sign and the two digits of an exponent, are Python's.
fn float(value: f64, f: &mut Formatter<'_>) -> fmt::Result {
    if value.is_nan() {
        return f.write_str("nan");
    }
    let digits = format!("{value:?}");
    match digits.split_once('e') {
        None => f.write_str(&digits),
        Some((mantissa, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
            write!(f, "{mantissa}e{sign}{exponent:0>2}")
        }
    }
}

/// Single quotes, unless only double ones spare an escape.
fn quote(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

fn text(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let quote = quote(text.contains('\''), text.contains('"'));
    f.write_char(quote)?;
    for char in text.chars() {
        match char {
            _ if char == quote || char == '\\' => write!(f, "\\{char}")?,
            _ if is_printable(char) => f.write_char(char)?,
            _ => escape(char, f)?,
        }
    }
    f.write_char(quote)
}

fn bytes(bytes: &[u8], f: &mut Formatter<'_>) -> fmt::Result {
    let quote = quote(bytes.contains(&b'\''), bytes.contains(&b'"'));
    write!(f, "b{quote}")?;
    for &byte in bytes {
        match char::from(byte) {
            char if char == quote || char == '\\' => write!(f, "\\{char}")?,
            char @ ' '..='~' => f.write_char(char)?,
            char => escape(char, f)?,
        }
    }
    f.write_char(quote)
}

/// Python also escapes what Unicode has not assigned yet; here that is printed.
fn is_printable(char: char) -> bool {
    let invisible = matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{e0000}'..);
    char == ' ' || !(char.is_control() || char.is_whitespace() || invisible)
}

fn escape(char: char, f: &mut Formatter<'_>) -> fmt::Result {
    let code = u32::from(char);
    match char {
        '\t' => f.write_str("\\t"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        _ if code <= 0xff => write!(f, "\\x{code:02x}"),
        _ if code <= 0xffff => write!(f, "\\u{code:04x}"),
        _ => write!(f, "\\U{code:08x}"),
    }
}

fn date(date: Date, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "datetime.date({}, {}, {})", date.year(), date.month(), date.day())
}

fn datetime(value: DateTime, f: &mut Formatter<'_>) -> fmt::Result {
    let date = value.date();
    write!(f, "datetime.datetime({}, {}, {}", date.year(), date.month(), date.day())?;
    write!(f, ", {}, {}", value.hour(), value.minute())?;
    match (value.second(), value.microsecond()) {
        (0, 0) => (),
        (second, 0) => write!(f, ", {second}")?,
        (second, microsecond) => write!(f, ", {second}, {microsecond}")?,
    }
    if value.fold() {
        f.write_str(", fold=1")?;
    }
    match value.offset_seconds() {
        None => (),
        Some(0) => f.write_str(", tzinfo=datetime.timezone.utc")?,
        Some(offset) => zone(offset, f)?,
    }
    f.write_char(')')
}

fn zone(offset: i32, f: &mut Formatter<'_>) -> fmt::Result {
    let days = if offset < 0 { "days=-1, " } else { "" };
    let seconds = offset.rem_euclid(86_400);
    write!(f, ", tzinfo=datetime.timezone(datetime.timedelta({days}seconds={seconds}))")
}
