//! One entry as bytes: the pickle of its deadline, directly followed by the zlib stream of the pickle of its value.
//!
//! As Django 5.2 to 6.1 write it. What stands behind the zlib stream is left over from `touch`, which Django writes in
//! place, and is ignored.
use crate::codec::pickle;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::cell::Cell;
use std::io;

/// When an entry ends: seconds since 1970, or never.
pub(super) type Expiry = Option<f64>;

/// A pickled deadline has no more bytes: protocol 5 needs 21, older ones a few words.
pub(super) const MOST_HEADER: usize = 128;
/// A few bytes may say that they are very many.
const MOST_VALUE: usize = 1 << 30;

const NEVER: &[u8] = b"\x80\x05N.";
const FLOAT: &[u8] = b"\x80\x05\x95\x0a\0\0\0\0\0\0\0G";

/// Puts the deadline behind what is in `to`.
pub(super) fn write_expiry(expiry: Expiry, to: &mut Vec<u8>) {
    match expiry {
        None => to.extend_from_slice(NEVER),
        Some(seconds) => {
            to.extend_from_slice(FLOAT);
            to.extend_from_slice(&seconds.to_be_bytes());
            to.push(b'.');
        }
    }
}

/// The deadline, and where the value begins. Django takes an empty file for an expired one.
pub(super) fn read_expiry(bytes: &[u8]) -> Result<(Expiry, usize), &'static str> {
    if bytes.is_empty() {
        return Ok((Some(0.0), 0));
    }
    if bytes.starts_with(NEVER) {
        return Ok((None, NEVER.len()));
    }
    if let Some(rest) = bytes.strip_prefix(FLOAT)
        && let Some((seconds, b".")) = rest.get(..9).and_then(|rest| rest.split_at_checked(8))
        && let Ok(seconds) = seconds.try_into()
    {
        return Ok((Some(f64::from_be_bytes(seconds)), FLOAT.len() + 9));
    }
    // An older protocol, or a whole number: rare, and read by the codec.
    let header = &bytes[..bytes.len().min(MOST_HEADER)];
    let end = (1..=header.len()).filter(|&end| header[end - 1] == b'.');
    for end in end {
        match pickle::value_from_slice(&header[..end]) {
            Ok(pickle::Value::None) => return Ok((None, end)),
            Ok(pickle::Value::Float(seconds)) => return Ok((Some(seconds), end)),
            #[expect(clippy::cast_precision_loss, reason = "seconds of a deadline")]
            Ok(pickle::Value::Int(seconds)) => return Ok((Some(seconds as f64), end)),
            _ => {}
        }
    }
    Err("the file does not begin with a deadline")
}

/// Whether an entry with this deadline is over (Django: `exp < now`).
pub(super) fn is_over(expiry: Expiry, now: f64) -> bool {
    expiry.is_some_and(|expiry| expiry < now)
}

thread_local! {
    /// Making one costs more than compressing a small value; taken out while in use.
    static DEFLATE: Cell<Option<(u32, Compress)>> = const { Cell::new(None) };
    static INFLATE: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// Puts the compressed value behind what is in `to`.
pub(super) fn deflate(value: &[u8], level: u32, mut to: Vec<u8>) -> io::Result<Vec<u8>> {
    let known = DEFLATE.take().filter(|(known, _)| *known == level);
    let (_, mut stream) = known.unwrap_or_else(|| (level, Compress::new(Compression::new(level), true)));
    stream.reset();
    // What does not get smaller gets a little larger.
    to.reserve(value.len() + value.len() / 1000 + 32);
    loop {
        let rest = value.get(position(stream.total_in())..).unwrap_or_default();
        match stream.compress_vec(rest, &mut to, FlushCompress::Finish).map_err(io::Error::other)? {
            Status::StreamEnd => break,
            Status::Ok | Status::BufError => to.reserve(1024),
        }
    }
    DEFLATE.set(Some((level, stream)));
    Ok(to)
}

/// The value of a zlib stream; what stands behind it is ignored.
pub(super) fn inflate(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut stream = INFLATE.take().unwrap_or_else(|| Decompress::new(true));
    stream.reset(true);
    let mut value = Vec::with_capacity(bytes.len().saturating_mul(3).clamp(64, 1 << 20));
    loop {
        let (before, read) = (value.len(), stream.total_in());
        let rest = bytes.get(position(read)..).unwrap_or_default();
        match stream.decompress_vec(rest, &mut value, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => break,
            Ok(Status::Ok | Status::BufError) if value.len() == value.capacity() => {
                if value.len() > MOST_VALUE {
                    return Err("the value is larger than any that is written");
                }
                value.reserve(value.len().max(1024));
            }
            // There was room and nothing came: the stream is not whole.
            Ok(_) if value.len() == before && stream.total_in() == read => {
                return Err("the value is no whole zlib stream");
            }
            Ok(_) => {}
            Err(_) => return Err("the value is no whole zlib stream"),
        }
    }
    INFLATE.set(Some(stream));
    Ok(value)
}

fn position(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    #[test]
    fn deadlines_are_written_and_read_as_django_does() {
        for (expiry, golden) in
            [(Some(1_800_000_000.0), "8005950a000000000000004741dad274800000002e"), (None, "80054e2e")]
        {
            let mut bytes = Vec::new();
            write_expiry(expiry, &mut bytes);
            assert_eq!(bytes, hex(golden));
            bytes.extend_from_slice(b"behind");
            assert_eq!(read_expiry(&bytes), Ok((expiry, golden.len() / 2)));
        }
        // pickle.dumps(1800000000.5, 0) and pickle.dumps(1800000000, 2)
        assert_eq!(read_expiry(b"F1800000000.5\n.rest"), Ok((Some(1_800_000_000.5), 15)));
        assert_eq!(read_expiry(&hex("80024a00d2496b2eff")), Ok((Some(1_800_000_000.0), 8)));
        // An empty file is over.
        assert_eq!(read_expiry(b""), Ok((Some(0.0), 0)));
        for nonsense in [&b"\x80"[..], b"no deadline at all", b"\x80\x05\x88."] {
            assert!(read_expiry(nonsense).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn values_are_read_that_django_wrote_and_leftovers_are_ignored() {
        for (golden, pickled) in [
            ("789c6b609dcac600013d4c199953f40019730342", "80059506000000000000008c026869942e"),
            ("789c6b60f5d6d2030003fc0129", "80054b2a2e"),
        ] {
            assert_eq!(inflate(&hex(golden)).unwrap(), hex(pickled));
            let again = deflate(&hex(pickled), 6, Vec::new()).unwrap();
            assert_eq!(inflate(&again).unwrap(), hex(pickled));
            let with_rest = [hex(golden), b"left over".to_vec()].concat();
            assert_eq!(inflate(&with_rest).unwrap(), hex(pickled));
            let whole = hex(golden);
            assert!((0..whole.len()).all(|cut| inflate(&whole[..cut]).is_err()));
        }
    }

    #[test]
    fn large_and_small_values_come_back_at_every_level() {
        let noise: Vec<u8> =
            (0..300_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        for value in [&b""[..], b"a", &[7; 1_000_000], &noise] {
            for level in [0, 1, 6, 9] {
                let bytes = deflate(value, level, b"head".to_vec()).unwrap();
                assert!(bytes.starts_with(b"head"));
                assert!(inflate(&bytes[4..]).unwrap() == value, "{} bytes, level {level}", value.len());
            }
        }
    }

    #[test]
    fn an_entry_ends_after_its_deadline() {
        assert!(!is_over(None, 5.0) && !is_over(Some(5.0), 5.0) && is_over(Some(5.0), 5.1));
    }
}
