//! The client for threads.
use crate::config::Config;
use crate::error::Error;
use crate::fleet::{Fleet, Owed};
use crate::key::Key;
use crate::overdue::Due;
use crate::peer::Peer;
#[cfg(doc)]
use crate::peer::Words;
use crate::reply::Tokens;
use crate::request::{Batch, Get, Mode, Remove, Store};
use crate::verb::{Count, Delete, Item, Read, Stored, Touch, Verb, Write};
use bytes::Bytes;
use hotclub_net::{Effect, Problem};
use std::sync::Arc;

/// An entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// What was stored.
    pub data: Bytes,
    /// What its writer said that it is.
    pub flags: u32,
    /// Its id for [`Client::cas`]. It changes with each write, and begins anew when the server does.
    pub cas: u64,
}

impl Value {
    fn of(data: &[u8], tokens: Tokens<'_>) -> Result<Self, Problem> {
        let cas = tokens.cas().ok_or_else(|| Problem::Malformed("a value without its id".into()))?;
        Ok(Value { data: Bytes::copy_from_slice(data), flags: tokens.flags()?, cas })
    }
}

/// How an entry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SetOptions {
    /// What the value is, for readers.
    pub flags: u32,
    /// Seconds to live; 0: for ever; below 0: not at all; above 30 days: the Unix time of the end.
    pub exptime: i64,
}

impl SetOptions {
    /// For ever.
    pub fn for_ever() -> Self {
        SetOptions::default()
    }

    /// For so many seconds.
    pub fn lasting(exptime: i64) -> Self {
        SetOptions { exptime, ..SetOptions::default() }
    }

    /// With these flags.
    #[must_use]
    pub fn flags(self, flags: u32) -> Self {
        SetOptions { flags, ..self }
    }
}

/// A client of one or more memcached servers, for threads: share it by reference.
///
/// Nothing happens before the first call. In the child of a fork it begins anew and leaves the connections of its
/// parent alone.
#[derive(Debug)]
pub struct Client {
    fleet: Arc<Fleet>,
}

/// A node is being flushed.
#[derive(Debug)]
pub struct Flush {
    fleet: Arc<Fleet>,
    node: usize,
    due: Option<Due>,
    batch: Batch,
}

impl Flush {
    /// Which.
    pub fn node(&self) -> usize {
        self.node
    }

    /// What is sent, in words that every server understands ([`Words::Older`]).
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// It was done, or was not: then it is done before the node is used again.
    ///
    /// # Errors
    /// Why not.
    pub fn end(mut self, heard: Result<&[u8], Problem>) -> Result<(), Error> {
        match self.due.take() {
            Some(due) => self.fleet.flushed(self.node, &due, heard),
            None => Ok(()),
        }
    }
}

impl Drop for Flush {
    /// Whoever waited for it was cancelled.
    fn drop(&mut self) {
        if self.due.is_some() {
            self.fleet.note_flush(self.node);
        }
    }
}

