//! Process memory: the fastest room, and the only one that needs nothing beside the process.
//!
//! Choose it for one process, or as the first tier before a shared one: two processes do not see each
//! other's entries. Entries carry their own deadlines; capacity is counted in bytes, in entries or both;
//! [`Policy`] says who leaves. No thread, no runtime, no allocation before the first entry.
mod change;
mod config;
mod content;
mod ghost;
mod node;
mod policy;
mod shard;
mod store;
#[cfg(test)]
mod tests;
mod write;

pub use change::{Change, Seen, Usage, Was, Weigh};
pub use config::MemoryConfig;
pub use policy::Policy;
pub use store::Store;

use super::{Backend, Capability, Condition, GetOptions, Scope, SetOptions, Shared};
use crate::clock::Clock;
use crate::codec::integer;
use crate::config::Options;
use crate::entry::{Entry, Flags};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Room;
use crate::stats::Stats;
use crate::timeout::Life;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

const SHARED_HEADER: usize = 24;

/// Bytes as they lie in the store.
#[derive(Debug, Clone)]
struct Stored {
    value: Bytes,
    flags: Flags,
    cas: u64,
}

impl Weigh for Stored {
    fn weight(&self) -> usize {
        // The bytes, and what their owner is counted with once somebody reads them.
        self.value.len() + SHARED_HEADER
    }
}

/// The process-memory backend: bytes in a [`Store`].
///
/// ```
/// use hotclub::backend::memory::{MemoryBackend, MemoryConfig};
/// use hotclub::blocking::Cache;
/// let cache = Cache::new(MemoryBackend::new(MemoryConfig::bytes(1 << 20)));
/// cache.set("page", "Minor Swing")?;
/// assert_eq!(cache.get::<String>("page")?.as_deref(), Some("Minor Swing"));
/// # Ok::<(), hotclub::Error>(())
/// ```
#[derive(Debug)]
pub struct MemoryBackend {
    store: Store<Stored>,
    next_cas: AtomicU64,
}

impl MemoryBackend {
    /// An empty store with these limits.
    pub fn new(config: MemoryConfig) -> Self {
        MemoryBackend::with_clock(config, Clock::system())
    }

    /// The same on another clock, for tests that move time by hand.
    pub fn with_clock(config: MemoryConfig, clock: Clock) -> Self {
        MemoryBackend { store: Store::new(config, clock), next_cas: AtomicU64::new(1) }
    }

    fn stored(&self, value: Bytes, flags: Flags) -> Stored {
        Stored { value, flags, cas: self.next_cas.fetch_add(1, Relaxed) }
    }

    fn entry(&self, seen: &Seen<'_, Stored>, options: &GetOptions) -> Entry {
        let mut entry = Entry::new(seen.value.value.clone(), seen.value.flags);
        entry.cas = options.want_cas.then_some(seen.value.cas);
        if options.want_deadline {
            entry.deadline = self.store.deadline(seen.deadline_ms);
        }
        entry
    }

    /// A write that fails leaves no value that it was to replace.
    fn too_large(&self, key: &str, new: &Stored, condition: Condition) -> Error {
        if matches!(condition, Condition::Always | Condition::IfPresent) {
            self.store.remove(key.as_bytes());
        }
        let message =
            format!("an entry of {} bytes does not fit into max_bytes of the whole store", new.value.len());
        Self::error(ErrorKind::TooLarge, "set", message)
    }

    fn error(kind: ErrorKind, action: &'static str, message: String) -> Error {
        Error::new(kind, message).at("memory", action)
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        MemoryBackend::new(MemoryConfig::default())
    }
}

