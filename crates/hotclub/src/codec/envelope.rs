//! What a codec wrote, told by the first byte: for stores that keep bytes and nothing beside them (Redis).
//!
//! Whole numbers are bare decimal digits and pickles are bare pickles, as Django has them: with the codec
//! `django` a cache of ours and one of Django's write the same bytes. Before anything else stands one byte that
//! starts nothing of Django's, of django-redis' or of django-vcache's:
//!
//! | byte | what follows |
//! | --- | --- |
//! | `c1` | MessagePack |
//! | `f5` | JSON |
//! | `f6` | bytes as they are |
//! | `f7` | UTF-8 text |
//!
//! None of them is found in UTF-8 (so they start no decimal digits, JSON, prefix of django-vcache's or pickle of
//! protocol 0), is an opcode of pickle (all below 98), or starts what a compressor writes (zlib `78`, gzip `1f`,
//! lz4 `04`, xz `fd`, zstd `28`). In MessagePack `c1` is never used, and the others would be whole numbers from
//! -11 to -9, which nobody writes so. Django's readers refuse all four (`UnpicklingError`).
use super::integer;
use crate::entry::Flags;
use bytes::Bytes;

const BYTES: [(u8, Flags); 4] =
    [(0xc1, Flags::MESSAGE_PACK), (0xf5, Flags::JSON), (0xf6, Flags::RAW), (0xf7, Flags::TEXT)];

/// Puts into the bytes what the flags say.
pub(crate) fn close(bytes: Bytes, flags: Flags) -> Bytes {
    match BYTES.iter().find(|(_, known)| *known == flags) {
        Some((first, _)) => {
            let mut closed = Vec::with_capacity(1 + bytes.len());
            closed.push(*first);
            closed.extend_from_slice(&bytes);
            Bytes::from(closed)
        }
        None => bytes,
    }
}

/// The bytes without what [`close`] put there, and what it says. What is no whole number (Python's `int` decides)
/// and has no byte of ours is a pickle, or nothing that can be read.
pub(crate) fn open(bytes: &[u8]) -> (&[u8], Flags) {
    let ours = |first: &u8| BYTES.iter().find(|(known, _)| known == first).map(|(_, flags)| *flags);
    match bytes.first().and_then(ours) {
        Some(flags) => (&bytes[1..], flags),
        None if integer::is_pythons(bytes) => (bytes, Flags::INTEGER),
        None => (bytes, Flags::PICKLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;

    #[test]
    fn what_is_closed_opens_as_it_was() {
        for flags in BYTES.map(|(_, flags)| flags) {
            for bytes in [&b""[..], b"\xc1", b"42", b"\x80\x05N."] {
                let closed = close(Bytes::copy_from_slice(bytes), flags);
                assert_eq!((closed.len(), open(&closed)), (bytes.len() + 1, (bytes, flags)));
            }
        }
    }

    #[test]
    fn numbers_and_pickles_are_bare() {
        for (bytes, flags) in [
            (&b"42"[..], Flags::INTEGER),
            (b"-7", Flags::INTEGER),
            (b"1208925819614629174706176", Flags::INTEGER),
            (b"\x80\x05\x88.", Flags::PICKLE),
            (b"(lp0\nI1\na.", Flags::PICKLE),
        ] {
            assert_eq!(close(Bytes::from_static(bytes), flags), bytes);
            assert_eq!(open(bytes), (bytes, flags));
        }
    }

    /// The bytes that start what Django, django-redis and django-vcache write: WIRE.md, sections 2 to 5 and 9.
    #[test]
    fn our_bytes_start_nothing_of_theirs() {
        let compressors = [0x78, 0x1f, 0x04, 0xfd, 0x28];
        for (first, _) in BYTES {
            assert!(first > 0x97, "{first:x} is an opcode of pickle, a digit, a blank, a sign or a letter");
            assert!(!compressors.contains(&first));
            assert!(std::str::from_utf8(&[first]).is_err() && std::str::from_utf8(&[first, 0x80]).is_err());
            for codec in [Codec::Pickle, Codec::MessagePack] {
                let (bytes, _) = codec.encode("text").unwrap();
                assert_ne!(bytes[0], first);
            }
        }
    }

    #[test]
    fn nothing_readable_is_found_in_nothing() {
        assert_eq!(open(b""), (&b""[..], Flags::PICKLE));
        assert!(Codec::decode::<String>(b"", Flags::PICKLE).is_err());
    }
}
