//! The verbs that the client has.
use crate::config::AbsentNodes;
use crate::key::Key;
use crate::reply::{Reply, Tokens, is_quiet};
use crate::request::{Batch, Get, Remove, Store};
use crate::verb::{MOST_WRITES, Part, Stored, Verb, read_each, read_gets, refused, write_each, write_gets};
use hotclub_net::{Effect, Problem};
use std::borrow::Cow;

/// Reads entries. `found` makes of a value what the caller wants, or nothing.
pub struct Read<'a, F> {
    /// What is asked.
    pub keys: Cow<'a, [Key<'a>]>,
    /// What is asked beside the value, and done.
    pub get: Get,
    /// What becomes of an absent node.
    pub absent: AbsentNodes,
    /// Makes something of each value.
    pub found: F,
}

impl<F> Read<'_, F> {
    /// The same with keys of its own.
    pub fn into_owned(self) -> Read<'static, F> {
        Read { keys: owned(self.keys), get: self.get, absent: self.absent, found: self.found }
    }
}

/// Keys that nobody else has.
pub fn owned(keys: Cow<'_, [Key<'_>]>) -> Cow<'static, [Key<'static>]> {
    keys.into_owned().into_iter().map(Key::into_owned).collect()
}

impl<T, F> Verb for Read<'_, F>
where
    F: Fn(&[u8], Tokens<'_>) -> Result<T, Problem>,
{
    type Answer = Vec<Option<T>>;

    fn name(&self) -> &'static str {
        if self.keys.len() == 1 { "get" } else { "get_many" }
    }
    fn effect(&self) -> Effect {
        if self.get.touch.is_some() { Effect::Idempotent } else { Effect::Read }
    }
    fn len(&self) -> usize {
        self.keys.len()
    }
    fn key(&self, request: usize) -> &Key<'_> {
        &self.keys[request]
    }
    fn write(&self, request: usize, batch: &mut Batch) {
        batch.get(&self.keys[request], self.get);
    }
    fn write_part(&self, requests: &[usize], batch: &mut Batch, _plainly: bool) -> usize {
        if self.get.cas(false).is_plain() {
            write_gets(self, requests, batch, self.get.cas)
        } else {
            write_each(self, requests, batch)
        }
    }
    fn read_part(
        &self,
        requests: &[usize],
        bytes: &[u8],
        answer: &mut Self::Answer,
    ) -> Result<Part, Problem> {
        if self.get.cas(false).is_plain() {
            read_gets(self, requests, bytes, answer)
        } else {
            read_each(self, requests, bytes, answer)
        }
    }
    fn start(&self) -> Self::Answer {
        self.keys.iter().map(|_| None).collect()
    }
    fn read(&self, request: usize, reply: Reply<'_>, answer: &mut Self::Answer) -> Result<(), Problem> {
        match reply {
            Reply::Value(bytes, tokens) => answer[request] = Some((self.found)(bytes, tokens)?),
            Reply::Done(tokens) if self.get.without_value => {
                answer[request] = Some((self.found)(&[], tokens)?);
            }
            Reply::Missing => {}
            other => return Err(refused(&other)),
        }
        Ok(())
    }
    fn absent(&self, _request: usize, _answer: &mut Self::Answer) -> bool {
        self.absent == AbsentNodes::Miss
    }
}

/// One value to be written.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// Where.
    pub key: Key<'a>,
    /// What.
    pub value: Cow<'a, [u8]>,
    /// How.
    pub store: Store,
}

/// Writes entries.
pub struct Write<'a> {
    /// How errors call it.
    pub name: &'static str,
    /// What is written.
    pub items: Cow<'a, [Item<'a>]>,
    /// What becomes of an absent node.
    pub absent: AbsentNodes,
}

impl Write<'_> {
    /// The same with keys and values of its own.
    pub fn into_owned(self) -> Write<'static> {
        let own = |Item { key, value, store }: Item<'_>| Item {
            key: key.into_owned(),
            value: Cow::Owned(value.into_owned()),
            store,
        };
        let items = self.items.into_owned().into_iter().map(own).collect();
        Write { name: self.name, items, absent: self.absent }
    }

    fn is_plain(&self) -> bool {
        self.items.iter().all(|item| item.store.is_plain())
    }
}

impl Verb for Write<'_> {
    /// What became of each; a value that the server refuses is told beside the others.
    type Answer = Vec<Result<Stored, Problem>>;

    fn name(&self) -> &'static str {
        self.name
    }
    fn effect(&self) -> Effect {
        if self.is_plain() { Effect::Idempotent } else { Effect::Once }
    }
    fn len(&self) -> usize {
        self.items.len()
    }
    fn key(&self, request: usize) -> &Key<'_> {
        &self.items[request].key
    }
    fn write(&self, request: usize, batch: &mut Batch) {
        let item = &self.items[request];
        batch.store(&item.key, &item.value, item.store);
    }
    /// Many are answered together: a server answers twenty requests at a time, and each time wakes up who waits.
    fn write_part(&self, requests: &[usize], batch: &mut Batch, plainly: bool) -> usize {
        if plainly || requests.len() < 2 || !self.is_plain() {
            return write_each(self, requests, batch);
        }
        let count = requests.len().min(MOST_WRITES);
        for item in requests[..count].iter().map(|&request| &self.items[request]) {
            batch.store_quietly(&item.key, &item.value, item.store);
        }
        batch.end_quietly();
        count
    }
    fn read_part(
        &self,
        requests: &[usize],
        bytes: &[u8],
        answer: &mut Self::Answer,
    ) -> Result<Part, Problem> {
        if is_quiet(bytes) {
            requests.iter().for_each(|&request| answer[request] = Ok(Stored::Yes));
            return Ok(Part::Read);
        }
        // Only quiet requests are answered up to that.
        if bytes.ends_with(b"MN\r\n") {
            return Ok(Part::AskPlainly);
        }
        read_each(self, requests, bytes, answer)
    }
    fn start(&self) -> Self::Answer {
        vec![Ok(Stored::Absent); self.items.len()]
    }
    fn read(&self, request: usize, reply: Reply<'_>, answer: &mut Self::Answer) -> Result<(), Problem> {
        answer[request] = match reply {
            Reply::Done(_) => Ok(Stored::Yes),
            Reply::NotStored => Ok(Stored::No),
            Reply::Changed => Ok(Stored::Changed),
            Reply::Missing => Ok(Stored::Missing),
            Reply::ServerError(_) | Reply::ClientError(_) => Err(refused(&reply)),
            other => return Err(refused(&other)),
        };
        Ok(())
    }
    fn absent(&self, _request: usize, _answer: &mut Self::Answer) -> bool {
        self.absent == AbsentNodes::Miss && self.is_plain()
    }
    fn ends_old_value(&self) -> bool {
        self.is_plain()
    }
}

