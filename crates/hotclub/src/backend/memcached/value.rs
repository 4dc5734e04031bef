//! Values as other clients mean them by their flags (WIRE: numbers of two kinds, and what was compressed).
use crate::clock::Clock;
use crate::entry::{Entry, Flags};
use bytes::Bytes;
use flate2::read::ZlibDecoder;
use hotclub_memcached::Problem;
use hotclub_memcached::reply::Tokens;
use std::borrow::Cow;
use std::io::Read;

/// What pylibmc says of a whole number.
const PYLIBMC_INTEGER: u32 = 4;
/// Added by pymemcache's `CompressedSerde` and by users of pylibmc: zlib.
const COMPRESSED: u32 = 8;
/// A few bytes may say that they are very many; memcached's own limit for values is 1 GiB.
const MOST_INFLATED: u64 = 1 << 30;

/// An entry, as its writer meant it: a number that became shorter is padded with blanks by the server.
pub(super) fn entry(bytes: &[u8], tokens: Tokens<'_>) -> Result<Entry, Problem> {
    let (bytes, flags) = inflated(bytes, tokens.flags()?);
    let flags = Flags(match flags {
        PYLIBMC_INTEGER => Flags::INTEGER.0,
        other => other,
    });
    let bytes = match bytes {
        Cow::Borrowed(bytes) if flags == Flags::INTEGER => Bytes::copy_from_slice(bytes.trim_ascii_end()),
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut entry = Entry::new(bytes, flags);
    entry.cas = tokens.cas();
    entry.deadline = tokens.ttl().flatten().map(|seconds| {
        let clock = Clock::system();
        clock.deadline(clock.now_ms().saturating_add(seconds.saturating_mul(1000)))
    });
    Ok(entry)
}

/// What cannot be inflated stays as it is: its flags say nothing that a codec knows, which is an error of the reader.
fn inflated(bytes: &[u8], flags: u32) -> (Cow<'_, [u8]>, u32) {
    if flags & COMPRESSED == 0 || flags & !0b1_1111 != 0 {
        return (bytes.into(), flags);
    }
    let mut plain = Vec::new();
    match ZlibDecoder::new(bytes).take(MOST_INFLATED + 1).read_to_end(&mut plain) {
        Ok(size) if size as u64 <= MOST_INFLATED => (plain.into(), flags & !COMPRESSED),
        Ok(_) | Err(_) => (bytes.into(), flags),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotclub_memcached::reply::{Reply, parse};

    fn read(flags: u32, value: &[u8]) -> Entry {
        let wire = [format!("VA {} f{flags}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat();
        match parse(&wire, &mut 0).unwrap() {
            Reply::Value(bytes, tokens) => entry(bytes, tokens).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_compressed_is_read_as_what_it_was() {
        // zlib.compress(b"hi" * 300)
        let compressed = b"\x78\x9c\xcb\xc8\xcc\x18\x85\xa3\x90\xea\x10\x00\x91\x99\xf4\xed";
        let garbage = read(16 | 8, b"no zlib");
        assert_eq!((garbage.value.as_ref(), garbage.flags), (&b"no zlib"[..], Flags(24)));
        let text = read(16 | 8, compressed);
        assert_eq!((text.value, text.flags), (Bytes::from("hi".repeat(300)), Flags(16)));
    }

    #[test]
    fn numbers_of_both_libraries_are_numbers() {
        for flags in [2, 4] {
            let entry = read(flags, b"9 ");
            assert_eq!((entry.value.as_ref(), entry.flags), (&b"9"[..], Flags::INTEGER));
        }
    }
}
