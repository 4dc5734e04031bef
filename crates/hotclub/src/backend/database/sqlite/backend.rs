//! The contract over the store. Async verbs are done by a few threads of the process.
use super::config::SqliteConfig;
use super::store::Store;
use super::words::{Found, Item as Stored, Write};
use crate::backend::database::Layout;
use crate::backend::{Backend, Capability, Condition, GetOptions, Item, Op, Scope, SetOptions, Shared};
use crate::clock::{Clock, Deadline};
use crate::codec::integer;
use crate::config::Options;
use crate::entry::{Entry, Flags};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Room;
use crate::stats::Stats;
use crate::threads::future;
use crate::timeout::Life;
use ::url::Url;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;

/// How the registry knows this room.
pub(crate) const ROOM: Room =
    Room { scheme: "sqlite", aliases: &["sqlite3"], options: SqliteConfig::OPTIONS, open };

fn open(url: &Url, options: &mut Options) -> Result<Arc<dyn Backend>> {
    let three_slashes = "a sqlite URL has three slashes and the file: sqlite:///var/cache/site.db";
    if url.host_str().is_some_and(|host| !host.is_empty() && host != "localhost") {
        return Err(Error::config(three_slashes));
    }
    if matches!(url.path(), "" | "/") {
        return Err(Error::config(three_slashes));
    }
    let file = format!("file://{}", url.path());
    let path = Url::parse(&file).ok().and_then(|url| url.to_file_path().ok());
    let path = path.unwrap_or_else(|| PathBuf::from(url.path()));
    Ok(Arc::new(SqliteBackend::new(SqliteConfig::read(path, options)?)?))
}

/// A cache in a SQLite file.
#[derive(Debug)]
pub struct SqliteBackend {
    store: Arc<Store>,
}

impl SqliteBackend {
    /// A backend that follows this configuration.
    ///
    /// # Errors
    /// As [`SqliteConfig::check`].
    pub fn new(config: SqliteConfig) -> Result<Self> {
        SqliteBackend::with_clock(config, Clock::system())
    }

