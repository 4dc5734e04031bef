//! The contract over the store: each verb through both doors.
use super::config::ServerConfig;
use super::door;
use super::store::Store;
use super::verbs::{Clear, Count, Put, Read, Remove, Touch, Verb, Weigh, Write};
use crate::backend::{Backend, Capability, GetOptions, Item, Op, Scope, SetOptions, Shared};
use crate::clock::Clock;
use crate::entry::Entry;
use crate::error::Result;
use crate::stats::Stats;
use crate::timeout::Life;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A cache in a table of a database server.
#[derive(Debug)]
pub struct ServerBackend {
    store: Arc<Store>,
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

fn read(keys: &[&str], options: &GetOptions, name: &'static str) -> Read {
    Read { keys: owned(keys), options: options.clone(), name }
}

fn write_one(key: &str, value: Bytes, options: &SetOptions) -> Write {
    let items = vec![Put { key: key.to_owned(), value, flags: options.flags }];
    Write { items, options: options.clone(), name: "set" }
}

fn write_many(items: &[Item<'_>], options: &SetOptions) -> Write {
    let own =
        |item: &Item<'_>| Put { key: item.key.to_owned(), value: item.value.clone(), flags: item.flags };
    Write { items: items.iter().map(own).collect(), options: options.clone(), name: "set_many" }
}

fn clear(scope: Scope<'_>) -> Clear {
    match scope {
        Scope::All => Clear { prefix: None },
        Scope::Prefix(prefix) => Clear { prefix: Some(prefix.to_owned()) },
    }
}

/// The one answer of a verb over many that was asked about one.
fn only<T>(answers: Vec<T>, none: T) -> T {
    answers.into_iter().next().unwrap_or(none)
}

impl ServerBackend {
    /// A backend that follows this configuration; connects at the first verb.
    ///
    /// # Errors
    /// As [`ServerConfig::check`].
    pub fn new(config: ServerConfig) -> Result<Self> {
        Self::with_clock(config, Clock::system())
    }

    /// The same on another clock, whose time is written into the table: for tests.
    ///
    /// # Errors
    /// As [`ServerConfig::check`].
    pub fn with_clock(config: ServerConfig, clock: Clock) -> Result<Self> {
        Ok(ServerBackend { store: Arc::new(Store::new(config, clock)?) })
    }

    /// How many connections this process has, in all its runtimes.
    pub fn connections(&self) -> usize {
        self.store.connections()
    }

    fn ask<V: Verb>(&self, verb: V) -> Result<V::Answer> {
        door::ask(&self.store, verb)
    }
}

impl Backend for ServerBackend {
    fn scheme(&self) -> &'static str {
        self.store.config.vendor.scheme()
    }

    fn capability(&self) -> Capability {
        let table = &self.store.table;
        Capability {
            persistent: true,
            atomic_incr: true,
            native_many: true,
            native_touch: true,
            cas: table.has_cas(),
            ttl_readable: true,
            flags: table.is_own(),
            clear_prefix: true,
            max_key: Some(table.most_key()),
            ..Capability::none(Shared::Network)
        }
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        self.ask(read(&[key], options, "get")).map(|answers| only(answers, None))
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.ask(write_one(key, value, options)).map(|answers| only(answers, false))
    }

    fn delete(&self, key: &str) -> Result<bool> {
        Ok(self.ask(Remove { keys: owned(&[key]), name: "delete" })? > 0)
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        self.ask(Count { key: key.to_owned(), delta })
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        self.ask(Touch { key: key.to_owned(), life })
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        self.ask(clear(scope))
    }

    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        self.ask(read(keys, options, "get_many"))
    }

    fn set_many(&self, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        self.ask(write_many(items, options))
    }

    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.ask(Remove { keys: owned(keys), name: "delete_many" })
    }

    /// Counters of this process; entries and bytes are asked of the server, and 0 if it does not answer.
    fn stats(&self) -> Option<Stats> {
        let (entries, bytes) = self.ask(Weigh).unwrap_or_default();
        let counts = &self.store.counts;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Some(Stats {
            hits: count(&counts.hits),
            misses: count(&counts.misses),
            sets: count(&counts.sets),
            expired: count(&counts.expired),
            culled: count(&counts.culled),
            deleted: count(&counts.deleted),
            entries,
            bytes,
            ..Stats::default()
        })
    }

    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        Op::pending(async move {
            self.store.ask(&read(&[key], options, "get")).await.map(|answers| only(answers, None))
        })
    }

    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        Op::pending(async move {
            self.store.ask(&write_one(key, value, options)).await.map(|answers| only(answers, false))
        })
    }

    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        let remove = Remove { keys: owned(&[key]), name: "delete" };
        Op::pending(async move { Ok(self.store.ask(&remove).await? > 0) })
    }

    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        let count = Count { key: key.to_owned(), delta };
        Op::pending(async move { self.store.ask(&count).await })
    }

    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        let touch = Touch { key: key.to_owned(), life };
        Op::pending(async move { self.store.ask(&touch).await })
    }

    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        Op::pending(async move { self.store.ask(&clear(scope)).await })
    }

    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        Op::pending(async move { self.store.ask(&read(keys, options, "get_many")).await })
    }

    fn aset_many<'a>(&'a self, items: &'a [Item<'a>], options: &'a SetOptions) -> Op<'a, Result<Vec<bool>>> {
        Op::pending(async move { self.store.ask(&write_many(items, options)).await })
    }

    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        let remove = Remove { keys: owned(keys), name: "delete_many" };
        Op::pending(async move { self.store.ask(&remove).await })
    }
}