/// Removes entries; how many there were.
pub struct Delete<'a> {
    /// Which.
    pub keys: Cow<'a, [Key<'a>]>,
    /// How.
    pub remove: Remove,
}

impl Delete<'_> {
    /// The same with keys of its own.
    pub fn into_owned(self) -> Delete<'static> {
        Delete { keys: owned(self.keys), remove: self.remove }
    }
}

impl Verb for Delete<'_> {
    type Answer = u64;

    fn name(&self) -> &'static str {
        if self.keys.len() == 1 { "delete" } else { "delete_many" }
    }
    fn effect(&self) -> Effect {
        Effect::Idempotent
    }
    fn len(&self) -> usize {
        self.keys.len()
    }
    fn key(&self, request: usize) -> &Key<'_> {
        &self.keys[request]
    }
    fn write(&self, request: usize, batch: &mut Batch) {
        batch.delete(&self.keys[request], self.remove);
    }
    fn start(&self) -> u64 {
        0
    }
    fn read(&self, _request: usize, reply: Reply<'_>, answer: &mut u64) -> Result<(), Problem> {
        match reply {
            Reply::Done(_) => *answer += 1,
            Reply::Missing | Reply::Changed => {}
            other => return Err(refused(&other)),
        }
        Ok(())
    }
    fn ends_old_value(&self) -> bool {
        self.remove == Remove::default()
    }
}

/// Gives an entry other seconds to live; whether there is one.
pub struct Touch<'a> {
    /// Which.
    pub key: Key<'a>,
    /// As [`Store::exptime`].
    pub exptime: i64,
}

impl Touch<'_> {
    /// The same with a key of its own.
    pub fn into_owned(self) -> Touch<'static> {
        Touch { key: self.key.into_owned(), exptime: self.exptime }
    }
}

impl Verb for Touch<'_> {
    type Answer = bool;

    fn name(&self) -> &'static str {
        "touch"
    }
    fn effect(&self) -> Effect {
        Effect::Idempotent
    }
    fn len(&self) -> usize {
        1
    }
    fn key(&self, _request: usize) -> &Key<'_> {
        &self.key
    }
    fn write(&self, _request: usize, batch: &mut Batch) {
        batch.touch(&self.key, self.exptime);
    }
    fn start(&self) -> bool {
        false
    }
    fn read(&self, _request: usize, reply: Reply<'_>, answer: &mut bool) -> Result<(), Problem> {
        match reply {
            Reply::Done(_) => *answer = true,
            Reply::Missing => {}
            other => return Err(refused(&other)),
        }
        Ok(())
    }
    fn ends_old_value(&self) -> bool {
        self.exptime < 0
    }
}

/// Adds to a number; the sum, or nothing if there is no entry.
pub struct Count<'a> {
    /// Which.
    pub key: Key<'a>,
    /// How much.
    pub delta: u64,
    /// Subtracts, and stops at 0.
    pub down: bool,
}

impl Count<'_> {
    /// The same with a key of its own.
    pub fn into_owned(self) -> Count<'static> {
        Count { key: self.key.into_owned(), delta: self.delta, down: self.down }
    }
}

impl Verb for Count<'_> {
    type Answer = Option<u64>;

    fn name(&self) -> &'static str {
        if self.down { "decr" } else { "incr" }
    }
    fn effect(&self) -> Effect {
        Effect::Once
    }
    fn len(&self) -> usize {
        1
    }
    fn key(&self, _request: usize) -> &Key<'_> {
        &self.key
    }
    fn write(&self, _request: usize, batch: &mut Batch) {
        if self.down {
            batch.count_down(&self.key, self.delta);
        } else {
            batch.count_up(&self.key, self.delta);
        }
    }
    fn start(&self) -> Option<u64> {
        None
    }
    fn read(&self, _request: usize, reply: Reply<'_>, answer: &mut Option<u64>) -> Result<(), Problem> {
        *answer = match reply {
            Reply::Number(sum) => Some(sum),
            // A sum that became shorter is padded with blanks.
            Reply::Value(digits, _) => Some(
                std::str::from_utf8(digits.trim_ascii())
                    .ok()
                    .and_then(|digits| digits.parse().ok())
                    .ok_or_else(|| Problem::unexpected(&reply))?,
            ),
            Reply::Missing => None,
            other => return Err(refused(&other)),
        };
        Ok(())
    }
}
