//! The contract over the store. Values are pickles on the disk, as Django has them: numbers are pickled and read back
//! as digits. What other codecs wrote has one byte in front that says so, put there above.
use super::config::FileConfig;
use super::error::Problem;
use super::store::{Found, Store, Write};
use crate::backend::{Backend, Capability, GetOptions, Item, Op, Scope, SetOptions, Shared};
use crate::clock::Deadline;
use crate::codec::{digits, integer, pickle};
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
pub(crate) const ROOM: Room = Room { scheme: "file", aliases: &[], options: FileConfig::OPTIONS, open };

fn open(url: &Url, options: &mut Options) -> Result<Arc<dyn Backend>> {
    if url.host_str().is_some_and(|host| !host.is_empty() && host != "localhost") {
        return Err(Error::config("a file URL has three slashes and the directory: file:///var/cache/site"));
    }
    if matches!(url.path(), "" | "/") {
        return Err(Error::config("file needs a directory: file:///var/cache/site"));
    }
    let path = url.to_file_path().unwrap_or_else(|()| PathBuf::from(url.path()));
    Ok(Arc::new(FileBackend::new(FileConfig::read(path, options)?)?))
}

/// A cache in a directory.
#[derive(Debug)]
pub struct FileBackend {
    store: Arc<Store>,
}

impl FileBackend {
    /// A backend that follows this configuration.
    ///
    /// # Errors
    /// As [`FileConfig::check`].
    pub fn new(config: FileConfig) -> Result<Self> {
        Ok(FileBackend { store: Arc::new(Store::new(config)?) })
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

fn entry(found: Found) -> Entry {
    let mut entry = Entry::new(digits::from_pickle(found.value), Flags::RAW);
    entry.cas = Some(found.cas);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970")]
    {
        entry.deadline = found.expiry.map(|seconds| Deadline((seconds * 1000.0).max(0.0) as u64));
    }
    entry
}

fn get(store: &Store, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
    if !options.tags.is_empty() {
        return Err(Error::unsupported("file", "get with tags"));
    }
    let told = |problem: Problem| problem.into_error("get");
    let found = if options.peek { store.peek(key) } else { store.get(key) };
    let Some(found) = found.map_err(told)? else { return Ok(None) };
    if let Some(life) = options.touch {
        store.touch(key, life).map_err(told)?;
    }
    let mut entry = entry(found);
    if !options.want_cas {
        entry.cas = None;
    }
    if !options.want_deadline {
        entry.deadline = None;
    }
    Ok(Some(entry))
}

fn set(store: &Store, key: &str, value: &Bytes, options: &SetOptions) -> Result<bool> {
    let write = Write { life: options.life, condition: options.condition, limit: options.limit };
    store.set(key, &digits::to_pickle(value)?, write).map_err(|problem| problem.into_error("set"))
}

fn set_many(store: &Store, items: &[(String, Bytes)], options: &SetOptions) -> Result<Vec<bool>> {
    items.iter().map(|(key, value)| set(store, key, value, options)).collect()
}

fn delete(store: &Store, key: &str) -> Result<bool> {
    Ok(store.delete(key).map_err(|problem| problem.into_error("delete"))?.1)
}

fn incr(store: &Store, key: &str, delta: i128) -> Result<i128> {
    let at = |error: Error| error.at("file", "incr");
    let mut sum = None;
    let changed = store.change(key, |stored| -> Result<Vec<u8>, Failed> {
        let bytes = digits::from_pickle(stored);
        let number = integer::add(&bytes, delta).map_err(|error| Failed(at(error)))?;
        sum = Some(number);
        pickle::to_vec(&number).map_err(|error| Failed(at(error)))
    });
    match changed.map_err(|Failed(error)| error)?.and(sum) {
        Some(sum) => Ok(sum),
        None => Err(at(Error::new(ErrorKind::KeyNotFound, format!("'{key}'")))),
    }
}

/// Either kind of failure of an `incr`.
struct Failed(Error);

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed(problem.into_error("incr"))
    }
}

