//! The contract: what a cache backend is. Small, dyn-safe; full keys in, bytes out; one method a round trip.
//!
//! A backend moves bytes. Keys, versions, codecs, single-flight and the rules of leases and tags are
//! written once, above it, in [`Cache`](crate::Cache). A room adds only the atomic steps.
//!
//! Every verb has two doors. The blocking one never needs a runtime. The async one is inherited by
//! *inline* backends (process memory, dummy), which answer without waiting, and overridden by all others.
use crate::entry::Entry;
use crate::error::{Error, Result};
use crate::stats::Stats;
use crate::timeout::Life;
use bytes::Bytes;
use std::any::Any;
use std::fmt::Debug;

mod capability;
#[cfg(feature = "database")]
pub mod database;
pub mod dummy;
#[cfg(feature = "file")]
pub mod file;
mod lease;
#[cfg(feature = "memcached-blocking")]
pub mod memcached;
#[cfg(feature = "memory")]
pub mod memory;
mod op;
mod options;
#[cfg(feature = "redis-blocking")]
pub mod redis;

pub use capability::{Capability, Shared};
pub use lease::{Filled, Lease, LeaseOptions, Stamp, Tag, Token};
pub use op::Op;
pub use options::{Condition, GetOptions, Item, Limit, Scope, SetOptions};

macro_rules! inline_only {
    ($self:ident, $verb:literal) => {
        debug_assert!($self.capability().inline, concat!("a backend that waits must override ", $verb))
    };
    // To refuse what is not claimed takes no waiting.
    ($self:ident, $verb:literal, where $claimed:ident) => {
        if $self.capability().$claimed {
            inline_only!($self, $verb);
        }
    };
}

/// What an implementor of a backend writes.
///
/// Keys are full keys (`prefix:version:key`). A miss is `Ok(None)` or `Ok(false)`, never an error.
/// `delete`, `touch` with [`Life::Gone`] and `clear` end the lease of their keys in the same atomic
/// step; a `set` makes a running fill refused.
pub trait Backend: Any + Debug + Send + Sync {
    /// The bare name of the room, as in its URLs: `memory`, `redis`, …
    fn scheme(&self) -> &'static str;

    /// What this backend does natively. The same on every call.
    fn capability(&self) -> Capability;

    /// Reads one entry.
    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>>;

    /// Writes one entry; `false` if the condition did not hold.
    ///
    /// A life of [`Life::Gone`] leaves nothing readable: a `set` deletes, an `add` answers whether the
    /// entry was absent (WIRE rules of Django: `add(k, v, 0)` on a missing key is true).
    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool>;

    /// Removes one entry; whether there was a live one.
    fn delete(&self, key: &str) -> Result<bool>;

    /// Adds `delta` to the decimal integer under `key`, keeps its deadline and flags, returns the sum.
    ///
    /// A miss is [`ErrorKind::KeyNotFound`](crate::ErrorKind::KeyNotFound) and creates nothing; a value
    /// that is no integer, or a sum that does not fit, is `NotAnInteger` and changes nothing.
    fn incr(&self, key: &str, delta: i128) -> Result<i128>;

    /// Gives an entry a new life; whether there was a live one. [`Life::Gone`] removes it.
    fn touch(&self, key: &str, life: Life) -> Result<bool>;

    /// Removes entries. See [`Scope`].
    fn clear(&self, scope: Scope<'_>) -> Result<()>;

    /// Reads many entries, in the order of the keys.
    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        keys.iter().map(|key| self.get(key, options)).collect()
    }

    /// Writes many entries (their own flags win over those of the options); which were written.
    fn set_many(&self, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        let write =
            |item: &Item<'_>| self.set(item.key, item.value.clone(), &options.clone().flags(item.flags));
        items.iter().map(write).collect()
    }

