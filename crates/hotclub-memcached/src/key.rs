//! Keys that a server takes.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::fmt;

/// So many bytes a key may have on the wire.
pub const MOST_BYTES: usize = 250;

/// A key that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<'a> {
    plain: Plain<'a>,
    /// What is sent instead of bytes that are no text.
    base64: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Plain<'a> {
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

/// Why a key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadKey {
    /// It has no byte.
    Empty,
    /// It has this many bytes on the wire, more than [`MOST_BYTES`].
    Long(usize),
    /// It has a blank or a control character at this place.
    Unprintable(usize),
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadKey::Empty => f.write_str("the key is empty"),
            BadKey::Long(bytes) => write!(f, "the key has {bytes} bytes, and memcached takes {MOST_BYTES}"),
            BadKey::Unprintable(at) => write!(f, "the key has a blank or a control character at byte {at}"),
        }
    }
}

impl std::error::Error for BadKey {}

impl<'a> Key<'a> {
    /// A key without blanks and control characters, of at most [`MOST_BYTES`] in UTF-8.
    ///
    /// # Errors
    /// What a server would not take.
    #[inline]
    pub fn new(key: impl Into<Cow<'a, str>>) -> Result<Self, BadKey> {
        let key = key.into();
        // Without an end in the middle, so that many bytes are looked at together.
        if key.bytes().fold(false, |bad, byte| bad | is_unprintable(byte)) {
            return Err(BadKey::Unprintable(key.bytes().position(is_unprintable).unwrap_or(0)));
        }
        check(key.len())?;
        Ok(Key { plain: Plain::Text(key), base64: String::new() })
    }

    /// Any bytes, at most 186 of them: they go as base64, which a server knows from 1.6.0 on.
    ///
    /// # Errors
    /// A key that is too long, or empty.
    pub fn binary(key: impl Into<Cow<'a, [u8]>>) -> Result<Self, BadKey> {
        let key = key.into();
        let base64 = STANDARD.encode(&key);
        check(base64.len())?;
        Ok(Key { plain: Plain::Bytes(key), base64 })
    }

    /// The same with text or bytes of its own.
    pub fn into_owned(self) -> Key<'static> {
        let plain = match self.plain {
            Plain::Text(text) => Plain::Text(Cow::Owned(text.into_owned())),
            Plain::Bytes(bytes) => Plain::Bytes(Cow::Owned(bytes.into_owned())),
        };
        Key { plain, base64: self.base64 }
    }

    /// The bytes that are sent.
    #[inline]
    pub fn as_wire(&self) -> &[u8] {
        match &self.plain {
            Plain::Text(text) => text.as_bytes(),
            Plain::Bytes(_) => self.base64.as_bytes(),
        }
    }

    /// The key itself.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.plain {
            Plain::Text(text) => text.as_bytes(),
            Plain::Bytes(bytes) => bytes,
        }
    }

    /// Its characters; each byte is one if it is no text.
    pub(crate) fn characters(&self) -> impl Iterator<Item = char> {
        let (text, bytes) = match &self.plain {
            Plain::Text(text) => (&**text, &[][..]),
            Plain::Bytes(bytes) => ("", &**bytes),
        };
        text.chars().chain(bytes.iter().map(|&byte| char::from(byte)))
    }

    /// Whether base64 of it is sent.
    #[inline]
    pub fn is_base64(&self) -> bool {
        !self.is_text()
    }

    #[inline]
    fn is_text(&self) -> bool {
        matches!(self.plain, Plain::Text(_))
    }
}

#[inline]
fn is_unprintable(byte: u8) -> bool {
    (byte <= b' ') | (byte == 0x7f)
}

#[inline]
fn check(bytes: usize) -> Result<(), BadKey> {
    match bytes {
        0 => Err(BadKey::Empty),
        1..=MOST_BYTES => Ok(()),
        long => Err(BadKey::Long(long)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_before_they_are_sent() {
        assert_eq!(Key::new(":1:é").unwrap().as_wire(), ":1:é".as_bytes());
        assert_eq!(Key::new(""), Err(BadKey::Empty));
        assert_eq!(Key::new("a b"), Err(BadKey::Unprintable(1)));
        assert_eq!(Key::new("ab\r\nflush_all"), Err(BadKey::Unprintable(2)));
        assert_eq!(Key::new("é".repeat(126)), Err(BadKey::Long(252)));
        assert!(Key::new("x".repeat(250)).is_ok());
    }

    #[test]
    fn other_bytes_go_as_base64() {
        let key = Key::binary(&b"a b\xff"[..]).unwrap();
        assert_eq!((key.as_wire(), key.is_base64(), key.is_text()), (&b"YSBi/w=="[..], true, false));
        assert_eq!(Key::binary(vec![0; 186]).unwrap().as_wire().len(), 248);
        assert_eq!(Key::binary(vec![0; 187]).unwrap_err(), BadKey::Long(252));
        assert_eq!(Key::binary(&b""[..]).unwrap_err(), BadKey::Empty);
    }
}
