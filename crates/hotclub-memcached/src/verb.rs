//! The verbs, each stated once: what is sent for each key, what the reply means, and what an absent node means.
//! Doors carry them.
use crate::key::Key;
use crate::reply::{Reply, parse, values};
use crate::request::Batch;
pub use crate::verbs::{Count, Delete, Item, Read, Touch, Write, owned};
use hotclub_net::{Effect, Malformed, Problem};

/// One call: requests for keys, and an answer that grows as the replies come.
pub trait Verb {
    /// What comes out of it.
    type Answer;

    /// Errors name it.
    fn name(&self) -> &'static str;
    /// What may be done when it breaks off.
    fn effect(&self) -> Effect;
    /// How many requests it has.
    fn len(&self) -> usize;
    /// Whether there is nothing to ask.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The key of a request, which decides about its node.
    fn key(&self, request: usize) -> &Key<'_>;
    /// Writes a request.
    fn write(&self, request: usize, batch: &mut Batch);
    /// The answer before any reply.
    fn start(&self) -> Self::Answer;
    /// Understands the reply to a request.
    ///
    /// # Errors
    /// The server refused, or makes no sense.
    fn read(&self, request: usize, reply: Reply<'_>, answer: &mut Self::Answer) -> Result<(), Problem>;
    /// Writes as many of these requests as go out at a time, one at least; how many they were. `plainly`: each is to
    /// have a reply of its own.
    fn write_part(&self, requests: &[usize], batch: &mut Batch, plainly: bool) -> usize {
        let _ = plainly;
        write_each(self, requests, batch)
    }
    /// Understands what came back for them. One that was refused does not keep the others from being read.
    ///
    /// # Errors
    /// The first refusal; what makes no sense.
    fn read_part(
        &self,
        requests: &[usize],
        bytes: &[u8],
        answer: &mut Self::Answer,
    ) -> Result<Part, Problem> {
        read_each(self, requests, bytes, answer)
    }
    /// What it means that the node of a request is not there: true if the answer says so, false if it is an error.
    fn absent(&self, _request: usize, _answer: &mut Self::Answer) -> bool {
        false
    }
    /// An old value must not be read again once this was asked, even if it could not be done.
    fn ends_old_value(&self) -> bool {
        false
    }
}

/// What the replies to requests were worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Everything is known.
    Read,
    /// Something went wrong that names no key: these requests are to be written once more, plainly.
    AskPlainly,
}

#[deny(clippy::missing_trait_methods)]
impl<V: Verb + ?Sized> Verb for &V {
    type Answer = V::Answer;

    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn effect(&self) -> Effect {
        (**self).effect()
    }
    fn len(&self) -> usize {
        (**self).len()
    }
    fn is_empty(&self) -> bool {
        (**self).is_empty()
    }
    fn key(&self, request: usize) -> &Key<'_> {
        (**self).key(request)
    }
    fn write(&self, request: usize, batch: &mut Batch) {
        (**self).write(request, batch);
    }
    fn start(&self) -> Self::Answer {
        (**self).start()
    }
    fn read(&self, request: usize, reply: Reply<'_>, answer: &mut Self::Answer) -> Result<(), Problem> {
        (**self).read(request, reply, answer)
    }
    fn write_part(&self, requests: &[usize], batch: &mut Batch, plainly: bool) -> usize {
        (**self).write_part(requests, batch, plainly)
    }
    fn read_part(
        &self,
        requests: &[usize],
        bytes: &[u8],
        answer: &mut Self::Answer,
    ) -> Result<Part, Problem> {
        (**self).read_part(requests, bytes, answer)
    }
    fn absent(&self, request: usize, answer: &mut Self::Answer) -> bool {
        (**self).absent(request, answer)
    }
    fn ends_old_value(&self) -> bool {
        (**self).ends_old_value()
    }
}

/// A server that has so many bytes of answers to send reads no more questions: longer batches of them would wait for
/// each other.
const MOST_BYTES_OF_READS: usize = 32 << 10;
/// The same for answers of a few bytes.
pub(crate) const MOST_WRITES: usize = 4096;

pub(crate) fn write_each<V: Verb + ?Sized>(verb: &V, requests: &[usize], batch: &mut Batch) -> usize {
    for (count, &request) in requests.iter().enumerate() {
        let is_full = match verb.effect() {
            Effect::Read => batch.bytes().len() > MOST_BYTES_OF_READS,
            _ => count >= MOST_WRITES,
        };
        if is_full {
            return count;
        }
        verb.write(request, batch);
    }
    requests.len()
}

pub(crate) fn read_each<V: Verb + ?Sized>(
    verb: &V,
    requests: &[usize],
    bytes: &[u8],
    answer: &mut V::Answer,
) -> Result<Part, Problem> {
    let (mut position, mut done) = (0, Ok(Part::Read));
    for &request in requests {
        let read = verb.read(request, parse(bytes, &mut position)?, answer);
        done = done.and_then(|part| read.map(|()| part));
    }
    done
}

/// [`Verb::write_part`] for plain reads, with ids or without: one request for all keys, where they are text.
pub fn write_gets<V: Verb + ?Sized>(verb: &V, requests: &[usize], batch: &mut Batch, cas: bool) -> usize {
    let mut bytes = 0;
    let fits = |&&request: &&usize| {
        bytes += verb.key(request).as_wire().len() + 1;
        bytes <= MOST_BYTES_OF_READS && !verb.key(request).is_base64()
    };
    let count = requests.iter().take_while(fits).count();
    match count {
        0 | 1 => {
            verb.write(requests[0], batch);
            1
        }
        _ => {
            batch.get_all(requests[..count].iter().map(|&request| verb.key(request)), cas);
            count
        }
    }
}

/// [`Verb::read_part`] for what [`write_gets`] wrote: values come in the order of their keys, and what is missing
/// does not come.
///
/// # Errors
/// The server refused, or answers to keys that it was not asked for.
pub fn read_gets<V: Verb + ?Sized>(
    verb: &V,
    requests: &[usize],
    bytes: &[u8],
    answer: &mut V::Answer,
) -> Result<Part, Problem> {
    if let [request] = requests {
        return verb.read(*request, parse(bytes, &mut 0)?, answer).map(|()| Part::Read);
    }
    let mut left = requests.iter();
    let mut problem = Ok(());
    let instead = values(bytes, &mut 0, |key, value, tokens| {
        let request = left.find(|&&request| verb.key(request).as_wire() == key);
        let request = *request.ok_or(Malformed("a value that nobody asked for"))?;
        let read = verb.read(request, Reply::Value(value, tokens), answer);
        if problem.is_ok() {
            problem = read;
        }
        Ok(())
    })?;
    match instead {
        None => problem.map(|()| Part::Read),
        Some(reply) => problem.and(Err(refused(&reply))),
    }
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was stored.
    Yes,
    /// Its condition did not hold: there is an entry, or there is none.
    No,
    /// The entry was changed since it was read.
    Changed,
    /// The entry that was to be changed is gone.
    Missing,
    /// The node is not there.
    Absent,
}

/// What a reply that says no means.
pub fn refused(reply: &Reply<'_>) -> Problem {
    match reply {
        Reply::ClientError(text) | Reply::ServerError(text) => Problem::from(*text),
        Reply::Unknown => Problem::Refused("the server does not know this request".into()),
        other => Problem::unexpected(other),
    }
}