    /// The same by a clock of one's own.
    ///
    /// # Errors
    /// As [`SqliteConfig::check`].
    pub fn with_clock(config: SqliteConfig, clock: Clock) -> Result<Self> {
        Ok(SqliteBackend { store: Arc::new(Store::with_clock(config, clock)?) })
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// A verb in a thread.
    fn later<'a, T: Send + 'static>(
        &self,
        verb: &'static str,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Op<'a, Result<T>> {
        let store = self.store.clone();
        let doing = future(move || work(&store));
        let gone =
            move || Error::new(ErrorKind::Unavailable, "the thread that did it panicked").at("sqlite", verb);
        Op::pending(async move { doing.await.unwrap_or_else(|| Err(gone())) })
    }
}

fn entry(found: Found, options: &GetOptions) -> Entry {
    let mut entry = Entry::new(Bytes::from(found.value), found.flags);
    entry.cas = found.cas.filter(|_| options.want_cas);
    entry.deadline = found.deadline.filter(|_| options.want_deadline).map(Deadline);
    entry
}

fn get(store: &Store, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
    if !options.tags.is_empty() {
        return Err(Error::unsupported("sqlite", "get with tags"));
    }
    let found = if options.peek { store.peek(key) } else { store.get(key) }?;
    let Some(found) = found else { return Ok(None) };
    if let Some(life) = options.touch {
        store.touch(key, life)?;
    }
    Ok(Some(entry(found, options)))
}

fn get_many(store: &Store, keys: &[String], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
    if options.peek || options.touch.is_some() || !options.tags.is_empty() {
        return keys.iter().map(|key| get(store, key, options)).collect();
    }
    let found = store.get_many(keys)?;
    Ok(found.into_iter().map(|found| found.map(|found| entry(found, options))).collect())
}

fn write(store: &Store, options: &SetOptions) -> Result<Write> {
    if matches!(options.condition, Condition::IfCas(_)) && !keeps_tokens(store) {
        return Err(Error::unsupported("sqlite", "compare and set"));
    }
    Ok(Write { life: options.life, condition: options.condition, limit: options.limit })
}

/// Django's table has no column that tells one write of a value from the next.
fn keeps_tokens(store: &Store) -> bool {
    store.config().layout == Layout::Own
}

fn incr(store: &Store, key: &str, delta: i128) -> Result<i128> {
    let mut sum = 0;
    let added = store.change(key, |found| -> Result<(Vec<u8>, Flags)> {
        sum = integer::add(&found.value, delta)?;
        Ok((integer::encode(sum).to_vec(), found.flags))
    });
    let place = || store.config().path.display().to_string();
    match added? {
        Ok(true) => Ok(sum),
        Ok(false) => {
            Err(Error::new(ErrorKind::KeyNotFound, format!("'{key}'")).at("sqlite", "incr").in_place(place()))
        }
        Err(error) => Err(error.at("sqlite", "incr").in_place(place())),
    }
}

fn clear(store: &Store, prefix: Option<&str>) -> Result<()> {
    store.clear(prefix)
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

fn stored(items: &[Item<'_>]) -> Vec<Stored> {
    let one =
        |item: &Item<'_>| Stored { key: item.key.to_owned(), value: item.value.to_vec(), flags: item.flags };
    items.iter().map(one).collect()
}

impl Backend for SqliteBackend {
    fn scheme(&self) -> &'static str {
        "sqlite"
    }

    fn capability(&self) -> Capability {
        Capability {
            persistent: true,
            atomic_incr: true,
            native_many: true,
            native_touch: true,
            cas: keeps_tokens(&self.store),
            ttl_readable: true,
            flags: self.store.config().layout == Layout::Own,
            clear_prefix: true,
            ..Capability::none(Shared::Machine)
        }
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        get(&self.store, key, options)
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        self.store.set(key, &value, options.flags, write(&self.store, options)?)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        Ok(self.store.delete(key)?.1)
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        incr(&self.store, key, delta)
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        self.store.touch(key, life)
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::All => clear(&self.store, None),
            Scope::Prefix(prefix) => clear(&self.store, Some(prefix)),
        }
    }

    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        get_many(&self.store, &owned(keys), options)
    }

    fn set_many(&self, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        self.store.set_many(&stored(items), write(&self.store, options)?)
    }

    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.store.delete_many(&owned(keys))
    }

    fn stats(&self) -> Option<Stats> {
        self.store.stats().ok()
    }

    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        let (key, options) = (key.to_owned(), options.clone());
        self.later("get", move |store| get(store, &key, &options))
    }

    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        let (key, options) = (key.to_owned(), options.clone());
        self.later("set", move |store| store.set(&key, &value, options.flags, write(store, &options)?))
    }

    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        let key = key.to_owned();
        self.later("delete", move |store| Ok(store.delete(&key)?.1))
    }

    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        let key = key.to_owned();
        self.later("incr", move |store| incr(store, &key, delta))
    }

    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        let key = key.to_owned();
        self.later("touch", move |store| store.touch(&key, life))
    }

    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        let prefix = match scope {
            Scope::All => None,
            Scope::Prefix(prefix) => Some(prefix.to_owned()),
        };
        self.later("clear", move |store| clear(store, prefix.as_deref()))
    }

    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        let (keys, options) = (owned(keys), options.clone());
        self.later("get_many", move |store| get_many(store, &keys, &options))
    }

    fn aset_many<'a>(&'a self, items: &'a [Item<'a>], options: &'a SetOptions) -> Op<'a, Result<Vec<bool>>> {
        let (items, options) = (stored(items), options.clone());
        self.later("set_many", move |store| store.set_many(&items, write(store, &options)?))
    }

    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        let keys = owned(keys);
        self.later("delete_many", move |store| store.delete_many(&keys))
    }
}
