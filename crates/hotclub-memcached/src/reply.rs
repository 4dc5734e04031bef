//! Replies out of bytes: first how far whole ones go, then views of them.
use hotclub_net::{Malformed, Skimmed};

/// A line has fewer bytes than this; it holds a key, numbers, and words.
const MOST_LINE: usize = 2048;
/// No value is larger: the server's own limit (`-I`) is 1 GiB at most.
const MOST_VALUE: usize = 1 << 30;

/// So many replies are wanted as come up to that of `mn`: quiet requests are answered only where something went wrong.
pub const UP_TO_NOOP: usize = usize::MAX;

/// One reply. Values and words lie in the buffer that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// A value, with what was asked beside it (`VA`, `VALUE`).
    Value(&'a [u8], Tokens<'a>),
    /// Done (`HD`, `STORED`, `DELETED`, `TOUCHED`, `OK`, `MN`).
    Done(Tokens<'a>),
    /// There is no such entry (`EN`, `NF`, `NOT_FOUND`, `END`).
    Missing,
    /// Its condition did not hold (`NS`, `NOT_STORED`).
    NotStored,
    /// It was changed since it was read (`EX`, `EXISTS`).
    Changed,
    /// The sum, from a server that knows only the older commands.
    Number(u64),
    /// What follows a word that says what it is: `VERSION 1.6.18`, `ME key …`.
    Text(&'a [u8]),
    /// The request is unknown here (`ERROR`).
    Unknown,
    /// The request was wrong (`CLIENT_ERROR`).
    ClientError(&'a [u8]),
    /// The server could not do it (`SERVER_ERROR`).
    ServerError(&'a [u8]),
}

/// What a reply says beside its value: single letters with something behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens<'a> {
    words: &'a [u8],
    /// The older commands give flags and id without letters.
    text: bool,
}

impl<'a> Tokens<'a> {
    /// What stands behind a letter.
    pub fn get(&self, letter: u8) -> Option<&'a [u8]> {
        let mut words = self.words.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        words.find_map(|word| word.strip_prefix(&[letter]))
    }

    /// What the value is, as its writer said it.
    #[inline]
    pub fn flags(&self) -> Result<u32, Malformed> {
        let given = match self.words {
            // Nothing else was asked, mostly.
            [b' ', b'f', digits @ ..] if !self.text && !digits.contains(&b' ') => Some(digits),
            _ if self.text => self.word(0),
            _ => self.get(b'f'),
        };
        let number = given.map_or(Some(0), number);
        number.and_then(|flags| u32::try_from(flags).ok()).ok_or(Malformed("flags that are no number"))
    }

    /// The id for compare-and-swap.
    pub fn cas(&self) -> Option<u64> {
        if self.text { self.word(2).and_then(number) } else { self.get(b'c').and_then(number) }
    }

    /// Seconds left; `Some(None)`: for ever. `None`: it was not asked, or is not known.
    pub fn ttl(&self) -> Option<Option<u64>> {
        let left = self.get(b't')?;
        if left == b"-1" { Some(None) } else { number(left).map(Some) }
    }

    /// The number that came with the request.
    pub fn opaque(&self) -> Option<u64> {
        self.get(b'O').and_then(number)
    }

    /// The value was declared stale (`X`).
    pub fn is_stale(&self) -> bool {
        self.get(b'X').is_some()
    }

    /// This client is the one that is to make the value anew (`W`).
    pub fn has_won(&self) -> bool {
        self.get(b'W').is_some()
    }

    /// Another client makes the value anew already (`Z`).
    pub fn is_being_made(&self) -> bool {
        self.get(b'Z').is_some()
    }

    /// A word of `VALUE key flags bytes cas`, behind the key.
    fn word(&self, at: usize) -> Option<&'a [u8]> {
        self.words.split(|&byte| byte == b' ').nth(at)
    }
}

/// How far whole replies go in a buffer that grows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Skim {
    position: usize,
    replies: usize,
    needs: usize,
}

