//! A backend whose keys have a prefix that no other has: for servers whose tests cannot have a database each.
use crate::Life;
use crate::backend::{
    Backend, Capability, Filled, GetOptions, Item, Lease, LeaseOptions, Op, Scope, SetOptions, Stamp, Tag,
    Token,
};
use crate::entry::Entry;
use crate::error::Result;
use crate::stats::Stats;
use bytes::Bytes;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `clear` removes what is under the prefix; the verbs are those of the backend below, with longer keys.
#[derive(Debug)]
pub(super) struct Prefixed<B> {
    inner: B,
    prefix: String,
}

impl<B> Prefixed<B> {
    pub(super) fn new(inner: B) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Prefixed { inner, prefix: format!("{}-{number}/", std::process::id()) }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn keys(&self, keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| self.key(key)).collect()
    }

    fn scope(&self, scope: Scope<'_>) -> String {
        match scope {
            Scope::All => self.prefix.clone(),
            Scope::Prefix(prefix) => self.key(prefix),
        }
    }
}

fn borrowed(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}

/// The same entries under other keys.
fn items<'a>(keys: &'a [String], items: &[Item<'_>]) -> Vec<Item<'a>> {
    let item =
        |(key, item): (&'a String, &Item<'_>)| Item { key, value: item.value.clone(), flags: item.flags };
    keys.iter().zip(items).map(item).collect()
}

#[deny(clippy::missing_trait_methods)]
impl<B: Backend> Backend for Prefixed<B> {
    fn scheme(&self) -> &'static str {
        self.inner.scheme()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        self.inner.get(&self.key(key), options)
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.inner.set(&self.key(key), value, options)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        self.inner.delete(&self.key(key))
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        self.inner.incr(&self.key(key), delta)
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        self.inner.touch(&self.key(key), life)
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        self.inner.clear(Scope::Prefix(&self.scope(scope)))
    }

    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        self.inner.get_many(&borrowed(&self.keys(keys)), options)
    }

    fn set_many(&self, entries: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        let keys: Vec<_> = entries.iter().map(|item| self.key(item.key)).collect();
        self.inner.set_many(&items(&keys, entries), options)
    }

    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.inner.delete_many(&borrowed(&self.keys(keys)))
    }

    fn lease(&self, key: &str, options: &LeaseOptions) -> Result<Lease> {
        self.inner.lease(&self.key(key), options)
    }

    fn fill(&self, key: &str, token: &Token, value: Bytes, options: &SetOptions) -> Result<Filled> {
        self.inner.fill(&self.key(key), token, value, options)
    }

    fn release(&self, key: &str, token: &Token) -> Result<()> {
        self.inner.release(&self.key(key), token)
    }

    fn bump(&self, tags: &[Tag]) -> Result<()> {
        self.inner.bump(tags)
    }

    fn stamp(&self, tags: &[Tag]) -> Result<Stamp> {
        self.inner.stamp(tags)
    }

    fn stats(&self) -> Option<Stats> {
        self.inner.stats()
    }

    // The async door is the blocking one here: there is no other to clusters and sentinels yet.

    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        Op::ready(self.get(key, options))
    }

    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        Op::ready(self.set(key, value, options))
    }

    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        Op::ready(self.delete(key))
    }

    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        Op::ready(self.incr(key, delta))
    }

    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        Op::ready(self.touch(key, life))
    }

    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        Op::ready(self.clear(scope))
    }

    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        Op::ready(self.get_many(keys, options))
    }

    fn aset_many<'a>(
        &'a self,
        entries: &'a [Item<'a>],
        options: &'a SetOptions,
    ) -> Op<'a, Result<Vec<bool>>> {
        Op::ready(self.set_many(entries, options))
    }

    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        Op::ready(self.delete_many(keys))
    }

    fn alease<'a>(&'a self, key: &'a str, options: &'a LeaseOptions) -> Op<'a, Result<Lease>> {
        Op::ready(self.lease(key, options))
    }

    fn afill<'a>(
        &'a self,
        key: &'a str,
        token: &'a Token,
        value: Bytes,
        options: &'a SetOptions,
    ) -> Op<'a, Result<Filled>> {
        Op::ready(self.fill(key, token, value, options))
    }

    fn arelease<'a>(&'a self, key: &'a str, token: &'a Token) -> Op<'a, Result<()>> {
        Op::ready(self.release(key, token))
    }

    fn abump<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<()>> {
        Op::ready(self.bump(tags))
    }

    fn astamp<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<Stamp>> {
        Op::ready(self.stamp(tags))
    }
}