impl Client {
    /// A client that follows this configuration.
    ///
    /// # Errors
    /// As [`Config::check`].
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Client { fleet: Arc::new(Fleet::new(config)?) })
    }

    pub(crate) fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.fleet.config
    }

    /// Does a call of one's own making.
    ///
    /// # Errors
    /// A node was not there, refused, or made no sense.
    #[inline]
    pub fn ask<V: Verb>(&self, verb: &V) -> Result<V::Answer, Error> {
        self.fleet.ask(verb)
    }

    /// What a node is to do before it is used, if anything; for doors of other kinds.
    #[inline]
    pub fn owed(&self, node: usize) -> Option<Owed> {
        if self.fleet.is_overdue(node) { self.fleet.owed(node) } else { None }
    }

    /// Has these keys deleted before their nodes are read again: what became of them is unknown.
    pub fn owe(&self, keys: &[Key<'_>]) {
        keys.iter().for_each(|key| self.fleet.note(self.fleet.node_of(key), std::iter::once(key)));
    }

    /// The node answered to that.
    ///
    /// # Errors
    /// It did not do it.
    pub fn settled(&self, node: usize, owed: &Owed, replies: &[u8]) -> Result<(), Problem> {
        self.fleet.settled(node, owed, replies)
    }

    /// Has everything removed from all nodes before they are read again: what became of doing that is unknown.
    pub fn owe_all(&self) {
        (0..self.fleet.size()).for_each(|node| self.fleet.note_flush(node));
    }

    /// Begins to remove everything from all nodes; for doors of other kinds.
    pub fn begin_flush(&self) -> Vec<Flush> {
        let fleet = &self.fleet;
        let begin = |node| Flush {
            fleet: fleet.clone(),
            node,
            due: Some(fleet.begin_flush(node)),
            batch: crate::fleet::flush_all(),
        };
        (0..fleet.size()).map(begin).collect()
    }

    /// How a node is greeted and understood; for doors of other kinds.
    #[inline]
    pub fn peer(&self, node: usize) -> &Peer {
        self.fleet.peer(node)
    }

    /// A node answered, through a door of another kind.
    #[inline]
    pub fn answered(&self, node: usize) {
        self.fleet.answered(node);
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// A bad key; a node that refuses, or with [`AbsentNodes::Raise`](crate::AbsentNodes) is not there.
    pub fn get(&self, key: &str) -> Result<Option<Value>, Error> {
        Ok(self.read(vec![Key::new(key)?])?.pop().flatten())
    }

    /// Reads entries, each node's in one go, all nodes at the same time; in the order of the keys.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Value>>, Error> {
        self.read(keys.iter().map(|&key| Key::new(key)).collect::<Result<_, _>>()?)
    }

    fn read(&self, keys: Vec<Key<'_>>) -> Result<Vec<Option<Value>>, Error> {
        let get = Get { cas: true, ..Get::default() };
        self.ask(&Read { keys: keys.into(), get, absent: self.config().absent, found: Value::of })
    }

    /// Writes an entry; false if its node is not there.
    ///
    /// # Errors
    /// As [`Client::get`]; a value that the server finds too large, after which there is no entry.
    pub fn set(&self, key: &str, value: &[u8], options: &SetOptions) -> Result<bool, Error> {
        Ok(self.store("set", key, value, options, Mode::Set, None)? == Stored::Yes)
    }

    /// Writes an entry if there is none; whether it did.
    ///
    /// # Errors
    /// As [`Client::set`], and also if the node is not there.
    pub fn add(&self, key: &str, value: &[u8], options: &SetOptions) -> Result<bool, Error> {
        Ok(self.store("add", key, value, options, Mode::Add, None)? == Stored::Yes)
    }

    /// Writes an entry if there is one; whether it did.
    ///
    /// # Errors
    /// As [`Client::add`].
    pub fn replace(&self, key: &str, value: &[u8], options: &SetOptions) -> Result<bool, Error> {
        Ok(self.store("replace", key, value, options, Mode::Replace, None)? == Stored::Yes)
    }

    /// Puts bytes behind those of an entry; whether there was one.
    ///
    /// # Errors
    /// As [`Client::add`].
    pub fn append(&self, key: &str, value: &[u8]) -> Result<bool, Error> {
        Ok(self.store("append", key, value, &SetOptions::default(), Mode::Append, None)? == Stored::Yes)
    }

    /// Puts bytes before those of an entry; whether there was one.
    ///
    /// # Errors
    /// As [`Client::add`].
    pub fn prepend(&self, key: &str, value: &[u8]) -> Result<bool, Error> {
        Ok(self.store("prepend", key, value, &SetOptions::default(), Mode::Prepend, None)? == Stored::Yes)
    }

    /// Writes over the entry that was read with this id.
    ///
    /// # Errors
    /// As [`Client::add`].
    pub fn cas(&self, key: &str, value: &[u8], id: u64, options: &SetOptions) -> Result<Stored, Error> {
        self.store("cas", key, value, options, Mode::Set, Some(id))
    }

    /// Writes many entries; which were written.
    ///
    /// # Errors
    /// A bad key; a node that makes no sense.
    pub fn set_many(&self, items: &[(&str, &[u8])], options: &SetOptions) -> Result<Vec<bool>, Error> {
        let store = Store { flags: options.flags, exptime: options.exptime, ..Store::default() };
        let mut written = Vec::with_capacity(items.len());
        for &(key, value) in items {
            written.push(Item { key: Key::new(key)?, value: value.into(), store });
        }
        let stored =
            self.ask(&Write { name: "set_many", items: written.into(), absent: self.config().absent })?;
        Ok(stored.iter().map(|one| matches!(one, Ok(Stored::Yes))).collect())
    }

    fn store(
        &self,
        name: &'static str,
        key: &str,
        value: &[u8],
        options: &SetOptions,
        mode: Mode,
        cas: Option<u64>,
    ) -> Result<Stored, Error> {
        let store = Store { flags: options.flags, exptime: options.exptime, mode, cas, ..Store::default() };
        let items = [Item { key: Key::new(key)?, value: value.into(), store }];
        let write = Write { name, items: items[..].into(), absent: self.config().absent };
        let stored = self.ask(&write)?.pop();
        let effect = if store.is_plain() { Effect::Idempotent } else { Effect::Once };
        stored.unwrap_or(Ok(Stored::Absent)).map_err(|problem| Error::Server {
            problem,
            verb: name,
            effect,
            place: self.fleet.place_of(&items[0].key),
        })
    }

    /// Removes an entry; whether there was one.
    ///
    /// # Errors
    /// As [`Client::get`], and also if the node is not there: then the entry is removed before the node is used again.
    pub fn delete(&self, key: &str) -> Result<bool, Error> {
        Ok(self.ask(&Delete { keys: vec![Key::new(key)?].into(), remove: Remove::default() })? > 0)
    }

    /// Removes entries; how many there were.
    ///
    /// # Errors
    /// As [`Client::delete`].
    pub fn delete_many(&self, keys: &[&str]) -> Result<u64, Error> {
        let keys: Vec<_> = keys.iter().map(|&key| Key::new(key)).collect::<Result<_, _>>()?;
        self.ask(&Delete { keys: keys.into(), remove: Remove::default() })
    }

    /// Gives an entry other seconds to live (as [`SetOptions::exptime`]); whether there is one.
    ///
    /// # Errors
    /// As [`Client::add`].
    pub fn touch(&self, key: &str, exptime: i64) -> Result<bool, Error> {
        self.ask(&Touch { key: Key::new(key)?, exptime })
    }

    /// Adds to a number; the sum, or nothing if there is no entry. Wraps at 2^64.
    ///
    /// # Errors
    /// As [`Client::add`]; the entry is no number.
    pub fn incr(&self, key: &str, delta: u64) -> Result<Option<u64>, Error> {
        self.ask(&Count { key: Key::new(key)?, delta, down: false })
    }

    /// Subtracts from a number; the difference, or nothing if there is no entry. Stops at 0.
    ///
    /// # Errors
    /// As [`Client::incr`].
    pub fn decr(&self, key: &str, delta: u64) -> Result<Option<u64>, Error> {
        self.ask(&Count { key: Key::new(key)?, delta, down: true })
    }

    /// Removes everything from all nodes, whoever wrote it.
    ///
    /// # Errors
    /// A node is not there: it is flushed before it is used again.
    pub fn flush_all(&self) -> Result<(), Error> {
        self.fleet.flush_all()
    }

    /// The node that has this key, for messages.
    pub fn place_of(&self, key: &Key<'_>) -> String {
        self.fleet.place_of(key)
    }

    /// How many connections this process has to all nodes.
    pub fn connections(&self) -> usize {
        self.fleet.connections()
    }
}
