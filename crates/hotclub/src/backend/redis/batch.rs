//! Commands on their way: RESP bytes, and what a door must know to carry them.
use super::resp::{Malformed, Reply, Skim, parse};
use super::slot::slot_of;
pub use hotclub_net::{Effect, Received};

/// Where a command goes, in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// Any node will do.
    #[default]
    Anywhere,
    /// The node that has this hash slot, the one of its key.
    Slot(u16),
    /// Every primary, and each answers.
    Everywhere,
}

/// One command of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where its bytes begin and end.
    pub start: usize,
    /// See `start`.
    pub end: usize,
    /// Where it goes, in a cluster.
    pub target: Target,
}

/// One or more commands that are sent in one go. Made once, used again and again.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    verb: &'static str,
    effect: Effect,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    clustered: bool,
}

/// More room than this is given back after use: one huge value must not stay in memory for ever.
pub(crate) const MOST_SPARE: usize = 1 << 20;

impl Batch {
    /// Empties it for a verb of this name. `clustered`: the slots of keys are wanted.
    pub fn start(&mut self, verb: &'static str, effect: Effect, clustered: bool) {
        self.bytes.clear();
        self.bytes.shrink_to(MOST_SPARE);
        self.spans.clear();
        (self.verb, self.effect, self.clustered) = (verb, effect, clustered);
    }

    /// Begins a command of this many parts, the name included.
    #[inline]
    pub fn command(&mut self, name: &str, parts: usize) -> &mut Self {
        let start = self.bytes.len();
        self.spans.push(Span { start, end: start, target: Target::Anywhere });
        self.header(b'*', parts);
        self.arg(name.as_bytes())
    }

    /// The next part of the command.
    #[inline]
    pub fn arg(&mut self, part: &[u8]) -> &mut Self {
        self.header(b'$', part.len());
        self.bytes.extend_from_slice(part);
        self.end_part()
    }

    /// The next part of the command: its key, which decides about the node in a cluster.
    #[inline]
    pub fn key(&mut self, key: &[u8]) -> &mut Self {
        if self.clustered
            && let Some(span) = self.spans.last_mut()
            && span.target == Target::Anywhere
        {
            span.target = Target::Slot(slot_of(key));
        }
        self.arg(key)
    }

    /// The command goes where this key lives, though the key is no part of it.
    pub fn beside(&mut self, key: &[u8]) -> &mut Self {
        if self.clustered
            && let Some(span) = self.spans.last_mut()
        {
            span.target = Target::Slot(slot_of(key));
        }
        self
    }

    /// The command goes to every primary. A batch goes there with all its commands, or with none.
    ///
    /// In a cluster there are as many replies as there are primaries, for each command; else one.
    pub fn everywhere(&mut self) -> &mut Self {
        if let Some(span) = self.spans.last_mut() {
            span.target = Target::Everywhere;
        }
        self
    }

    /// The next part of the command: a number in decimal digits.
    #[inline]
    pub fn number(&mut self, number: i64) -> &mut Self {
        let mut digits = Digits::default();
        self.arg(digits.of(number))
    }

    #[inline]
    fn header(&mut self, kind: u8, count: usize) {
        self.bytes.push(kind);
        let mut digits = Digits::default();
        self.bytes.extend_from_slice(digits.of(i64::try_from(count).unwrap_or(i64::MAX)));
        self.bytes.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn end_part(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(b"\r\n");
        let end = self.bytes.len();
        if let Some(span) = self.spans.last_mut() {
            span.end = end;
        }
        self
    }

    /// The verb that this batch is for; errors name it.
    pub fn verb(&self) -> &'static str {
        self.verb
    }

    /// What the batch does.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether keys were given their slots.
    pub fn is_clustered(&self) -> bool {
        self.clustered
    }

    /// All commands as they go over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where each command lies in the bytes.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// How many commands, and so how many replies.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether every primary of a cluster gets the whole batch.
    pub fn is_everywhere(&self) -> bool {
        self.spans.first().is_some_and(|span| span.target == Target::Everywhere)
    }

    /// The slot that all commands belong to, if it is one.
    #[inline]
    pub fn one_slot(&self) -> Option<u16> {
        let (first, rest) = self.spans.split_first()?;
        let Target::Slot(slot) = first.target else { return None };
        rest.iter().all(|span| span.target == first.target).then_some(slot)
    }
}

/// Decimal digits of a number, without a `String`.
#[derive(Default)]
struct Digits([u8; 20]);

