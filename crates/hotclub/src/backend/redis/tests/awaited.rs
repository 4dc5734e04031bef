//! The whole suite once more, with the async door in the place of the blocking one.
use super::*;
use crate::backend::{
    Backend, Capability, Filled, GetOptions, Item, Lease, LeaseOptions, Op, Scope, SetOptions, Stamp, Tag,
    Token,
};
use crate::fork::PerProcess;
use crate::{Entry, Life, Result};
use ::tokio::runtime::{Builder, Runtime};
use bytes::Bytes;

/// Its blocking verbs wait for the async ones.
#[derive(Debug)]
pub(super) struct Awaited {
    backend: RedisBackend,
    /// A child has none of its parent's threads.
    runtime: PerProcess<Runtime>,
}

impl Awaited {
    pub(super) fn new(backend: RedisBackend) -> Self {
        Awaited { backend, runtime: PerProcess::new() }
    }

    fn wait<T: Unpin>(&self, answer: Op<'_, T>) -> T {
        let make = || Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        self.runtime.get_or(make).block_on(answer)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for Awaited {
    fn scheme(&self) -> &'static str {
        self.backend.scheme()
    }
    fn capability(&self) -> Capability {
        self.backend.capability()
    }
    fn stats(&self) -> Option<crate::Stats> {
        self.backend.stats()
    }
    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        self.wait(self.backend.aget(key, options))
    }
    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.wait(self.backend.aset(key, value, options))
    }
    fn delete(&self, key: &str) -> Result<bool> {
        self.wait(self.backend.adelete(key))
    }
    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        self.wait(self.backend.aincr(key, delta))
    }
    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        self.wait(self.backend.atouch(key, life))
    }
    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        self.wait(self.backend.aclear(scope))
    }
    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        self.wait(self.backend.aget_many(keys, options))
    }
    fn set_many(&self, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        self.wait(self.backend.aset_many(items, options))
    }
    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.wait(self.backend.adelete_many(keys))
    }
    fn lease(&self, key: &str, options: &LeaseOptions) -> Result<Lease> {
        self.wait(self.backend.alease(key, options))
    }
    fn fill(&self, key: &str, token: &Token, value: Bytes, options: &SetOptions) -> Result<Filled> {
        self.wait(self.backend.afill(key, token, value, options))
    }
    fn release(&self, key: &str, token: &Token) -> Result<()> {
        self.wait(self.backend.arelease(key, token))
    }
    fn bump(&self, tags: &[Tag]) -> Result<()> {
        self.wait(self.backend.abump(tags))
    }
    fn stamp(&self, tags: &[Tag]) -> Result<Stamp> {
        self.wait(self.backend.astamp(tags))
    }
    // The other way round: what the suite awaits is what the blocking door answers.
    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        Op::ready(self.backend.get(key, options))
    }
    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        Op::ready(self.backend.set(key, value, options))
    }
    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        Op::ready(self.backend.delete(key))
    }
    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        Op::ready(self.backend.incr(key, delta))
    }
    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        Op::ready(self.backend.touch(key, life))
    }
    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        Op::ready(self.backend.clear(scope))
    }
    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        Op::ready(self.backend.get_many(keys, options))
    }
    fn aset_many<'a>(&'a self, items: &'a [Item<'a>], options: &'a SetOptions) -> Op<'a, Result<Vec<bool>>> {
        Op::ready(self.backend.set_many(items, options))
    }
    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        Op::ready(self.backend.delete_many(keys))
    }
    fn alease<'a>(&'a self, key: &'a str, options: &'a LeaseOptions) -> Op<'a, Result<Lease>> {
        Op::ready(self.backend.lease(key, options))
    }
    fn afill<'a>(
        &'a self,
        key: &'a str,
        token: &'a Token,
        value: Bytes,
        options: &'a SetOptions,
    ) -> Op<'a, Result<Filled>> {
        Op::ready(self.backend.fill(key, token, value, options))
    }
    fn arelease<'a>(&'a self, key: &'a str, token: &'a Token) -> Op<'a, Result<()>> {
        Op::ready(self.backend.release(key, token))
    }
    fn abump<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<()>> {
        Op::ready(self.backend.bump(tags))
    }
    fn astamp<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<Stamp>> {
        Op::ready(self.backend.stamp(tags))
    }
}

fn fixture(test: &str, url: impl FnOnce() -> String) -> Option<Fixture> {
    redis_or_skip(test).then(|| {
        let backend = backend(&url());
        Fixture::in_real_time(|| Awaited::new(backend)).with_unit(UNIT)
    })
}

conformance!(awaited, or_skip, || fixture("awaited", database));
conformance!(awaited_resp3, or_skip, || fixture("awaited_resp3", || format!("{}?protocol=3", database())));
conformance!(awaited_tls, or_skip, || {
    if crate::testing::servers::tls_or_skip("awaited_tls") {
        fixture("awaited_tls", super::tls::secured)
    } else {
        None
    }
});
