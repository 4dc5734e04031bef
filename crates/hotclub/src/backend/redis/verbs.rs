//! The verbs, each stated once: what is sent, what may be done when that breaks off, and what the answer means.
//!
//! A door takes a [`Verb`] and carries it: `backend.rs` has a line for each verb and door, and no more.
use super::batch::{Batch, Effect};
use super::command::{self, Expiry, When};
use super::decode::{self, Replies};
use super::error::Problem;
use crate::backend::{Condition, GetOptions, Item, SetOptions};
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::timeout::Life;
use bytes::Bytes;

/// One exchange with the server.
pub(super) trait Verb {
    /// What comes out of it.
    type Answer;
    /// Errors name it.
    fn name(&self) -> &'static str;
    /// What may be done when it breaks off.
    fn effect(&self) -> Effect;
    /// Puts its commands into a batch; none if there is nothing to ask.
    fn write(&self, batch: &mut Batch);
    /// Understands the replies.
    fn read(self, replies: Replies<'_, '_>) -> Result<Self::Answer, Problem>;
}

struct Ask<W, R>(&'static str, Effect, W, R);

impl<T, W, R> Verb for Ask<W, R>
where
    W: Fn(&mut Batch),
    R: FnOnce(Replies<'_, '_>) -> Result<T, Problem>,
{
    type Answer = T;

    fn name(&self) -> &'static str {
        self.0
    }
    fn effect(&self) -> Effect {
        self.1
    }
    #[inline]
    fn write(&self, batch: &mut Batch) {
        self.2(batch);
    }
    #[inline]
    fn read(self, replies: Replies<'_, '_>) -> Result<T, Problem> {
        self.3(replies)
    }
}

/// How an entry is read.
#[derive(Debug, Clone, Copy)]
enum Look {
    Plain,
    WithDeadline,
    Touching(Expiry),
    Taking,
}

impl Look {
    fn of(options: &GetOptions) -> Result<Look> {
        if !options.tags.is_empty() {
            return Err(Error::unsupported("redis", "get with tags"));
        }
        Ok(match options.touch {
            Some(life) => Expiry::of(life).map_or(Look::Taking, Look::Touching),
            None if options.want_deadline => Look::WithDeadline,
            None => Look::Plain,
        })
    }

    fn effect(self) -> Effect {
        match self {
            Look::Plain | Look::WithDeadline => Effect::Read,
            Look::Touching(_) => Effect::Idempotent,
            Look::Taking => Effect::Once,
        }
    }

    #[inline]
    fn write(self, batch: &mut Batch, key: &[u8]) {
        match self {
            Look::Plain => command::get(batch, key),
            Look::WithDeadline => command::get_with_ttl(batch, key),
            Look::Touching(expiry) => command::get_and_touch(batch, key, expiry),
            Look::Taking => command::take(batch, key),
        }
    }

    #[inline]
    fn read(self, replies: Replies<'_, '_>) -> Result<Option<Entry>, Problem> {
        match self {
            Look::WithDeadline => decode::entry_with_ttl(replies),
            _ => decode::one_entry(replies),
        }
    }
}

#[inline]
pub(super) fn get<'a>(
    key: &'a str,
    options: &GetOptions,
) -> Result<impl Verb<Answer = Option<Entry>> + use<'a>> {
    let look = Look::of(options)?;
    let write = move |batch: &mut Batch| look.write(batch, key.as_bytes());
    Ok(Ask("get", look.effect(), write, move |replies: Replies<'_, '_>| look.read(replies)))
}

pub(super) fn get_many<'a>(
    keys: &'a [&'a str],
    options: &GetOptions,
) -> Result<impl Verb<Answer = Vec<Option<Entry>>> + use<'a>> {
    let look = Look::of(options)?;
    let write = move |batch: &mut Batch| match look {
        _ if keys.is_empty() => {}
        Look::Plain => command::get_many(batch, keys),
        _ => keys.iter().for_each(|key| look.write(batch, key.as_bytes())),
    };
    let read = move |replies: Replies<'_, '_>| match look {
        Look::WithDeadline => keys.iter().map(|_| look.read(replies)).collect(),
        _ => decode::entries(replies, keys.len()),
    };
    Ok(Ask("get_many", look.effect(), write, read))
}

/// How an entry is written. Without an expiry nothing readable is to remain.
#[derive(Debug, Clone, Copy)]
struct Store {
    expiry: Option<Expiry>,
    when: When,
}

impl Store {
    fn of(options: &SetOptions) -> Result<Store> {
        let when = match options.condition {
            Condition::Always => When::Always,
            Condition::IfAbsent => When::Absent,
            Condition::IfPresent => When::Present,
            Condition::IfCas(_) => return Err(Error::unsupported("redis", "compare and set")),
        };
        Ok(Store { expiry: Expiry::of(options.life), when })
    }

    fn effect(self) -> Effect {
        match (self.expiry, self.when) {
            (Some(_), When::Always) | (None, When::Always | When::Present) => Effect::Idempotent,
            (Some(_), _) => Effect::Once,
            (None, When::Absent) => Effect::Read,
        }
    }

    #[inline]
    fn write(self, batch: &mut Batch, key: &[u8], value: &[u8]) {
        match (self.expiry, self.when) {
            (Some(expiry), when) => command::set(batch, key, value, expiry, when),
            (None, When::Absent) => command::exists(batch, key),
            (None, _) => command::delete(batch, key),
        }
    }