impl Digits {
    #[inline]
    fn of(&mut self, number: i64) -> &[u8] {
        let mut rest = number.unsigned_abs();
        let mut at = self.0.len();
        loop {
            at -= 1;
            self.0[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            at -= 1;
            self.0[at] = b'-';
        }
        &self.0[at..]
    }
}

/// The replies to a batch, in the order of its commands.
#[derive(Debug, Default)]
pub struct Answers {
    pub(crate) received: Received,
    /// Where each reply begins, if they came from several nodes; else they lie one behind the other.
    pub(crate) starts: Vec<usize>,
}

impl Answers {
    /// Forgets the replies.
    pub fn clear(&mut self) {
        self.received.clear();
        self.starts.clear();
    }

    /// Views of the replies.
    pub fn replies(&self) -> Replies<'_> {
        Replies { buffer: self.received.bytes(), starts: &self.starts, position: 0, index: 0 }
    }

    /// The first reply: the only one, mostly.
    ///
    /// # Errors
    /// Bytes that are no RESP.
    pub fn first(&self) -> Result<Reply<'_>, Malformed> {
        self.replies().next().unwrap_or(Err(Malformed("there is no reply")))
    }
}

/// An iterator over replies.
#[derive(Debug, Clone)]
pub struct Replies<'a> {
    buffer: &'a [u8],
    starts: &'a [usize],
    position: usize,
    index: usize,
}

impl<'a> Replies<'a> {
    /// Views of whole replies that lie one behind the other.
    pub fn over(buffer: &'a [u8]) -> Self {
        Replies { buffer, starts: &[], position: 0, index: 0 }
    }
}

impl<'a> Iterator for Replies<'a> {
    type Item = Result<Reply<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.starts.is_empty() {
            if self.position >= self.buffer.len() {
                return None;
            }
        } else {
            self.position = *self.starts.get(self.index)?;
            self.index += 1;
        }
        Some(parse(self.buffer, &mut self.position))
    }
}

/// Where each of several replies that lie one behind the other begins.
pub(crate) fn starts_of(buffer: &[u8], count: usize) -> Result<Vec<usize>, Malformed> {
    let mut skim = Skim::default();
    let mut starts = Vec::with_capacity(count);
    for wanted in 1..=count {
        starts.push(skim.position());
        if !skim.advance(buffer, wanted)? {
            return Err(Malformed("it ends too early"));
        }
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_resp_arrays_of_bulks() {
        let mut batch = Batch::default();
        batch.start("set", Effect::Idempotent, false);
        batch.command("SET", 5).key(b":1:a").arg(b"x\r\ny").arg(b"EX").number(300);
        batch.command("PING", 1);
        let wire =
            "*5\r\n$3\r\nSET\r\n$4\r\n:1:a\r\n$4\r\nx\r\ny\r\n$2\r\nEX\r\n$3\r\n300\r\n*1\r\n$4\r\nPING\r\n";
        assert_eq!(std::str::from_utf8(batch.bytes()).unwrap(), wire);
        assert_eq!(
            batch.spans()[1],
            Span { start: wire.len() - 14, end: wire.len(), target: Target::Anywhere }
        );
    }

    #[test]
    fn commands_of_a_cluster_know_where_they_go() {
        let mut batch = Batch::default();
        batch.start("test", Effect::Read, true);
        batch.command("GET", 2).key(b"foo");
        assert_eq!((batch.spans()[0].target, batch.one_slot()), (Target::Slot(12182), Some(12182)));
        batch.command("MGET", 3).key(b"{foo}1").key(b"{foo}2");
        assert_eq!(batch.one_slot(), Some(12182));
        batch.command("GET", 2).key(b"bar");
        assert_eq!(batch.one_slot(), None);
        batch.start("test", Effect::Idempotent, true);
        batch.command("FLUSHDB", 1).everywhere();
        assert!(batch.is_everywhere());
        batch.start("test", Effect::Read, false);
        batch.command("GET", 2).key(b"foo");
        assert_eq!((batch.spans()[0].target, batch.one_slot()), (Target::Anywhere, None));
    }

    #[test]
    fn numbers_are_written_to_the_last_digit() {
        let mut digits = Digits::default();
        for number in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            assert_eq!(digits.of(number), number.to_string().as_bytes());
        }
    }

    #[test]
    fn starts_tell_where_replies_begin() {
        assert_eq!(starts_of(b"+OK\r\n$1\r\na\r\n:1\r\n", 3).unwrap(), [0, 5, 12]);
        assert!(starts_of(b"+OK\r\n", 2).is_err());
    }
}
