//! The one list of backends: from a URL or a table to a backend, and several named caches.
use crate::backend::{Backend, dummy::DummyBackend};
use crate::cache::{Builder, Cache};
use crate::codec::Codec;
use crate::config::{CacheConfig, Options};
use crate::error::{Error, Result};
use crate::timeout::Life;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// What opens a backend: the URL (without its query), and options of which it takes its own.
pub type Opener = fn(&Url, &mut Options) -> Result<Arc<dyn Backend>>;

/// A backend that can be opened by name.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The URL scheme, and the value of `backend` in a table.
    pub scheme: &'static str,
    /// Further URL schemes under which it is known.
    pub aliases: &'static [&'static str],
    /// Its options, each with its meaning.
    pub options: &'static [(&'static str, &'static str)],
    /// Opens it.
    pub open: Opener,
}

/// Options that every cache has, whatever its backend.
pub const COMMON_OPTIONS: &[(&str, &str)] = &[
    ("prefix", "first part of every full key; default empty"),
    ("version", "second part of every full key, a whole number; default 1"),
    ("timeout", "default timeout in seconds, or `never`; default 300"),
    ("jitter", "entries live up to this fraction of their timeout less, at random, from 0 to 1; default 0"),
    ("codec", "how values are written: `messagepack` (default), `json`, `django` or `raw`"),
];

/// The backends known here: the rooms of this crate, and those you add.
#[derive(Debug, Clone)]
pub struct Registry(BTreeMap<&'static str, Room>);

impl Default for Registry {
    fn default() -> Self {
        let mut registry = Registry(BTreeMap::new());
        registry.register(Room {
            scheme: "dummy",
            aliases: &[],
            options: &[],
            open: |_, _| Ok(Arc::new(DummyBackend)),
        });
        #[cfg(feature = "file")]
        registry.register(crate::backend::file::ROOM);
        #[cfg(feature = "memory")]
        registry.register(crate::backend::memory::ROOM);
        #[cfg(feature = "memcached-blocking")]
        registry.register(crate::backend::memcached::ROOM);
        #[cfg(feature = "mysql")]
        registry.register(crate::backend::database::MYSQL);
        #[cfg(feature = "postgres")]
        registry.register(crate::backend::database::POSTGRES);
        #[cfg(feature = "redis-blocking")]
        registry.register(crate::backend::redis::ROOM);
        #[cfg(feature = "sqlite")]
        registry.register(crate::backend::database::SQLITE);
        registry
    }
}

impl Registry {
    /// Adds a backend, or takes the place of one.
    pub fn register(&mut self, room: Room) {
        self.0.insert(room.scheme, room);
    }

    /// The backends known here.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.0.values()
    }

    /// Opens a cache by URL: `memory://?max_entries=1000&prefix=shop`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an unknown backend or option, or a wrong value,
    /// with what is known.
    pub fn open(&self, url: &str) -> Result<Cache> {
        self.open_with(url, Options::default())
    }

    /// Opens a cache from a table.
    ///
    /// # Errors
    /// As [`Registry::open`].
    pub fn open_config(&self, config: &CacheConfig) -> Result<Cache> {
        let mut options = config.options();
        match (options.take("url"), options.take("backend")) {
            (Some(url), None) => self.open_with(&url, options),
            (None, Some(backend)) => self.open_with(&format!("{backend}://"), options),
            _ => Err(Error::config("a cache needs either `url` or `backend`")),
        }
    }

    fn open_with(&self, url: &str, more: Options) -> Result<Cache> {
        let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme).to_ascii_lowercase();
        let room = self.room(&scheme).ok_or_else(|| {
            let room = scheme.split('+').next().unwrap_or_default();
            let is_room = |feature: &&&str| {
                room.strip_prefix(**feature).is_some_and(|rest| matches!(rest, "" | "s" | "ql"))
            };
            if let Some(feature) = FEATURES.iter().find(is_room) {
                return Error::config(format!(
                    "{scheme:?} needs the feature `{feature}` of the crate hotclub"
                ));
            }
            let known: Vec<_> = self.0.keys().copied().collect();
            Error::config(format!("unknown backend {scheme:?}; known are {}", known.join(", ")))
        })?;
        self.open_room(room, url, more).map_err(|error| error.at(room.scheme, "open"))
    }

    fn room(&self, scheme: &str) -> Option<&Room> {
        let by_alias = || self.0.values().find(|room| room.aliases.contains(&scheme));
        self.0.get(scheme).or_else(by_alias)
    }

    fn open_room(&self, room: &Room, url: &str, more: Options) -> Result<Cache> {
        let (url, hosts) = split_hosts(url);
        let url = Url::parse(&url).map_err(|error| Error::config(format!("not a URL: {error}")))?;
        let mut options = Options::from_query(&url)?;
        if let Some(hosts) = hosts {
            options.add("hosts".to_owned(), hosts)?;
        }
        options.extend(more)?;
        // Who else reads that table reads pickles.
        if options.is("layout", "django") && !options.has("codec") {
            options.add("codec".to_owned(), Codec::Pickle.name().to_owned())?;
        }
        let builder = common(&mut options)?;
        let backend = (room.open)(&url, &mut options)?;
        options.finish(room.options.iter().chain(COMMON_OPTIONS).map(|(name, _)| *name))?;
        Ok(builder.backend(backend).build())
    }
}

