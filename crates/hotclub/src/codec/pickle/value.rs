//! Any value that a pickle can hold here, and its serde impls.
use super::datetime::{Date, DateTime};
use super::marker;
use serde::de::{Deserialize, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use std::fmt;

/// A Python object of a built-in type, kept apart where serde has one word for several.
///
/// `Display` and `Debug` print it as Python's `repr` does: `{'a': (1, None)}`. In a pickle it makes the
/// exact round trip; in other formats tuples and sets are sequences, dates are texts.
///
/// ```
/// # use hotclub::codec::pickle::{Value, to_vec, value_from_slice};
/// let value = Value::Tuple(vec![Value::Int(1), Value::Str("a".into())]);
/// assert_eq!(value.to_string(), "(1, 'a')");
/// assert_eq!(value_from_slice(&to_vec(&value)?)?, value);
/// # Ok::<(), hotclub::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `bool`.
    Bool(bool),
    /// `int`; a pickle with a larger one is not read.
    Int(i128),
    /// `float`.
    Float(f64),
    /// `str`.
    Str(String),
    /// `bytes`; a `bytearray` is read as this too.
    Bytes(Vec<u8>),
    /// `list`.
    List(Vec<Value>),
    /// `tuple`.
    Tuple(Vec<Value>),
    /// `dict`, in the order in which it was written.
    Dict(Vec<(Value, Value)>),
    /// `set`, in the order in which it was written.
    Set(Vec<Value>),
    /// `frozenset`, in the order in which it was written.
    FrozenSet(Vec<Value>),
    /// `datetime.datetime`.
    DateTime(DateTime),
    /// `datetime.date`.
    Date(Date),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::None => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serialize_int(*value, serializer),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Value::List(items) => serializer.collect_seq(items),
            Value::Tuple(items) => serialize_tuple(items, serializer),
            Value::Dict(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
            Value::Set(items) => serializer.serialize_newtype_struct(marker::SET, items),
            Value::FrozenSet(items) => serializer.serialize_newtype_struct(marker::FROZENSET, items),
            Value::DateTime(datetime) => datetime.serialize(serializer),
            Value::Date(date) => date.serialize(serializer),
        }
    }
}

/// Not every format has integers of 128 bits: the smallest type that fits.
fn serialize_int<S: Serializer>(value: i128, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(value) = i64::try_from(value) {
        serializer.serialize_i64(value)
    } else if let Ok(value) = u64::try_from(value) {
        serializer.serialize_u64(value)
    } else {
        serializer.serialize_i128(value)
    }
}

fn serialize_tuple<S: Serializer>(items: &[Value], serializer: S) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(items.len())?;
    for item in items {
        tuple.serialize_element(item)?;
    }
    tuple.end()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(marker::VALUE, ValueVisitor)
    }
}

/// The types that serde has no method for; the pickle format hands them over as variants.
#[derive(serde::Deserialize)]
pub(super) enum Special {
    Tuple,
    Set,
    FrozenSet,
    DateTime,
    Date,
}

impl Special {
    pub(super) const TUPLE: &str = "Tuple";
    pub(super) const SET: &str = "Set";
    pub(super) const FROZENSET: &str = "FrozenSet";
    pub(super) const DATETIME: &str = "DateTime";
    pub(super) const DATE: &str = "Date";
}

/// Room to make in advance: a length may be a lie, or come again on each level.
fn modest(hint: Option<usize>) -> usize {
    hint.unwrap_or(0).min(1024)
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value that pickle and Rust share")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let (special, content) = access.variant()?;
        match special {
            Special::Tuple => content.newtype_variant().map(Value::Tuple),
            Special::Set => content.newtype_variant().map(Value::Set),
            Special::FrozenSet => content.newtype_variant().map(Value::FrozenSet),
            Special::DateTime => content.newtype_variant().map(Value::DateTime),
            Special::Date => content.newtype_variant().map(Value::Date),
        }
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        let too_large = |_| E::custom(format!("the integer {value} does not fit into 128 bits with a sign"));
        i128::try_from(value).map(Value::Int).map_err(too_large)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Str(text))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(bytes.to_owned()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::with_capacity(modest(access.size_hint()));
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::with_capacity(modest(access.size_hint()));
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Dict(entries))
    }
}
