//! The contract: what a cache backend is. Small, dyn-safe; full keys in, bytes out; one method a round trip.
//!
//! A backend moves bytes. Keys, versions, codecs, single-flight and the rules of leases and tags are
//! written once, above it, in [`Cache`](crate::Cache). A room adds only the atomic steps.
//!
//! Every verb has two doors. The blocking one never needs a runtime. The async one is inherited by
//! *inline* backends (process memory, dummy), which answer without waiting, and overridden by all others.
use crate::entry::{Entry, Flags};
use crate::error::{Error, Result};
use crate::stats::Stats;
use crate::timeout::Life;
use bytes::Bytes;
use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pub mod dummy;
#[cfg(feature = "memory")]
pub mod memory;

/// When a write takes place: set, add, replace, compare-and-set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Always (set).
    #[default]
    Always,
    /// Only if there is no live entry (add).
    IfAbsent,
    /// Only if there is a live entry (replace).
    IfPresent,
    /// Only if the live entry still has this token ([`Entry::cas`]).
    IfCas(u64),
}

/// Django's MAX_ENTRIES and CULL_FREQUENCY of the *caller*: several callers may share one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// A write that finds at least this many entries culls first.
    pub max_entries: i64,
    /// One in this many entries is culled; 0 means all of them.
    pub cull_frequency: i64,
}

/// How to read.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GetOptions {
    /// Gives the entry a new life in the same step.
    pub touch: Option<Life>,
    /// Does not count as use of the entry, nor as hit or miss.
    pub peek: bool,
    /// Fills [`Entry::deadline`].
    pub want_deadline: bool,
    /// Fills [`Entry::cas`].
    pub want_cas: bool,
    /// Fills [`Entry::tags`] with the stamps of these tags.
    pub tags: Vec<Tag>,
}

impl GetOptions {
    /// Reads without counting as use.
    pub fn peek() -> Self {
        GetOptions { peek: true, ..GetOptions::default() }
    }
}

/// How to write.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SetOptions {
    /// How long the entry lives.
    pub life: Life,
    /// When the write takes place.
    pub condition: Condition,
    /// What the codec wrote.
    pub flags: Flags,
    /// The caller's own limit; without it the store's.
    pub limit: Option<Limit>,
}

impl SetOptions {
    /// An unconditional write with this life.
    pub fn new(life: Life) -> Self {
        SetOptions { life, condition: Condition::Always, flags: Flags::RAW, limit: None }
    }
    /// The same with these flags.
    #[must_use]
    pub fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }
    /// The same under this condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }
    /// The same under the caller's own limit.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// One entry of a `set_many`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<'a> {
    /// The full key.
    pub key: &'a str,
    /// The bytes to store.
    pub value: Bytes,
    /// What the codec wrote.
    pub flags: Flags,
}

/// What `clear` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope<'a> {
    /// Every entry of the store, whoever wrote it (Django's `clear`).
    All,
    /// The entries whose full key starts with this; needs [`Capability::clear_prefix`].
    Prefix(&'a str),
}

/// A label on many entries, already hashed by the layer above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u64);

/// The logical time at which a lease was given, by the backend's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

/// Proof of a lease: random, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u128);

/// How to ask for a lease.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LeaseOptions {
    /// After this time the lease ends by itself.
    pub ttl: Duration,
    /// The entry that the caller saw and wants to replace, by its [`Entry::cas`].
    pub seen: Option<u64>,
    /// The tags that the value will depend on.
    pub tags: Vec<Tag>,
}

impl LeaseOptions {
    /// A lease of this length on an absent entry without tags.
    pub fn new(ttl: Duration) -> Self {
        LeaseOptions { ttl, seen: None, tags: Vec::new() }
    }
}

/// What a backend answers to a lease request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lease {
    /// There is a value after all.
    Hit(Entry),
    /// The caller may load and fill.
    Granted {
        /// Proves the right to fill.
        token: Token,
        /// The stamp for the entry's tags, taken before the load.
        stamp: Option<Stamp>,
    },
    /// Somebody else is loading; ask again after this time.
    Busy {
        /// How long to wait before asking again.
        wait: Duration,
    },
    /// An invalidation holds the key: load, but do not fill.
    Held,
}

/// What became of a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filled {
    /// Stored.
    Stored,
    /// Refused: the lease is gone (invalidated, expired, evicted).
    Lost,
    /// Refused: another value was set meanwhile.
    Superseded,
    /// Refused: one of its tags was invalidated, or is unknown.
    StaleTag,
}

/// Who sees an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// Nobody: nothing is kept.
    Nobody,
    /// This process.
    Process,
    /// All processes of this machine.
    Machine,
    /// All machines that reach the server.
    Network,
}