/// Backends that a build may lack, each by the name of its feature.
const FEATURES: &[&str] = &["file", "memcached", "memory", "mysql", "postgres", "redis", "sqlite"];

/// URLs name one host; `scheme://user@a:1,b:2/path` names several. What follows the first becomes the option
/// `hosts`.
pub(crate) fn split_hosts(url: &str) -> (String, Option<String>) {
    let whole = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let hosts = authority.rfind('@').map_or(0, |at| at + 1);
    let Some(comma) = authority[hosts..].find(',') else { return whole() };
    let (first, others) = authority.split_at(hosts + comma);
    (format!("{scheme}://{first}{path}"), Some(others[1..].to_owned()))
}

fn common(options: &mut Options) -> Result<Builder> {
    let mut builder = Builder::default();
    if let Some(prefix) = options.take("prefix") {
        builder = builder.prefix(&prefix);
    }
    if let Some(version) = options.take_integer("version")? {
        builder = builder.version(version);
    }
    if let Some(life) = options.take_life("timeout")? {
        builder = builder.timeout(life);
    }
    if let Some(jitter) = options.take_number("jitter")? {
        if !(0.0..=1.0).contains(&jitter) {
            return Err(Error::config(format!("jitter must be between 0 and 1, not {jitter}")));
        }
        builder = builder.jitter(jitter);
    }
    if let Some(codec) = options.take("codec") {
        builder = builder.codec(codec.parse::<Codec>()?);
    }
    Ok(builder)
}

/// Several named caches, as Django's CACHES.
///
/// ```
/// # #[cfg(all(feature = "toml", feature = "memory"))] {
/// let caches = hotclub::Caches::from_toml(r#"
///     [default]
///     url = "memory://?max_bytes=16MiB"
///     prefix = "shop"
///
///     [sessions]
///     backend = "memory"
///     max_entries = 100_000
///     timeout = "never"
/// "#)?;
/// caches.get("sessions")?.blocking().set("a", "b")?;
/// # }
/// # Ok::<(), hotclub::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Caches(BTreeMap<String, Cache>);

impl Caches {
    /// Opens every cache of a table of tables.
    ///
    /// # Errors
    /// The first wrong setting, with the name of its cache.
    pub fn new(configs: &BTreeMap<String, CacheConfig>) -> Result<Self> {
        let registry = Registry::default();
        let open = |(name, config): (&String, &CacheConfig)| {
            let cache =
                registry.open_config(config).map_err(|error| error.in_place(format!("cache {name:?}")))?;
            Ok((name.clone(), cache))
        };
        configs.iter().map(open).collect::<Result<_>>().map(Caches)
    }

    /// Opens every cache of a TOML text.
    ///
    /// # Errors
    /// As [`Caches::new`]; also a text that is no such table.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self> {
        let configs =
            toml::from_str(text).map_err(|error| Error::config(format!("not a table of caches: {error}")))?;
        Caches::new(&configs)
    }

    /// Opens every cache of a JSON text.
    ///
    /// # Errors
    /// As [`Caches::new`]; also a text that is no such table.
    #[cfg(feature = "json")]
    pub fn from_json(text: &str) -> Result<Self> {
        let configs = serde_json::from_str(text)
            .map_err(|error| Error::config(format!("not a table of caches: {error}")))?;
        Caches::new(&configs)
    }

    /// The cache of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is none, with the names there are.
    pub fn get(&self, name: &str) -> Result<&Cache> {
        self.0.get(name).ok_or_else(|| {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            Error::config(format!("there is no cache {name:?}; there are {}", known.join(", ")))
        })
    }

    /// Names and caches.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Cache)> {
        self.0.iter().map(|(name, cache)| (name.as_str(), cache))
    }
}

/// The default timeout of every cache: 300 seconds, as Django's.
pub(crate) const DEFAULT_LIFE: Life = Life::For(std::time::Duration::from_secs(300));
