//! Replies of memcached: where they end, whatever pieces they come in, and what they say.
use super::split;
use crate::testing::Random;
use hotclub_memcached::reply::{Reply, Skim, Tokens, parse, values};
use hotclub_net::{Malformed, Skimmed};

/// What both readers say of bytes that stop in the middle of a reply.
const CUT: Malformed = Malformed("it ends too early");

/// Any bytes, in any pieces, have the same ends; what is whole is read or refused, and never missed a part.
///
/// The first byte says how the rest is cut.
pub fn memcached_replies(data: &[u8]) {
    let Some((&cuts, bytes)) = data.split_first() else { return };
    let whole = Found::at_once(bytes);
    let mut random = Random::new(cuts.into());
    let pieces = Found::in_pieces(bytes, |left| 1 + random.below(left.min(40)));
    assert_eq!(pieces, whole, "pieces have other ends");
    assert_eq!(Found::in_pieces(bytes, |_| 1), whole, "single bytes have other ends");
    whole.counted_in_one_step(bytes);
    let mut start = 0;
    for &end in &whole.ends {
        reads(&bytes[..end], start);
        start = end;
    }
    // What follows is no whole reply; reading it is an error all the same.
    assert!(parse(bytes, &mut { start }).is_err(), "read what was not found");
    assert!(values(bytes, &mut { start }, |_, _, _| Ok(())).is_err(), "read what was not found");
    reads_what_was_written(bytes);
}

/// How far whole replies go, and whether what follows is waited for or refused.
#[derive(Debug, Default, PartialEq)]
struct Found {
    ends: Vec<usize>,
    malformed: Option<Malformed>,
}

impl Found {
    fn at_once(bytes: &[u8]) -> Self {
        let mut found = Found::default();
        found.look(&mut Skim::default(), bytes);
        found
    }

    /// Bytes come one by one, or a few at a time, as they are cut from those that are left.
    fn in_pieces(bytes: &[u8], mut cut: impl FnMut(usize) -> usize) -> Self {
        let (mut found, mut skim) = (Found::default(), Skim::default());
        let mut length = 0;
        while length < bytes.len() && found.malformed.is_none() {
            let needs = skim.needs();
            length += cut(bytes.len() - length);
            let before = found.ends.len();
            found.look(&mut skim, &bytes[..length]);
            let idle = found.ends.len() == before && found.malformed.is_none();
            assert!(length >= needs || idle, "there was something to see before {needs} bytes");
        }
        found
    }

    /// Finds what is whole by now, reply by reply.
    fn look(&mut self, skim: &mut Skim, bytes: &[u8]) {
        loop {
            let last = skim.position();
            match skim.advance(bytes, self.ends.len() + 1) {
                Ok(true) => {
                    assert!(skim.position() > last && skim.position() <= bytes.len(), "{skim:?}");
                    self.ends.push(skim.position());
                }
                Ok(false) => return,
                Err(malformed) => {
                    self.malformed = Some(malformed);
                    return;
                }
            }
        }
    }

    /// As many as were found one by one are found when all are asked for together.
    fn counted_in_one_step(&self, bytes: &[u8]) {
        let mut skim = Skim::default();
        assert_eq!(skim.advance(bytes, self.ends.len()), Ok(true));
        assert_eq!(skim.position(), self.ends.last().copied().unwrap_or_default());
    }
}

/// Reads the whole reply that begins at `start` and ends with the bytes, as the answer to one key and to many.
fn reads(bytes: &[u8], start: usize) {
    let mut position = start;
    match parse(bytes, &mut position) {
        Ok(reply) => {
            assert_eq!(position, bytes.len(), "{reply:?}");
            if let Reply::Value(_, tokens) | Reply::Done(tokens) = reply {
                asks(tokens);
            }
        }
        Err(malformed) => assert_ne!(malformed, CUT),
    }
    position = start;
    let mut each = |_: &[u8], _: &[u8], tokens| {
        asks(tokens);
        Ok(())
    };
    match values(bytes, &mut position, &mut each) {
        Ok(instead) => assert_eq!(position, bytes.len(), "{instead:?}"),
        Err(malformed) => assert_ne!(malformed, CUT),
    }
}

/// Whatever stands beside a value, asking for it is safe.
fn asks(tokens: Tokens<'_>) {
    let _ = (tokens.flags(), tokens.cas(), tokens.ttl(), tokens.opaque());
    let _ = (tokens.is_stale(), tokens.has_won(), tokens.is_being_made());
}

/// A value comes back as a server sends it, also where its bytes look like replies.
fn reads_what_was_written(bytes: &[u8]) {
    let (first, second) = split(bytes);
    let flags = u32::from(first.first().copied().unwrap_or_default()) << 24 | first.len() as u32;
    let meta = [format!("VA {} f{flags} t-1\r\n", second.len()).as_bytes(), second, b"\r\n"].concat();
    match parse(&meta, &mut 0) {
        Ok(Reply::Value(value, tokens)) => assert_eq!((value, tokens.flags()), (second, Ok(flags))),
        other => panic!("{other:?}"),
    }
    let older = |key: &str, value: &[u8]| {
        let head = format!("VALUE {key} {flags} {}\r\n", value.len());
        [head.as_bytes(), value, b"\r\n"].concat()
    };
    let many = [older("a", first), older("b", second), b"END\r\n".to_vec()].concat();
    let mut read = Vec::new();
    let instead = values(&many, &mut 0, |key, value, tokens| {
        read.push((key, value, tokens.flags()?));
        Ok(())
    });
    assert_eq!(instead, Ok(None));
    assert_eq!(read, [(&b"a"[..], first, flags), (&b"b"[..], second, flags)]);
    assert_eq!(Found::at_once(&many).ends, [many.len()]);
}
