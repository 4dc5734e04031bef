//! RESP2 and RESP3 replies as pure bytes: first "is it all there?", then a view of what it says.
//!
//! [`Skim`] goes over a buffer that grows and stops where the last wanted reply ends; it remembers its place,
//! so nothing is looked at twice. [`parse`] then makes a view of one whole reply. Every door uses both.
pub use hotclub_net::Malformed;
use hotclub_net::Skimmed;

/// A reply that lies whole in a buffer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply<'a> {
    /// Nothing: a missing key, a condition that did not hold.
    Nil,
    /// A short text of success, mostly `OK`.
    Status(&'a [u8]),
    /// The server refuses: a code word, a blank, and the reason.
    Error(&'a [u8]),
    /// A whole number.
    Integer(i64),
    /// Bytes.
    Bulk(&'a [u8]),
    /// Several replies; RESP3 sets and pushes too.
    Array(Vec<Reply<'a>>),
    /// RESP3: pairs.
    Map(Vec<(Reply<'a>, Reply<'a>)>),
    /// RESP3: a number with a fraction.
    Double(f64),
    /// RESP3: a truth value.
    Boolean(bool),
}

/// No header line of ours is longer: type, number, CR, LF. Error texts may be.
const LONGEST_LINE: usize = 64 * 1024;
/// Redis refuses more by default (`proto-max-bulk-len`); a server may be set to more, but never to this.
const LARGEST_BULK: i64 = 1 << 40;
const MOST_ELEMENTS: i64 = 1 << 32;
const DEEPEST: usize = 32;

/// How far a buffer has been seen to hold whole replies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skim {
    position: usize,
    /// Elements that the reply being looked at still owes.
    owed: u64,
    /// Bytes of a bulk that must still come before anything is worth looking at.
    until: usize,
    whole: usize,
    /// What is being looked at is a push: nobody asked for it, and it counts as no reply.
    push: bool,
}

impl Skim {
    /// Looks at what is new, up to the end of reply number `wanted`; whether that many are whole.
    ///
    /// # Errors
    /// Bytes that are no RESP.
    #[inline]
    pub fn advance(&mut self, buffer: &[u8], wanted: usize) -> Result<bool, Malformed> {
        while self.whole < wanted {
            if buffer.len() < self.until.max(self.position + 1) {
                return Ok(false);
            }
            let Some(end) = line_end(buffer, self.position)? else { return Ok(false) };
            let (kind, line) = (buffer[self.position], &buffer[self.position + 1..end]);
            let mut next = end + 2;
            let mut more = 0;
            match kind {
                b'+' | b'-' | b',' | b'#' | b'_' | b'(' => {}
                b':' => drop(number(line)?),
                b'$' | b'=' | b'!' => {
                    let length = number(line)?;
                    if length > LARGEST_BULK {
                        return Err(Malformed("a value of more than a terabyte"));
                    }
                    if let Ok(length) = usize::try_from(length) {
                        next += length + 2;
                    }
                }
                b'*' | b'~' | b'>' => more = elements(line)?,
                b'%' => more = 2 * elements(line)?,
                // Attributes come before the reply that they belong to.
                b'|' => more = 2 * elements(line)? + 1,
                _ => return Err(Malformed("an unknown type of reply")),
            }
            if next > buffer.len() {
                self.until = next;
                return Ok(false);
            }
            if self.owed == 0 {
                self.push = kind == b'>';
            }
            self.owed = self.owed.saturating_sub(1) + more;
            self.position = next;
            if self.owed == 0 && !std::mem::take(&mut self.push) {
                self.whole += 1;
            }
        }
        Ok(true)
    }

    /// Where the last whole thing ends.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }

    /// How long the buffer will have to be before there is more to see, where that is known.
    #[inline]
    pub fn needs(&self) -> usize {
        self.until
    }
}

impl Skimmed for Skim {
    #[inline]
    fn advance(&mut self, bytes: &[u8], wanted: usize) -> Result<bool, Malformed> {
        Skim::advance(self, bytes, wanted)
    }

    #[inline]
    fn position(&self) -> usize {
        Skim::position(self)
    }

    #[inline]
    fn needs(&self) -> usize {
        Skim::needs(self)
    }
}

fn elements(line: &[u8]) -> Result<u64, Malformed> {
    let count = number(line)?;
    if count > MOST_ELEMENTS {
        return Err(Malformed("an array of more than four billion elements"));
    }
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Where the line that starts here has its CR; `None` if it is not all there.
#[inline]
fn line_end(buffer: &[u8], start: usize) -> Result<Option<usize>, Malformed> {
    let rest = &buffer[start..buffer.len().min(start + LONGEST_LINE)];
    match rest.iter().position(|&byte| byte == b'\n') {
        Some(at) if at > 0 && rest[at - 1] == b'\r' && at > 1 => Ok(Some(start + at - 1)),
        Some(_) => Err(Malformed("a line without CR LF")),
        None if rest.len() == LONGEST_LINE => Err(Malformed("a line without end")),
        None => Ok(None),
    }
}

#[inline]
fn number(line: &[u8]) -> Result<i64, Malformed> {
    const WRONG: Malformed = Malformed("a number that is none");
    let (negative, digits) = match line {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 {
        return Err(WRONG);
    }
    let mut value: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return Err(WRONG);
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    if negative {
        0_i64.checked_sub_unsigned(value).ok_or(WRONG)
    } else {
        i64::try_from(value).map_err(|_| WRONG)
    }
}

/// The reply that starts at `position`, which moves behind it. It must be all there ([`Skim`]).
///
/// # Errors
/// Bytes that are no RESP, or not all there.
pub fn parse<'a>(buffer: &'a [u8], position: &mut usize) -> Result<Reply<'a>, Malformed> {
    loop {
        let is_push = buffer.get(*position) == Some(&b'>');
        let reply = parse_at(buffer, position, 0)?;
        if !is_push {
            return Ok(reply);
        }
    }
}

const CUT: Malformed = Malformed("it ends too early");

fn parse_at<'a>(buffer: &'a [u8], position: &mut usize, depth: usize) -> Result<Reply<'a>, Malformed> {
    if depth > DEEPEST {
        return Err(Malformed("arrays within arrays without end"));
    }
    let start = *position;
    if start >= buffer.len() {
        return Err(CUT);
    }
    let end = line_end(buffer, start)?.ok_or(CUT)?;
    let line = &buffer[start + 1..end];
    *position = end + 2;
    Ok(match buffer[start] {
        b'$' => bulk(buffer, position, line)?.map_or(Reply::Nil, Reply::Bulk),
        b'+' => Reply::Status(line),
        b':' => Reply::Integer(number(line)?),
        b'-' => Reply::Error(line),
        b'*' | b'~' | b'>' => {
            let count = number(line)?;
            if count < 0 {
                return Ok(Reply::Nil);
            }
            // The count is the server's word; room is made only for what can lie in the buffer.
            let room = usize::try_from(count).unwrap_or(0).min(buffer.len() - *position);
            let mut items = Vec::with_capacity(room);
            for _ in 0..count {
                items.push(parse_at(buffer, position, depth + 1)?);
            }
            Reply::Array(items)
        }
        b'%' => {
            let mut pairs = Vec::new();
            for _ in 0..elements(line)? {
                let name = parse_at(buffer, position, depth + 1)?;
                pairs.push((name, parse_at(buffer, position, depth + 1)?));
            }
            Reply::Map(pairs)
        }
        b'_' => Reply::Nil,
        b'#' => Reply::Boolean(line == b"t"),
        b',' => {
            let text = std::str::from_utf8(line).ok();
            Reply::Double(text.and_then(|text| text.parse().ok()).ok_or(Malformed("a number that is none"))?)
        }
        b'(' => Reply::Bulk(line),
        b'=' => {
            // Verbatim text: three letters of its format and a colon stand before it.
            let text = bulk(buffer, position, line)?.unwrap_or_default();
            Reply::Bulk(text.get(4..).unwrap_or_default())
        }
        b'!' => Reply::Error(bulk(buffer, position, line)?.unwrap_or_default()),
        b'|' => {
            for _ in 0..2 * elements(line)? {
                parse_at(buffer, position, depth + 1)?;
            }
            parse_at(buffer, position, depth + 1)?
        }
        _ => return Err(Malformed("an unknown type of reply")),
    })
}

