//! The contract over the client. Each verb is stated once, as a future: through the door for threads it never waits.
use super::expiry::exptime;
use super::value::entry;
use super::{AbsentNodes, MemcachedConfig};
use crate::backend::{Backend, Capability, Condition, GetOptions, Item, Op, Scope, SetOptions, Shared};
use crate::entry::{Entry, Flags};
use crate::error::{Error, ErrorKind, Result};
use crate::remote::IntoError;
use crate::timeout::Life;
use bytes::Bytes;
#[cfg(feature = "memcached")]
use hotclub_memcached::Tasks;
use hotclub_memcached::request::{Get, Mode, Remove, Store};
use hotclub_memcached::verb::{Count, Delete, Item as Sent, Read, Touch, Verb, Write};
use hotclub_memcached::{Client, Key, Problem, Stored};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A cache in one or more memcached servers.
#[derive(Debug)]
pub struct MemcachedBackend {
    client: Client,
    #[cfg(feature = "memcached")]
    tasks: Tasks,
}

/// Who waits.
#[derive(Debug, Clone, Copy)]
enum Door {
    /// This thread.
    Now,
    /// A task.
    Later,
}

/// The outcome of a verb through the door for threads, which waits in system calls and nowhere else.
#[inline]
fn now<T>(verb: impl Future<Output = T>) -> T {
    match pin!(verb).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("the door for threads answers before it returns"),
    }
}

/// The server's own limit, unless it was started with another (`-I`).
const USUAL_MOST_VALUE: usize = 1 << 20;
/// Less than that by more than a key and what is noted beside it.
const NEARLY_MOST_VALUE: usize = USUAL_MOST_VALUE - 1024;

impl MemcachedBackend {
    /// A backend that follows this configuration; connects at the first verb.
    ///
    /// # Errors
    /// As [`MemcachedConfig::check`].
    pub fn new(config: MemcachedConfig) -> Result<Self> {
        Ok(MemcachedBackend {
            client: Client::new(config).map_err(|error| told(error, ""))?,
            #[cfg(feature = "memcached")]
            tasks: Tasks::default(),
        })
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn ask<V: Verb>(&self, door: Door, verb: &V, key: &str) -> Result<V::Answer> {
        let answer = match door {
            Door::Now => self.client.ask(verb),
            #[cfg(feature = "memcached")]
            Door::Later => self.tasks.ask(&self.client, verb).await,
            #[cfg(not(feature = "memcached"))]
            Door::Later => return Err(Error::unsupported("memcached", verb.name())),
        };
        answer.map_err(|error| told(error, key))
    }

    fn absent(&self) -> AbsentNodes {
        self.client.config().absent
    }

    async fn read(&self, door: Door, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        if !options.tags.is_empty() {
            return Err(Error::unsupported("memcached", "get with tags"));
        }
        let keys = checked("get", keys)?;
        let get =
            Get::default().cas(options.want_cas).ttl(options.want_deadline).touch(options.touch.map(exptime));
        self.ask(door, &Read { keys: keys.into(), get, absent: self.absent(), found: entry }, "").await
    }

    async fn write(&self, door: Door, name: &'static str, items: &[Sent<'_>]) -> Result<Vec<Result<bool>>> {
        let stored = self.ask(door, &Write { name, items: items.into(), absent: self.absent() }, "").await?;
        let outcome = |(one, item): (std::result::Result<Stored, Problem>, &Sent<'_>)| {
            one.map(|one| one == Stored::Yes).map_err(|problem| self.refused(name, problem, &item.key))
        };
        Ok(stored.into_iter().zip(items).map(outcome).collect())
    }

    async fn set_one(&self, door: Door, key: &str, value: &Bytes, options: &SetOptions) -> Result<bool> {
        let sent = [Sent {
            key: checked_one("set", key)?,
            value: (&**value).into(),
            store: store(options, options.flags),
        }];
        // A server drops the entry that a value too large was meant for, though the value was only to be added.
        if options.condition == Condition::IfAbsent
            && value.len() >= NEARLY_MOST_VALUE
            && self.is_there(door, &sent[0].key).await?
        {
            return Ok(false);
        }
        self.write(door, "set", &sent).await?.pop().unwrap_or(Ok(false))
    }

    async fn is_there(&self, door: Door, key: &Key<'_>) -> Result<bool> {
        let get = Get::default().without_value();
        let read =
            Read { keys: std::slice::from_ref(key).into(), get, absent: AbsentNodes::Raise, found: entry };
        Ok(self.ask(door, &read, "").await?.pop().flatten().is_some())
    }

    async fn set_all(&self, door: Door, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        let mut sent = Vec::with_capacity(items.len());
        for Item { key, value, flags } in items {
            let key = checked_one("set_many", key)?;
            sent.push(Sent { key, value: (&**value).into(), store: store(options, *flags) });
        }
        self.write(door, "set_many", &sent).await?.into_iter().collect()
    }

    async fn remove(&self, door: Door, keys: &[&str]) -> Result<u64> {
        let delete = Delete { keys: checked("delete", keys)?.into(), remove: Remove::default() };
        self.ask(door, &delete, "").await
    }