    /// Removes many entries; how many were live.
    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        keys.iter().try_fold(0, |count, key| Ok(count + u64::from(self.delete(key)?)))
    }

    /// Asks for the right to load and fill `key`.
    fn lease(&self, _key: &str, _options: &LeaseOptions) -> Result<Lease> {
        Err(Error::unsupported(self.scheme(), "lease"))
    }

    /// Stores a loaded value under a lease.
    fn fill(&self, _key: &str, _token: &Token, _value: Bytes, _options: &SetOptions) -> Result<Filled> {
        Err(Error::unsupported(self.scheme(), "fill"))
    }

    /// Gives a lease back unused.
    fn release(&self, _key: &str, _token: &Token) -> Result<()> {
        Err(Error::unsupported(self.scheme(), "release"))
    }

    /// Invalidates every entry that carries one of these tags.
    fn bump(&self, _tags: &[Tag]) -> Result<()> {
        Err(Error::unsupported(self.scheme(), "bump"))
    }

    /// The current stamp of the backend's logical clock, creating tags that do not exist.
    fn stamp(&self, _tags: &[Tag]) -> Result<Stamp> {
        Err(Error::unsupported(self.scheme(), "stamp"))
    }

    /// Counters since the store was made, where it counts.
    fn stats(&self) -> Option<Stats> {
        None
    }

    /// [`Backend::get`] through the async door.
    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        inline_only!(self, "aget");
        Op::ready(self.get(key, options))
    }

    /// [`Backend::set`] through the async door.
    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        inline_only!(self, "aset");
        Op::ready(self.set(key, value, options))
    }

    /// [`Backend::delete`] through the async door.
    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        inline_only!(self, "adelete");
        Op::ready(self.delete(key))
    }

    /// [`Backend::incr`] through the async door.
    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        inline_only!(self, "aincr");
        Op::ready(self.incr(key, delta))
    }

    /// [`Backend::touch`] through the async door.
    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        inline_only!(self, "atouch");
        Op::ready(self.touch(key, life))
    }

    /// [`Backend::clear`] through the async door.
    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        inline_only!(self, "aclear");
        Op::ready(self.clear(scope))
    }

    /// [`Backend::get_many`] through the async door.
    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        inline_only!(self, "aget_many");
        Op::ready(self.get_many(keys, options))
    }

    /// [`Backend::set_many`] through the async door.
    fn aset_many<'a>(&'a self, items: &'a [Item<'a>], options: &'a SetOptions) -> Op<'a, Result<Vec<bool>>> {
        inline_only!(self, "aset_many");
        Op::ready(self.set_many(items, options))
    }

    /// [`Backend::delete_many`] through the async door.
    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        inline_only!(self, "adelete_many");
        Op::ready(self.delete_many(keys))
    }

    /// [`Backend::lease`] through the async door.
    fn alease<'a>(&'a self, key: &'a str, options: &'a LeaseOptions) -> Op<'a, Result<Lease>> {
        inline_only!(self, "alease", where leases);
        Op::ready(self.lease(key, options))
    }

    /// [`Backend::fill`] through the async door.
    fn afill<'a>(
        &'a self,
        key: &'a str,
        token: &'a Token,
        value: Bytes,
        options: &'a SetOptions,
    ) -> Op<'a, Result<Filled>> {
        inline_only!(self, "afill", where leases);
        Op::ready(self.fill(key, token, value, options))
    }

    /// [`Backend::release`] through the async door.
    fn arelease<'a>(&'a self, key: &'a str, token: &'a Token) -> Op<'a, Result<()>> {
        inline_only!(self, "arelease", where leases);
        Op::ready(self.release(key, token))
    }

    /// [`Backend::bump`] through the async door.
    fn abump<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<()>> {
        inline_only!(self, "abump", where tags);
        Op::ready(self.bump(tags))
    }

    /// [`Backend::stamp`] through the async door.
    fn astamp<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<Stamp>> {
        inline_only!(self, "astamp", where tags);
        Op::ready(self.stamp(tags))
    }
}

/// A type-erased decorator: tiers, metrics, retry, faults for tests. Wrappers forward every method.
pub trait Layer: Debug + Send + Sync {
    /// Puts this layer around a backend.
    fn layer(&self, inner: std::sync::Arc<dyn Backend>) -> std::sync::Arc<dyn Backend>;
}
