//! The contract, for both doors: a line for each verb of `verbs.rs`, which says what is asked and answered.
use super::batch::{Answers, Batch};
use super::client::Client;
use super::config::RedisConfig;
#[cfg(feature = "redis")]
use super::tokio_door::TokioDoor;
use super::verbs::{self, Sweep, Verb};
use crate::backend::{Backend, Capability, GetOptions, Item, Op, Scope, SetOptions, Shared};
use crate::entry::Entry;
use crate::error::Result;
use crate::timeout::Life;
use bytes::Bytes;
use std::cell::RefCell;
use std::sync::Arc;

/// A cache in Redis or Valkey.
#[derive(Debug)]
pub struct RedisBackend {
    client: Arc<Client>,
    #[cfg(feature = "redis")]
    tasks: TokioDoor,
}

thread_local! {
    static SCRATCH: RefCell<(Batch, Answers)> = RefCell::default();
}

impl RedisBackend {
    /// A backend that follows this configuration; connects at the first verb.
    ///
    /// # Errors
    /// As [`RedisConfig::check`].
    pub fn new(config: RedisConfig) -> Result<Self> {
        let client = Arc::new(Client::new(config)?);
        Ok(RedisBackend {
            #[cfg(feature = "redis")]
            tasks: TokioDoor::new(client.clone()),
            client,
        })
    }

    /// The client of the blocking door.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How many connections the async door has in this process, in all runtimes.
    #[cfg(feature = "redis")]
    pub fn async_connections(&self) -> usize {
        self.tasks.connections()
    }

    /// One exchange.
    #[inline]
    fn ask<V: Verb>(&self, verb: V) -> Result<V::Answer> {
        self.ask_with(verb, |batch, answers| self.client.exchange(batch, answers))
    }

    #[inline]
    fn ask_with<V: Verb>(
        &self,
        verb: V,
        exchange: impl FnOnce(&Batch, &mut Answers) -> Result<()>,
    ) -> Result<V::Answer> {
        SCRATCH.with_borrow_mut(|(batch, answers)| {
            batch.start(verb.name(), verb.effect(), self.client.is_clustered());
            verb.write(batch);
            if batch.is_empty() {
                answers.clear();
            } else {
                exchange(batch, answers)?;
            }
            verb.read(&mut answers.replies()).map_err(|problem| self.client.refuse(batch, problem))
        })
    }

    /// One exchange through the async door.
    #[cfg(feature = "redis")]
    fn later<'a, V: Verb + Send + 'a>(&'a self, verb: Result<V>) -> Op<'a, Result<V::Answer>> {
        match verb {
            Ok(verb) => Op::pending(self.tasks.ask(verb)),
            Err(error) => Op::ready(Err(error)),
        }
    }

    #[cfg(feature = "redis")]
    fn sweep_later<'a>(&'a self, prefix: &'a str) -> Op<'a, Result<()>> {
        Op::pending(async move {
            for node in &self.tasks.nodes().await? {
                let mut sweep = Sweep::of(prefix);
                while let Some(step) = sweep.step() {
                    self.tasks.ask_on(Some(node), step).await?;
                }
            }
            Ok(())
        })
    }

    #[cfg(not(feature = "redis"))]
    fn sweep_later<'a>(&'a self, _prefix: &'a str) -> Op<'a, Result<()>> {
        Op::ready(Err(crate::Error::unsupported("redis", "clear_prefix")))
    }

    /// This build has no async door: it was made without the feature `redis`.
    #[cfg(not(feature = "redis"))]
    fn later<'a, V: Verb + Send + 'a>(&'a self, verb: Result<V>) -> Op<'a, Result<V::Answer>> {
        Op::ready(verb.and_then(|verb| Err(crate::Error::unsupported("redis", verb.name()))))
    }
}

impl Backend for RedisBackend {
    fn scheme(&self) -> &'static str {
        "redis"
    }

    fn capability(&self) -> Capability {
        Capability {
            atomic_incr: true,
            native_many: true,
            native_touch: true,
            ttl_readable: true,
            clear_prefix: true,
            ..Capability::none(Shared::Network)
        }
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        self.ask(verbs::get(key, options)?)
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.ask(verbs::set(key, value, options)?)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        self.ask(verbs::delete(key)?)
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        self.ask(verbs::incr(key, delta)?)
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        self.ask(verbs::touch(key, life)?)
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::All => self.ask(verbs::clear()),
            Scope::Prefix(prefix) => self.client.nodes()?.iter().try_for_each(|node| {
                let mut sweep = Sweep::of(prefix);
                while let Some(step) = sweep.step() {
                    self.ask_with(step, |batch, answers| self.client.exchange_on(node, batch, answers))?;
                }
                Ok(())
            }),
        }
    }

    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        self.ask(verbs::get_many(keys, options)?)
    }

    fn set_many(&self, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        self.ask(verbs::set_many(items, options)?)
    }

    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.ask(verbs::delete_many(keys)?)
    }

    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        self.later(verbs::get(key, options))
    }

    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        self.later(verbs::set(key, value, options))
    }

    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        self.later(verbs::delete(key))
    }

    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        self.later(verbs::incr(key, delta))
    }

    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        self.later(verbs::touch(key, life))
    }

    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        match scope {
            Scope::All => self.later(Ok(verbs::clear())),
            Scope::Prefix(prefix) => self.sweep_later(prefix),
        }
    }

    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        self.later(verbs::get_many(keys, options))
    }

    fn aset_many<'a>(&'a self, items: &'a [Item<'a>], options: &'a SetOptions) -> Op<'a, Result<Vec<bool>>> {
        self.later(verbs::set_many(items, options))
    }

    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        self.later(verbs::delete_many(keys))
    }
}