/// What a backend does natively, as data: layers, docs and the conformance suite read it.
///
/// Nothing that cannot be atomic is emulated silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// Every call ends without waiting: async callers take the blocking door and never make a future.
    pub inline: bool,
    /// Who sees an entry.
    pub shared: Shared,
    /// Entries survive the end of the process.
    pub persistent: bool,
    /// `incr` is one atomic step.
    pub atomic_incr: bool,
    /// The many-verbs are one round trip.
    pub native_many: bool,
    /// `touch` is one atomic step.
    pub native_touch: bool,
    /// [`Condition::IfCas`] works.
    pub cas: bool,
    /// [`Entry::deadline`] can be read.
    pub ttl_readable: bool,
    /// [`Flags`] are kept beside the value.
    pub flags: bool,
    /// [`Scope::Prefix`] works.
    pub clear_prefix: bool,
    /// The server tells its clients what changed.
    pub push_invalidation: bool,
    /// [`Backend::lease`], [`Backend::fill`] and [`Backend::release`] work.
    pub leases: bool,
    /// [`Backend::bump`] and [`GetOptions::tags`] work.
    pub tags: bool,
    /// The longest full key, in bytes.
    pub max_key: Option<usize>,
    /// The largest value, in bytes.
    pub max_value: Option<usize>,
}

impl Capability {
    /// The least a backend can be: nothing native, answers only over a wait.
    pub const fn none(shared: Shared) -> Self {
        Capability {
            inline: false,
            shared,
            persistent: false,
            atomic_incr: false,
            native_many: false,
            native_touch: false,
            cas: false,
            ttl_readable: false,
            flags: false,
            clear_prefix: false,
            push_invalidation: false,
            leases: false,
            tags: false,
            max_key: None,
            max_value: None,
        }
    }

    /// The rows of the capability table in `docs/reference`: a name and what this backend has there.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let bytes =
            |limit: Option<usize>| limit.map_or("no limit".to_owned(), |bytes| format!("{bytes} bytes"));
        vec![
            ("answers without waiting", yes_no(self.inline)),
            ("shared by", format!("{:?}", self.shared).to_lowercase()),
            ("survives the process", yes_no(self.persistent)),
            ("atomic incr", yes_no(self.atomic_incr)),
            ("native many-verbs", yes_no(self.native_many)),
            ("native touch", yes_no(self.native_touch)),
            ("compare and set", yes_no(self.cas)),
            ("TTL readable", yes_no(self.ttl_readable)),
            ("keeps flags", yes_no(self.flags)),
            ("clear by prefix", yes_no(self.clear_prefix)),
            ("pushes invalidations", yes_no(self.push_invalidation)),
            ("leases", yes_no(self.leases)),
            ("tags", yes_no(self.tags)),
            ("longest key", bytes(self.max_key)),
            ("largest value", bytes(self.max_value)),
        ]
    }
}

/// A result that may be there already (memory, dummy, an L1 hit): no allocation, no runtime.
#[must_use = "futures do nothing unless awaited"]
pub enum Op<'a, T> {
    /// The answer.
    Ready(Option<T>),
    /// The answer is on its way.
    Pending(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> Op<'a, T> {
    /// An answer that is there.
    pub fn ready(answer: T) -> Self {
        Op::Ready(Some(answer))
    }

    /// An answer that this future brings.
    pub fn pending(future: impl Future<Output = T> + Send + 'a) -> Self {
        Op::Pending(Box::pin(future))
    }
}

impl<T: Unpin> Future for Op<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.get_mut() {
            Op::Ready(answer) => Poll::Ready(answer.take().expect("an Op is polled once after it is ready")),
            Op::Pending(future) => future.as_mut().poll(context),
        }
    }
}

macro_rules! inline_only {
    ($self:ident, $verb:literal) => {
        debug_assert!($self.capability().inline, concat!("a backend that waits must override ", $verb))
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
        inline_only!(self, "alease");
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
        inline_only!(self, "afill");
        Op::ready(self.fill(key, token, value, options))
    }

    /// [`Backend::release`] through the async door.
    fn arelease<'a>(&'a self, key: &'a str, token: &'a Token) -> Op<'a, Result<()>> {
        inline_only!(self, "arelease");
        Op::ready(self.release(key, token))
    }

    /// [`Backend::bump`] through the async door.
    fn abump<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<()>> {
        inline_only!(self, "abump");
        Op::ready(self.bump(tags))
    }

    /// [`Backend::stamp`] through the async door.
    fn astamp<'a>(&'a self, tags: &'a [Tag]) -> Op<'a, Result<Stamp>> {
        inline_only!(self, "astamp");
        Op::ready(self.stamp(tags))
    }
}

/// A type-erased decorator: tiers, metrics, retry, faults for tests. Wrappers forward every method.
pub trait Layer: Debug + Send + Sync {
    /// Puts this layer around a backend.
    fn layer(&self, inner: std::sync::Arc<dyn Backend>) -> std::sync::Arc<dyn Backend>;
}