impl Backend for MemoryBackend {
    fn scheme(&self) -> &'static str {
        "memory"
    }

    fn capability(&self) -> Capability {
        Capability {
            inline: true,
            atomic_incr: true,
            native_touch: true,
            cas: true,
            ttl_readable: true,
            flags: true,
            clear_prefix: true,
            max_value: self.store.config().max_bytes(),
            ..Capability::none(Shared::Process)
        }
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        if !options.tags.is_empty() {
            return Err(Error::unsupported("memory", "get with tags"));
        }
        let Some(life) = options.touch else {
            let usage = if options.peek { Usage::Peek } else { Usage::Count };
            return Ok(self.store.get(key.as_bytes(), usage, |seen| self.entry(&seen, options)));
        };
        Ok(self.store.update(key.as_bytes(), None, |seen| {
            let change = if options.peek { Change::Touch(life) } else { Change::Read(life) };
            (change, seen.map(|seen| self.entry(&seen, options)))
        }))
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        let new = self.stored(value, options.flags);
        if options.life != Life::Gone && !self.store.fits(key.as_bytes(), &new) {
            return Err(self.too_large(key, &new, options.condition));
        }
        Ok(self.store.update(key.as_bytes(), options.limit, |seen| {
            let holds = match options.condition {
                Condition::Always => true,
                Condition::IfAbsent => seen.is_none(),
                Condition::IfPresent => seen.is_some(),
                Condition::IfCas(token) => seen.is_some_and(|seen| seen.value.cas == token),
            };
            (if holds { Change::Store(new, options.life) } else { Change::Keep }, holds)
        }))
    }

    fn delete(&self, key: &str) -> Result<bool> {
        Ok(self.store.remove(key.as_bytes()) == Was::Live)
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        self.store.update(key.as_bytes(), None, |seen| {
            let Some(seen) = seen else {
                let error = Self::error(ErrorKind::KeyNotFound, "incr", format!("'{key}'"));
                return (Change::Keep, Err(error));
            };
            match integer::add(&seen.value.value, delta) {
                Ok(sum) => {
                    let new = self.stored(integer::encode(sum), seen.value.flags);
                    (Change::Exchange(new), Ok(sum))
                }
                Err(error) => (Change::Keep, Err(error.at("memory", "incr").in_place(format!("'{key}'")))),
            }
        })
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        Ok(self.store.update(key.as_bytes(), None, |seen| (Change::Touch(life), seen.is_some())))
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::All => self.store.clear(),
            Scope::Prefix(prefix) => self.store.retain(|key, _| !key.starts_with(prefix.as_bytes())),
        }
        Ok(())
    }

    fn stats(&self) -> Option<Stats> {
        Some(self.store.stats())
    }
}

/// How this room is opened by URL or table.
pub(crate) const ROOM: Room = Room { scheme: "memory", aliases: &[], options: MemoryConfig::OPTIONS, open };

fn open(url: &url::Url, options: &mut Options) -> Result<Arc<dyn Backend>> {
    let more =
        !url.path().is_empty() && url.path() != "/" || url.port().is_some() || url.fragment().is_some();
    if more || !url.username().is_empty() || url.password().is_some() {
        return Err(Error::config(
            "only a name may stand in the URL before the options: memory://NAME?max_bytes=…",
        ));
    }
    let host = url.host_str().filter(|host| !host.is_empty()).map(str::to_owned);
    if host.is_some() && options.has("name") {
        return Err(Error::config("the store's name is given twice, in the URL and as an option"));
    }
    let name = host.or(options.take("name"));
    let config = MemoryConfig::take_from(options)?;
    match name {
        None => Ok(Arc::new(MemoryBackend::new(config))),
        Some(name) => Ok(MemoryBackend::named(&name, config)?),
    }
}

static NAMED: Mutex<BTreeMap<String, Arc<MemoryBackend>>> = Mutex::new(BTreeMap::new());

impl MemoryBackend {
    /// The store of this name in this process; made with this configuration if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the store exists with another configuration.
    pub fn named(name: &str, config: MemoryConfig) -> Result<Arc<Self>> {
        // Short: a lookup, and once the making of an empty store.
        let mut named = NAMED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let backend =
            named.entry(name.to_owned()).or_insert_with(|| Arc::new(MemoryBackend::new(config.clone())));
        if backend.store.config() != &config {
            let message =
                format!("the store {name:?} exists with other options: {:?}", backend.store.config());
            return Err(Error::config(message));
        }
        Ok(backend.clone())
    }
}