    #[inline]
    fn read(self, replies: Replies<'_, '_>) -> Result<bool, Problem> {
        match (self.expiry, self.when) {
            (Some(_), _) => decode::done(replies),
            (None, When::Always) => decode::truth(replies).map(|_| true),
            (None, When::Present) => decode::truth(replies),
            (None, When::Absent) => decode::truth(replies).map(|found| !found),
        }
    }
}

#[inline]
pub(super) fn set<'a>(
    key: &'a str,
    value: Bytes,
    options: &SetOptions,
) -> Result<impl Verb<Answer = bool> + use<'a>> {
    let store = Store::of(options)?;
    let write = move |batch: &mut Batch| store.write(batch, key.as_bytes(), &value);
    Ok(Ask("set", store.effect(), write, move |replies: Replies<'_, '_>| store.read(replies)))
}

/// All or nothing if there is no condition; else each entry for itself, and still in one exchange.
pub(super) fn set_many<'a>(
    items: &'a [Item<'a>],
    options: &SetOptions,
) -> Result<impl Verb<Answer = Vec<bool>> + use<'a>> {
    let store = Store::of(options)?;
    let together = store.when == When::Always;
    let write = move |batch: &mut Batch| {
        if items.is_empty() {
            return;
        }
        if together {
            command::begin_set_many(batch);
        }
        items.iter().for_each(|item| store.write(batch, item.key.as_bytes(), &item.value));
        if together {
            command::end_set_many(batch);
        }
    };
    let read = move |replies: Replies<'_, '_>| {
        if together {
            return decode::all_done(replies).map(|()| vec![true; items.len()]);
        }
        items.iter().map(|_| store.read(replies)).collect()
    };
    Ok(Ask("set_many", store.effect(), write, read))
}

pub(super) fn delete(key: &str) -> Result<impl Verb<Answer = bool>> {
    let write = move |batch: &mut Batch| command::delete(batch, key.as_bytes());
    Ok(Ask("delete", Effect::Idempotent, write, decode::truth))
}

pub(super) fn delete_many<'a>(keys: &'a [&'a str]) -> Result<impl Verb<Answer = u64>> {
    let write = move |batch: &mut Batch| {
        if !keys.is_empty() {
            command::delete_many(batch, keys);
        }
    };
    Ok(Ask("delete_many", Effect::Idempotent, write, decode::sum))
}

pub(super) fn incr(key: &str, delta: i128) -> Result<impl Verb<Answer = i128>> {
    let small = i64::try_from(delta).map_err(|_| {
        let message = format!("{delta} does not fit into the 64 bits that the server counts with");
        Error::new(ErrorKind::NotAnInteger, message).at("redis", "incr")
    })?;
    let write = move |batch: &mut Batch| command::incr(batch, key.as_bytes(), small);
    let read = move |replies: Replies<'_, '_>| {
        let sum = decode::maybe_integer(replies)?;
        sum.map(i128::from).ok_or_else(|| Problem::Missing(key.to_owned()))
    };
    Ok(Ask("incr", Effect::Once, write, read))
}

pub(super) fn touch(key: &str, life: Life) -> Result<impl Verb<Answer = bool>> {
    let expiry = Expiry::of(life);
    let write = move |batch: &mut Batch| match expiry {
        Some(expiry) => command::touch(batch, key.as_bytes(), expiry),
        None => command::delete(batch, key.as_bytes()),
    };
    Ok(Ask("touch", Effect::Idempotent, write, decode::last_truth))
}

/// On one server; in a cluster on each primary.
pub(super) fn clear() -> impl Verb<Answer = ()> {
    Ask("clear", Effect::Idempotent, command::clear, decode::all_done)
}

/// The entries of one server, or of one primary of a cluster, whose keys begin with a prefix, removed step by
/// step, so that the server is never held up for long. [`Sweep::step`] until there is none.
#[derive(Debug)]
pub(super) struct Sweep {
    pattern: Vec<u8>,
    /// Where the next step begins; `None`: the server has been through all keys.
    cursor: Option<Vec<u8>>,
    found: Vec<Vec<u8>>,
}

/// How many keys the server looks at in one step.
const SCAN_COUNT: i64 = 1000;

impl Sweep {
    pub(super) fn of(prefix: &str) -> Sweep {
        let pattern = command::pattern_of_prefix(prefix.as_bytes());
        Sweep { pattern, cursor: Some(b"0".to_vec()), found: Vec::new() }
    }

    /// Removes what the step before found, and looks further.
    pub(super) fn step(&mut self) -> Option<impl Verb<Answer = ()>> {
        if self.cursor.is_none() && self.found.is_empty() {
            return None;
        }
        let (cursor, found) = (self.cursor.take(), std::mem::take(&mut self.found));
        let pattern = self.pattern.clone();
        let looks_further = cursor.is_some();
        let write = move |batch: &mut Batch| {
            if let Some(cursor) = &cursor {
                command::scan(batch, cursor, &pattern, SCAN_COUNT);
            }
            if !found.is_empty() {
                command::unlink(batch, &found);
            }
        };
        let read = move |replies: Replies<'_, '_>| {
            if looks_further {
                let (next, found) = decode::scanned(replies)?;
                self.found = found;
                self.cursor = (next != b"0").then_some(next);
            }
            decode::sum(replies).map(drop)
        };
        Some(Ask("clear_prefix", Effect::Idempotent, write, read))
    }
}