impl Skimmed for Skim {
    #[inline]
    fn advance(&mut self, bytes: &[u8], replies: usize) -> Result<bool, Malformed> {
        while self.replies < replies {
            let Some((line, next)) = line(bytes, self.position)? else { return Ok(false) };
            match size_of_value(line)? {
                Some(size) => {
                    let end = next + size + 2;
                    if bytes.len() < end {
                        self.needs = end;
                        return Ok(false);
                    }
                    self.position = end;
                    // An older `get` says behind its value that there are no more.
                    self.replies += usize::from(line.starts_with(b"VA "));
                }
                None => {
                    self.position = next;
                    self.replies += 1;
                    if replies == UP_TO_NOOP && line == b"MN" {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(true)
    }

    fn position(&self) -> usize {
        self.position
    }

    fn needs(&self) -> usize {
        self.needs
    }
}

/// The reply that begins at this place; the place is moved behind it.
///
/// # Errors
/// Bytes that are no reply, or not a whole one.
#[inline]
pub fn parse<'a>(bytes: &'a [u8], position: &mut usize) -> Result<Reply<'a>, Malformed> {
    let (head, next) = line(bytes, *position)?.ok_or(CUT)?;
    let Some(size) = size_of_value(head)? else {
        *position = next;
        return reply_without_value(head);
    };
    let value = value_at(bytes, next, size)?;
    *position = next + size + 2;
    if head.starts_with(b"VA ") {
        let words = head[3..].iter().position(|&byte| byte == b' ').map_or(&[][..], |at| &head[3 + at..]);
        return Ok(Reply::Value(value, Tokens { words, text: false }));
    }
    let (end, behind) = line(bytes, *position)?.ok_or(CUT)?;
    if end != b"END" {
        return Err(Malformed("more values than keys"));
    }
    *position = behind;
    let words = head[6..].iter().position(|&byte| byte == b' ').map_or(&[][..], |at| &head[6 + at + 1..]);
    Ok(Reply::Value(value, Tokens { words, text: true }))
}

/// Whether a quiet batch went through without a word.
#[inline]
pub fn is_quiet(bytes: &[u8]) -> bool {
    bytes == b"MN\r\n"
}

/// The values that answer one `get` of many keys, each with its key as it was sent. What comes instead of their end is
/// handed back.
///
/// # Errors
/// Bytes that are no such reply, or not a whole one; what `each` finds wrong.
pub fn values<'a>(
    bytes: &'a [u8],
    position: &mut usize,
    mut each: impl FnMut(&'a [u8], &'a [u8], Tokens<'a>) -> Result<(), Malformed>,
) -> Result<Option<Reply<'a>>, Malformed> {
    loop {
        let (head, next) = line(bytes, *position)?.ok_or(CUT)?;
        let (Some(size), Some(rest)) = (size_of_value(head)?, head.strip_prefix(b"VALUE ")) else {
            *position = next;
            return match reply_without_value(head)? {
                Reply::Missing => Ok(None),
                other => Ok(Some(other)),
            };
        };
        let value = value_at(bytes, next, size)?;
        *position = next + size + 2;
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        let words = rest.get(end + 1..).unwrap_or_default();
        each(&rest[..end], value, Tokens { words, text: true })?;
    }
}

const CUT: Malformed = Malformed("it ends too early");

#[inline]
fn value_at(bytes: &[u8], start: usize, size: usize) -> Result<&[u8], Malformed> {
    let value = bytes.get(start..start + size).ok_or(CUT)?;
    match bytes.get(start + size..start + size + 2) {
        Some(b"\r\n") => Ok(value),
        _ => Err(Malformed("a value that is longer than it was said to be")),
    }
}

#[inline]
fn reply_without_value(head: &[u8]) -> Result<Reply<'_>, Malformed> {
    let (word, rest) = match head.iter().position(|&byte| byte == b' ') {
        Some(at) => (&head[..at], &head[at + 1..]),
        None => (head, &[][..]),
    };
    Ok(match word {
        b"HD" => Reply::Done(Tokens { words: rest, text: false }),
        b"EN" | b"NF" | b"NOT_FOUND" | b"END" => Reply::Missing,
        b"NS" | b"NOT_STORED" => Reply::NotStored,
        b"EX" | b"EXISTS" => Reply::Changed,
        b"MN" | b"OK" | b"STORED" | b"DELETED" | b"TOUCHED" => Reply::Done(Tokens::default()),
        b"ERROR" if rest.is_empty() => Reply::Unknown,
        // "Too many open connections", and the end of this one.
        b"ERROR" => Reply::ServerError(rest),
        b"CLIENT_ERROR" => Reply::ClientError(rest),
        b"SERVER_ERROR" => Reply::ServerError(rest),
        b"VERSION" | b"ME" => Reply::Text(rest),
        digits => Reply::Number(number(digits).ok_or(Malformed("a line that is no reply of memcached"))?),
    })
}

