//! Django's pickle, for the types that Python and Rust share, as a serde format.
//!
//! Choose it to read what Django wrote and to write what Django can read. Any `Serialize` value becomes
//! plain Python objects of exact built-in types:
//!
//! | Rust | Python |
//! | --- | --- |
//! | `()`, `None`, unit struct | `None` |
//! | `bool`; integers up to 128 bits; floats | `bool`; `int`; `float` |
//! | `String`, `char`, unit variant; bytes | `str`; `bytes` |
//! | `Vec` and other sequences; tuples, tuple structs | `list`; `tuple` |
//! | maps, structs | `dict` |
//! | other enum variants | `{name: content}` |
//! | [`DateTime`]; [`Date`] | `datetime.datetime`; `datetime.date` |
//!
//! `Some` and newtype structs are transparent. What can be no key of a `dict` in Python (a list, a map)
//! is an error where a key is wanted. Types that ask [`is_human_readable`] are told yes, so that an
//! address or a UUID arrives in Python as readable text.
//!
//! Written is protocol 5, byte for byte as CPython's `pickle.dumps` writes the same values; names of
//! fields and variants that come twice are written once, as CPython does with its interned names.
//! Read are protocols 0 to 5. Nothing is ever executed: a pickle of another class is an error that
//! names it, and so is one that is too deep, refers to itself, or would grow out of proportion.
//! Objects that a pickle holds once and refers to twice come out as equal copies.
//!
//! For values of unknown shape there is [`Value`], which keeps apart what serde does not: tuples and
//! lists, sets, dates.
//!
//! [`is_human_readable`]: serde::Serializer::is_human_readable
use crate::error::{Error, ErrorKind, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

mod access;
mod compound;
mod datetime;
mod de;
mod global;
mod graph;
mod input;
mod iso;
mod opcode;
mod read;
mod repr;
mod ser;
mod stack;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod write;

pub use datetime::{Date, DateTime};
pub use value::Value;

/// How deep values may nest, written or read. CPython's own limit is of the same kind, and higher.
const MAX_DEPTH: usize = 128;

/// Names of newtype structs by which this format knows its own types. Other formats ignore them.
mod marker {
    pub(super) const DATETIME: &str = "$hotclub::pickle::DateTime";
    pub(super) const DATE: &str = "$hotclub::pickle::Date";
    pub(super) const SET: &str = "$hotclub::pickle::Set";
    pub(super) const FROZENSET: &str = "$hotclub::pickle::FrozenSet";
    pub(super) const VALUE: &str = "$hotclub::pickle::Value";
}

/// Writes `value` as a pickle of protocol 5.
///
/// Fails with [`ErrorKind::Encode`] when the value nests deeper than 128 levels, has a key that Python
/// cannot hash, or refuses to be serialized.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    ser::pickle(value).map_err(|fault| Error::new(ErrorKind::Encode, fault.0))
}

/// Reads a value from a pickle of protocol 0 to 5.
///
/// Forgiving where serde formats usually are: an integer fits any number type that can hold it, a tuple
/// or a set reads as a sequence, `bytes` as bytes or as a sequence of `u8`, a date as its ISO text.
/// Bytes after the pickle's end are ignored, as Python does. Anything else that does not fit is
/// [`ErrorKind::Corrupt`].
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    read::parse(bytes)
        .and_then(|(graph, root)| T::deserialize(de::Unpickler::new(&graph, root)?))
        .map_err(|fault| Error::new(ErrorKind::Corrupt, fault.0))
}

/// Reads a pickle of any shape; the same as [`from_slice`] for [`Value`].
pub fn value_from_slice(bytes: &[u8]) -> Result<Value> {
    from_slice(bytes)
}

/// The whole number that a pickle holds, if it holds nothing else.
pub fn whole_number(pickled: &[u8]) -> Option<i128> {
    const LONGEST: usize = 40;
    if pickled.len() > LONGEST {
        return None;
    }
    match value_from_slice(pickled) {
        Ok(Value::Int(number)) => Some(number),
        _ => None,
    }
}

/// What went wrong, in words; [`to_vec`] and [`from_slice`] add the kind.
#[derive(Debug)]
struct Fault(String);

impl Fault {
    fn new(message: impl fmt::Display) -> Self {
        Fault(message.to_string())
    }

    fn foreign(class: impl fmt::Display) -> Self {
        Fault(format!("the pickle holds a {class}, which this codec does not read"))
    }

    fn too_deep() -> Self {
        Fault(format!("the value nests deeper than {MAX_DEPTH} levels, or holds itself"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::new(message)
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::new(message)
    }
}