fn touch(store: &Store, key: &str, life: Life) -> Result<bool> {
    store.touch(key, life).map_err(|problem| problem.into_error("touch"))
}

fn clear(store: &Store, scope: Scope<'_>) -> Result<()> {
    match scope {
        Scope::All => store.clear().map_err(|problem| problem.into_error("clear")),
        Scope::Prefix(_) => Err(Error::unsupported("file", "clear_prefix: names are digests of keys")),
    }
}

/// A verb in a thread of the pool.
fn later<'a, T: Send + 'static>(
    backend: &FileBackend,
    verb: &'static str,
    work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
) -> Op<'a, Result<T>> {
    let store = backend.store.clone();
    let doing = future(move || work(&store));
    let gone = move || Error::new(ErrorKind::Unavailable, "the thread that did it panicked").at("file", verb);
    Op::pending(async move { doing.await.unwrap_or_else(|| Err(gone())) })
}

impl Backend for FileBackend {
    fn scheme(&self) -> &'static str {
        "file"
    }

    fn capability(&self) -> Capability {
        Capability {
            persistent: true,
            atomic_incr: true,
            native_touch: true,
            cas: true,
            ttl_readable: true,
            ..Capability::none(Shared::Machine)
        }
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        get(&self.store, key, options)
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        set(&self.store, key, &value, options)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        delete(&self.store, key)
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        incr(&self.store, key, delta)
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        touch(&self.store, key, life)
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        clear(&self.store, scope)
    }

    fn stats(&self) -> Option<Stats> {
        Some(self.store.stats())
    }

    fn aget<'a>(&'a self, key: &'a str, options: &'a GetOptions) -> Op<'a, Result<Option<Entry>>> {
        let (key, options) = (key.to_owned(), options.clone());
        later(self, "get", move |store| get(store, &key, &options))
    }

    fn aset<'a>(&'a self, key: &'a str, value: Bytes, options: &'a SetOptions) -> Op<'a, Result<bool>> {
        let (key, options) = (key.to_owned(), options.clone());
        later(self, "set", move |store| set(store, &key, &value, &options))
    }

    fn adelete<'a>(&'a self, key: &'a str) -> Op<'a, Result<bool>> {
        let key = key.to_owned();
        later(self, "delete", move |store| delete(store, &key))
    }

    fn aincr<'a>(&'a self, key: &'a str, delta: i128) -> Op<'a, Result<i128>> {
        let key = key.to_owned();
        later(self, "incr", move |store| incr(store, &key, delta))
    }

    fn atouch<'a>(&'a self, key: &'a str, life: Life) -> Op<'a, Result<bool>> {
        let key = key.to_owned();
        later(self, "touch", move |store| touch(store, &key, life))
    }

    fn aclear<'a>(&'a self, scope: Scope<'a>) -> Op<'a, Result<()>> {
        match scope {
            Scope::All => later(self, "clear", |store| clear(store, Scope::All)),
            prefix @ Scope::Prefix(_) => Op::ready(clear(&self.store, prefix)),
        }
    }

    fn aget_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        options: &'a GetOptions,
    ) -> Op<'a, Result<Vec<Option<Entry>>>> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let options = options.clone();
        later(self, "get_many", move |store| keys.iter().map(|key| get(store, key, &options)).collect())
    }

    fn aset_many<'a>(&'a self, items: &'a [Item<'a>], options: &'a SetOptions) -> Op<'a, Result<Vec<bool>>> {
        let own = |item: &Item<'_>| (item.key.to_owned(), item.value.clone());
        let (items, options): (Vec<_>, _) = (items.iter().map(own).collect(), options.clone());
        later(self, "set_many", move |store| set_many(store, &items, &options))
    }

    fn adelete_many<'a>(&'a self, keys: &'a [&'a str]) -> Op<'a, Result<u64>> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        later(self, "delete_many", move |store| {
            keys.iter().try_fold(0, |count, key| Ok(count + u64::from(delete(store, key)?)))
        })
    }
}