/// The line that begins there, without its end, and where the next one begins.
#[inline]
fn line(bytes: &[u8], start: usize) -> Result<Option<(&[u8], usize)>, Malformed> {
    let rest = bytes.get(start..).unwrap_or_default();
    let sight = &rest[..rest.len().min(MOST_LINE)];
    match memchr::memchr(b'\n', sight) {
        Some(end) if end > 0 && sight[end - 1] == b'\r' => Ok(Some((&sight[..end - 1], start + end + 1))),
        Some(_) => Err(Malformed("a line without its end")),
        None if sight.len() == MOST_LINE => Err(Malformed("a line that is too long")),
        None => Ok(None),
    }
}

/// How many bytes follow this line.
#[inline]
fn size_of_value(line: &[u8]) -> Result<Option<usize>, Malformed> {
    let digits = if let Some(rest) = line.strip_prefix(b"VA ") {
        Some(&rest[..rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len())])
    } else if let Some(rest) = line.strip_prefix(b"VALUE ") {
        rest.split(|&byte| byte == b' ').nth(2)
    } else {
        return Ok(None);
    };
    let size = digits.and_then(number).and_then(|size| usize::try_from(size).ok());
    match size {
        Some(size) if size <= MOST_VALUE => Ok(Some(size)),
        _ => Err(Malformed("a value without its size")),
    }
}