#[inline]
fn bulk<'a>(buffer: &'a [u8], position: &mut usize, line: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let Ok(length) = usize::try_from(number(line)?) else { return Ok(None) };
    let end = position.checked_add(length).ok_or(CUT)?;
    if buffer.get(end..end + 2).ok_or(CUT)? != b"\r\n" {
        return Err(Malformed("a value that does not end where it should"));
    }
    let bytes = &buffer[*position..end];
    *position = end + 2;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cut of the bytes is "not yet", the whole is there, and nothing behind it is touched.
    fn whole(bytes: &[u8]) -> Reply<'_> {
        let mut skim = Skim::default();
        for end in 0..bytes.len() {
            assert_eq!(skim.advance(&bytes[..end], 1), Ok(false), "cut at {end}");
        }
        let mut longer = bytes.to_vec();
        longer.extend_from_slice(b"+NEXT\r\n");
        assert_eq!(skim.advance(&longer, 1), Ok(true));
        assert_eq!(skim.position(), bytes.len());
        let mut position = 0;
        let reply = parse(bytes, &mut position).unwrap();
        assert_eq!(position, bytes.len());
        reply
    }

    #[test]
    fn every_type_of_reply_is_read_whole_or_not_at_all() {
        assert_eq!(whole(b"+OK\r\n"), Reply::Status(b"OK"));
        assert_eq!(whole(b"-ERR no\r\n"), Reply::Error(b"ERR no"));
        assert_eq!(whole(b":-42\r\n"), Reply::Integer(-42));
        assert_eq!(whole(b":9223372036854775807\r\n"), Reply::Integer(i64::MAX));
        assert_eq!(whole(b":-9223372036854775808\r\n"), Reply::Integer(i64::MIN));
        assert_eq!(whole(b"$-1\r\n"), Reply::Nil);
        assert_eq!(whole(b"$0\r\n\r\n"), Reply::Bulk(b""));
        assert_eq!(whole(b"$4\r\na\r\nb\r\n"), Reply::Bulk(b"a\r\nb"));
        assert_eq!(whole(b"*-1\r\n"), Reply::Nil);
        assert_eq!(whole(b"*0\r\n"), Reply::Array(vec![]));
        let nested = whole(b"*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n+OK\r\n");
        let inner = Reply::Array(vec![Reply::Integer(1), Reply::Nil]);
        assert_eq!(nested, Reply::Array(vec![Reply::Bulk(b"a"), inner, Reply::Status(b"OK")]));
        assert_eq!(whole(b"_\r\n"), Reply::Nil);
        assert_eq!(whole(b"#t\r\n"), Reply::Boolean(true));
        assert_eq!(whole(b",1.5\r\n"), Reply::Double(1.5));
        assert_eq!(whole(b"=6\r\ntxt:hi\r\n"), Reply::Bulk(b"hi"));
        assert_eq!(whole(b"!6\r\nERR no\r\n"), Reply::Error(b"ERR no"));
        assert_eq!(whole(b"%1\r\n+a\r\n:1\r\n"), Reply::Map(vec![(Reply::Status(b"a"), Reply::Integer(1))]));
        assert_eq!(whole(b"~1\r\n:1\r\n"), Reply::Array(vec![Reply::Integer(1)]));
        assert_eq!(whole(b"|1\r\n+ttl\r\n:1\r\n:7\r\n"), Reply::Integer(7));
    }

    #[test]
    fn a_push_is_no_reply() {
        assert_eq!(whole(b">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n:7\r\n"), Reply::Integer(7));
    }

    #[test]
    fn several_replies_are_counted() {
        let mut skim = Skim::default();
        assert_eq!(skim.advance(b"+QUEUED\r\n*2\r\n:1\r\n", 2), Ok(false));
        assert_eq!(skim.advance(b"+QUEUED\r\n*2\r\n:1\r\n:2\r\n", 2), Ok(true));
    }

    #[test]
    fn garbage_is_refused_and_never_waited_for() {
        for garbage in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\0\0\0\0\r\n",
            b"$x\r\n",
            b"$99999999999999\r\n",
            b"*99999999999999\r\n",
            b":\r\n",
            b":99999999999999999999\r\n",
            b"\r\n",
            b"+OK\n",
        ] {
            let mut skim = Skim::default();
            assert!(skim.advance(garbage, 1).is_err(), "{}", garbage.escape_ascii());
        }
        let endless = [b"+".as_slice(), &vec![b'a'; LONGEST_LINE]].concat();
        assert!(Skim::default().advance(&endless, 1).is_err());
        assert!(parse(b"$2\r\nabc\r\n", &mut 0).is_err());
    }

    #[test]
    fn arrays_without_end_do_not_overflow_the_stack() {
        let deep = b"*1\r\n".repeat(100_000);
        assert!(parse(&deep, &mut 0).is_err());
    }
}