    /// As memcached counts: from 0 to 2^64 - 1, stopping below and beginning anew above.
    async fn count(&self, door: Door, key: &str, delta: i128) -> Result<i128> {
        let counted = |kind, text| Error::new(kind, text).at("memcached", "incr");
        let amount = u64::try_from(delta.unsigned_abs())
            .map_err(|_| counted(ErrorKind::NotAnInteger, format!("{delta} does not fit into 64 bits")))?;
        let count = Count { key: checked_one("incr", key)?, delta: amount, down: delta < 0 };
        let sum = self.ask(door, &count, key).await?;
        sum.map(i128::from).ok_or_else(|| counted(ErrorKind::KeyNotFound, format!("'{key}'")))
    }

    async fn live_on(&self, door: Door, key: &str, life: Life) -> Result<bool> {
        if life == Life::Gone {
            return Ok(self.remove(door, &[key]).await? > 0);
        }
        self.ask(door, &Touch { key: checked_one("touch", key)?, exptime: exptime(life) }, key).await
    }

    async fn sweep(&self, door: Door, scope: Scope<'_>) -> Result<()> {
        if let Scope::Prefix(_) = scope {
            return Err(Error::unsupported("memcached", "clear_prefix: it lists no keys"));
        }
        let done = match door {
            Door::Now => self.client.flush_all(),
            #[cfg(feature = "memcached")]
            Door::Later => self.tasks.flush_all(&self.client).await,
            #[cfg(not(feature = "memcached"))]
            Door::Later => return Err(Error::unsupported("memcached", "clear")),
        };
        done.map_err(|error| told(error, ""))
    }

    #[cold]
    fn refused(&self, verb: &'static str, problem: Problem, key: &Key<'_>) -> Error {
        let (place, effect) = (self.client.place_of(key), hotclub_memcached::Effect::Idempotent);
        let error = problem.into_error("memcached", verb, effect, &place);
        if error.to_string().contains("too large") { too_large(verb, &place) } else { error }
    }
}

#[cold]
fn too_large(verb: &'static str, place: &str) -> Error {
    let text = "the value is larger than the server takes (-I), and what it was to replace is gone";
    Error::new(ErrorKind::TooLarge, text).at("memcached", verb).in_place(place)
}

fn checked<'a>(verb: &'static str, keys: &[&'a str]) -> Result<Vec<Key<'a>>> {
    keys.iter().map(|key| checked_one(verb, key)).collect()
}

fn checked_one<'a>(verb: &'static str, key: &'a str) -> Result<Key<'a>> {
    let wrong = |bad| Error::new(ErrorKind::InvalidKey, format!("{key:?}: {bad}"));
    Key::new(key).map_err(|bad| wrong(bad).at("memcached", verb))
}

/// The client's error as ours; `key` is the one that was counted.
#[cold]
fn told(error: hotclub_memcached::Error, key: &str) -> Error {
    match error {
        hotclub_memcached::Error::Server { problem, verb, effect, place } => {
            problem.into_error("memcached", verb, effect, &place)
        }
        hotclub_memcached::Error::Config(wrong) => wrong.into(),
        other => Error::new(ErrorKind::InvalidKey, format!("{key:?}: {other}")).at("memcached", "key"),
    }
}

fn store(options: &SetOptions, flags: Flags) -> Store {
    let (mode, cas) = match options.condition {
        Condition::Always => (Mode::Set, None),
        Condition::IfAbsent => (Mode::Add, None),
        Condition::IfPresent => (Mode::Replace, None),
        Condition::IfCas(id) => (Mode::Set, Some(id)),
    };
    Store::new(flags.0, exptime(options.life)).mode(mode).cas(cas)
}

impl Backend for MemcachedBackend {
    fn scheme(&self) -> &'static str {
        "memcached"
    }

    fn capability(&self) -> Capability {
        Capability {
            atomic_incr: true,
            native_many: true,
            native_touch: true,
            cas: true,
            ttl_readable: true,
            flags: true,
            max_key: Some(hotclub_memcached::key::MOST_BYTES),
            max_value: Some(USUAL_MOST_VALUE),
            ..Capability::none(Shared::Network)
        }
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        Ok(now(self.read(Door::Now, &[key], options))?.pop().flatten())
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        now(self.set_one(Door::Now, key, &value, options))
    }

    fn delete(&self, key: &str) -> Result<bool> {
        Ok(now(self.remove(Door::Now, &[key]))? > 0)
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        now(self.count(Door::Now, key, delta))
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        now(self.live_on(Door::Now, key, life))
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        now(self.sweep(Door::Now, scope))
    }

    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        now(self.read(Door::Now, keys, options))
    }

    fn set_many(&self, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        now(self.set_all(Door::Now, items, options))
    }

    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        now(self.remove(Door::Now, keys))
    }

    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        Op::pending(async move { Ok(self.read(Door::Later, &[key], options).await?.pop().flatten()) })
    }

    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        Op::pending(async move { self.set_one(Door::Later, key, &value, options).await })
    }

    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        Op::pending(async move { Ok(self.remove(Door::Later, &[key]).await? > 0) })
    }

    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        Op::pending(self.count(Door::Later, key, delta))
    }

    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        Op::pending(self.live_on(Door::Later, key, life))
    }

    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        Op::pending(self.sweep(Door::Later, scope))
    }

    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        Op::pending(self.read(Door::Later, keys, options))
    }

    fn aset_many<'a>(&'a self, items: &'a [Item<'a>], options: &'a SetOptions) -> Op<'a, Result<Vec<bool>>> {
        Op::pending(self.set_all(Door::Later, items, options))
    }

    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        Op::pending(self.remove(Door::Later, keys))
    }
}