#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bytes: &[u8]) -> Reply<'_> {
        let mut position = 0;
        let reply = parse(bytes, &mut position).unwrap();
        assert_eq!(position, bytes.len());
        let mut skim = Skim::default();
        assert!(skim.advance(bytes, 1).unwrap());
        assert_eq!(skim.position(), bytes.len());
        for cut in 0..bytes.len() {
            let mut skim = Skim::default();
            assert!(!skim.advance(&bytes[..cut], 1).unwrap(), "{cut}");
            assert!(parse(&bytes[..cut], &mut 0).is_err(), "{cut}");
        }
        reply
    }

    #[test]
    fn values_come_with_what_was_asked_beside_them() {
        let Reply::Value(value, tokens) = one(b"VA 5 f16 c7 t-1 O3 W X\r\na\r\nb \r\n") else { panic!() };
        assert_eq!((value, tokens.flags().unwrap(), tokens.cas()), (&b"a\r\nb "[..], 16, Some(7)));
        assert_eq!((tokens.ttl(), tokens.opaque()), (Some(None), Some(3)));
        assert!(tokens.has_won() && tokens.is_stale() && !tokens.is_being_made());
        let Reply::Value(value, tokens) = one(b"VALUE :1:k 4 2 99\r\n42\r\nEND\r\n") else { panic!() };
        assert_eq!((value, tokens.flags().unwrap(), tokens.cas()), (&b"42"[..], 4, Some(99)));
        let Reply::Value(value, tokens) = one(b"VA 0 t60\r\n\r\n") else { panic!() };
        assert_eq!((value, tokens.flags().unwrap(), tokens.ttl()), (&b""[..], 0, Some(Some(60))));
    }

    #[test]
    fn everything_else_is_a_line() {
        for done in ["HD", "HD O3 c5", "MN", "OK", "STORED", "DELETED", "TOUCHED"] {
            assert!(matches!(one(format!("{done}\r\n").as_bytes()), Reply::Done(_)), "{done}");
        }
        for missing in ["EN", "NF", "NOT_FOUND", "END", "NF O5"] {
            assert_eq!(one(format!("{missing}\r\n").as_bytes()), Reply::Missing, "{missing}");
        }
        assert_eq!(one(b"NS\r\n"), Reply::NotStored);
        assert_eq!(one(b"EX\r\n"), Reply::Changed);
        assert_eq!(one(b"18446744073709551615\r\n"), Reply::Number(u64::MAX));
        assert_eq!(one(b"ERROR\r\n"), Reply::Unknown);
        assert_eq!(one(b"VERSION 1.6.18\r\n"), Reply::Text(b"1.6.18"));
        let words = b"object too large for cache";
        assert_eq!(one(b"SERVER_ERROR object too large for cache\r\n"), Reply::ServerError(words));
        assert_eq!(one(b"CLIENT_ERROR bad\r\n"), Reply::ClientError(b"bad"));
    }

    #[test]
    fn garbage_is_an_error_and_is_never_waited_for() {
        let long = vec![b'x'; MOST_LINE];
        let garbage: [&[u8]; 8] = [
            b"HTTP/1.1 400 Bad Request\r\n",
            b"+OK\r\n",
            b"VA x f1\r\n",
            b"VA -1\r\n",
            b"VA 99999999999999999999\r\n",
            b"VALUE k 0\r\n",
            b"HD\n",
            &long,
        ];
        for bytes in garbage {
            let skimmed = Skim::default().advance(bytes, 1);
            assert!(skimmed.is_err() || parse(bytes, &mut 0).is_err(), "{bytes:?}");
        }
        assert!(parse(b"VA 2\r\nabc\r\n", &mut 0).is_err());
        assert!(parse(b"VALUE k 0 1\r\na\r\nVALUE k 0 1\r\na\r\nEND\r\n", &mut 0).is_err());
    }

    #[test]
    fn one_request_for_many_keys_is_answered_with_those_that_are_there() {
        let bytes = b"VALUE :1:a 16 2\r\nhi\r\nVALUE :1:c 2 1\r\n7\r\nEND\r\n";
        let mut found = Vec::new();
        let mut collect = |key: &[u8], value: &[u8], tokens: Tokens<'_>| {
            found.push((key.to_vec(), value.to_vec(), tokens.flags()?));
            Ok(())
        };
        let mut position = 0;
        assert_eq!(values(bytes, &mut position, &mut collect).unwrap(), None);
        assert_eq!(position, bytes.len());
        for cut in 0..bytes.len() {
            assert!(values(&bytes[..cut], &mut 0, |_, _, _| Ok(())).is_err(), "{cut}");
            assert!(!Skim::default().advance(&bytes[..cut], 1).unwrap(), "{cut}");
        }
        assert!(Skim::default().advance(bytes, 1).unwrap());
        let expected = [(b":1:a".to_vec(), b"hi".to_vec(), 16), (b":1:c".to_vec(), b"7".to_vec(), 2)];
        assert_eq!(found, expected);
        let broken = b"VALUE :1:a 16 2\r\nhi\r\nSERVER_ERROR out of memory writing get response\r\n";
        let instead = values(broken, &mut 0, |_, _, _| Ok(())).unwrap();
        assert_eq!(instead, Some(Reply::ServerError(b"out of memory writing get response")));
        assert!(Skim::default().advance(broken, 1).unwrap());
    }

    #[test]
    fn quiet_requests_are_answered_up_to_the_noop() {
        let bytes = b"SERVER_ERROR object too large for cache\r\nNS\r\nMN\r\n";
        let mut skim = Skim::default();
        for cut in 0..bytes.len() {
            assert!(!skim.advance(&bytes[..cut], UP_TO_NOOP).unwrap(), "{cut}");
        }
        assert!(skim.advance(bytes, UP_TO_NOOP).unwrap());
        assert_eq!(skim.position(), bytes.len());
        assert!(is_quiet(b"MN\r\n") && !is_quiet(bytes));
    }

    #[test]
    fn many_replies_are_counted_as_they_come() {
        let bytes = b"VA 1 f0\r\na\r\nEN\r\nHD\r\nVALUE k 0 1\r\nb\r\nEND\r\nEND\r\n";
        let mut skim = Skim::default();
        for cut in 0..bytes.len() {
            assert!(!skim.advance(&bytes[..cut], 5).unwrap(), "{cut}");
        }
        assert!(skim.advance(bytes, 5).unwrap());
        assert_eq!(skim.position(), bytes.len());
    }
}
