//! Values to bytes and back: the table of codecs, one file each.
//!
//! Whole numbers are decimal digits under every codec, so that `incr` works on them; everything else is
//! written by the cache's codec. What was written is kept in the entry's [`Flags`], and reading goes by
//! those, so a cache reads what another codec wrote. Where flags are not kept, `envelope.rs` says it in the bytes.
use crate::entry::Flags;
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::str::FromStr;

#[cfg(any(feature = "file", feature = "database"))]
pub(crate) mod digits;
pub(crate) mod envelope;
pub(crate) mod integer;
#[cfg(feature = "json")]
mod json;
mod message_pack;
pub mod pickle;
mod raw;

/// How a cache writes values that are no whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Codec {
    /// MessagePack with field names: compact, and tolerant of added fields. The default.
    #[default]
    MessagePack,
    /// JSON text.
    #[cfg(feature = "json")]
    Json,
    /// Python's pickle, protocol 5, for the types that both languages share: what Django reads and
    /// writes. Safe to read: it knows data only and calls nothing.
    Pickle,
    /// Bytes and text as they are; other types are refused.
    Raw,
}

impl Codec {
    const TABLE: &'static [(&'static str, Codec)] = &[
        ("messagepack", Codec::MessagePack),
        #[cfg(feature = "json")]
        ("json", Codec::Json),
        ("django", Codec::Pickle),
        ("pickle", Codec::Pickle),
        ("raw", Codec::Raw),
    ];

    /// Encodes a value.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] if this codec has no form for the value.
    pub fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<(Bytes, Flags)> {
        if let Some(number) = integer::probe(value) {
            return Ok((integer::encode(number), Flags::INTEGER));
        }
        let (bytes, flags) = match self {
            Codec::MessagePack => (message_pack::encode(value)?, Flags::MESSAGE_PACK),
            #[cfg(feature = "json")]
            Codec::Json => (json::encode(value)?, Flags::JSON),
            Codec::Pickle => (pickle::to_vec(value)?, Flags::PICKLE),
            Codec::Raw => raw::encode(value)?,
        };
        // Without the spare room of a growing buffer: what lies in a store must weigh what it says.
        Ok((Bytes::from(bytes.into_boxed_slice()), flags))
    }

    /// Decodes what [`Codec::encode`] wrote, of this codec or another, going by the flags.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are no value of this type, or no value at all.
    pub fn decode<T: DeserializeOwned>(bytes: &[u8], flags: Flags) -> Result<T> {
        match flags {
            Flags::INTEGER => integer::decode(bytes),
            Flags::MESSAGE_PACK => message_pack::decode(bytes),
            #[cfg(feature = "json")]
            Flags::JSON => json::decode(bytes),
            Flags::PICKLE => pickle::from_slice(bytes),
            Flags::RAW => raw::decode(bytes, false),
            Flags::TEXT => raw::decode(bytes, true),
            Flags(other) => Err(corrupt(format!("no codec has the flags {other}"))),
        }
    }

    /// The name used in options and URLs.
    pub fn name(self) -> &'static str {
        Codec::TABLE.iter().find(|(_, codec)| *codec == self).map_or("", |(name, _)| name)
    }

    /// A short text of an entry's value, for the execution table.
    pub(crate) fn preview(bytes: &[u8], flags: Flags) -> String {
        let text = match flags {
            Flags::INTEGER | Flags::TEXT | Flags::JSON => Some(String::from_utf8_lossy(bytes).into_owned()),
            Flags::PICKLE => pickle::value_from_slice(bytes).ok().map(|value| value.to_string()),
            Flags::MESSAGE_PACK => {
                message_pack::decode::<pickle::Value>(bytes).ok().map(|value| value.to_string())
            }
            _ => None,
        };
        text.unwrap_or_else(|| format!("{} bytes", bytes.len()))
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Codec::TABLE.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|&(_, codec)| codec).ok_or_else(|| {
            let names: Vec<_> = Codec::TABLE.iter().map(|(name, _)| *name).collect();
            Error::config(format!("codec must be one of {}, not {text:?}", names.join(", ")))
        })
    }
}

fn corrupt(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, message)
}

fn unencodable(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Encode, message)
}

#[cfg(test)]
mod tests;
