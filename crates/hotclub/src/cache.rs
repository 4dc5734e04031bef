//! The async door: what callers hold. Inline backends answer in the first poll, without a future of their own.
use crate::backend::{Backend, Condition, GetOptions, Item, Scope, SetOptions};
use crate::codec::Codec;
use crate::core::{Batch, Core, Shown, Ttl};
use crate::entry::Entry;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::fill::flight::{Flights, Landing, Leader, Outcome, Role};
use crate::fill::{DEFAULT_WAIT, FillOptions, Load, recursion};
use crate::key::{FullKey, KeyFunction, Namespace};
use crate::registry::DEFAULT_LIFE;
use crate::timeout::{Life, Timeout};
use crate::trace::{self, Call};
use crate::verbs::verbs;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

macro_rules! ask {
    ($core:expr, $verb:ident $averb:ident ($($argument:expr),*)) => {
        if $core.inline { $core.backend.$verb($($argument),*) } else { $core.backend.$averb($($argument),*).await }
    };
}
macro_rules! wait {
    ($call:expr) => {
        $call.await
    };
}

/// A cache for tasks, on any runtime. Cheap to clone; clones are the same cache.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let cache = hotclub::Cache::open("memory://?prefix=shop&timeout=60")?;
/// let page: String = cache.get_or_set("page", |_| async { "slowly made".to_owned() }).await?;
/// assert_eq!(cache.get::<String>("page").await?, Some(page));
/// # Ok::<(), hotclub::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cache(pub(crate) Arc<Core>);

/// Making caches and views of them: the same in both doors.
macro_rules! handles {
    () => {
        impl Cache {
            /// A cache over a backend, with the defaults of [`Builder`](crate::Builder).
            pub fn new(backend: impl crate::backend::Backend) -> Self {
                Self::builder().backend(std::sync::Arc::new(backend)).build().into()
            }

            /// A cache in process memory: S3-FIFO, at most 64 MiB.
            #[cfg(feature = "memory")]
            pub fn memory() -> Self {
                Self::new(crate::backend::memory::MemoryBackend::default())
            }

            /// Opens a cache by URL: `memory://?max_bytes=16MiB&prefix=shop`.
            ///
            /// # Errors
            /// [`ErrorKind::Config`](crate::ErrorKind::Config) for an unknown backend or option, or a wrong
            /// value, with what is known.
            pub fn open(url: &str) -> crate::Result<Self> {
                crate::Registry::default().open(url).map(Into::into)
            }

            /// Opens a cache from a table.
            ///
            /// # Errors
            /// As [`open`](Self::open).
            pub fn from_config(config: &crate::CacheConfig) -> crate::Result<Self> {
                crate::Registry::default().open_config(config).map(Into::into)
            }

            /// Builds a cache step by step.
            pub fn builder() -> crate::Builder {
                crate::Builder::default()
            }

            /// The same store seen through another key prefix.
            #[must_use]
            pub fn with_prefix(&self, prefix: &str) -> Self {
                let mut core = crate::core::Core::clone(&self.0);
                let (version, function) = (core.namespace.version, core.namespace.function.clone());
                core.namespace = crate::key::Namespace::new(prefix.into(), version, function);
                Self(std::sync::Arc::new(core))
            }

            /// The same store seen through another version.
            #[must_use]
            pub fn with_version(&self, version: i64) -> Self {
                let mut core = crate::core::Core::clone(&self.0);
                core.namespace = core.namespace.with_version(version);
                Self(std::sync::Arc::new(core))
            }

            /// The version in this cache's keys.
            pub fn version(&self) -> i64 {
                self.0.namespace.version
            }

            /// The backend below.
            pub fn backend(&self) -> &std::sync::Arc<dyn crate::backend::Backend> {
                &self.0.backend
            }

            /// The store's counters, where the backend counts.
            pub fn stats(&self) -> Option<crate::Stats> {
                self.0.backend.stats()
            }
        }
    };
}
pub(crate) use handles;
handles!();

impl Cache {
    verbs!(async);

    /// The blocking door to the same cache.
    ///
    /// With a backend that waits, use it outside of async tasks.
    pub fn blocking(&self) -> crate::blocking::Cache {
        crate::blocking::Cache(self.0.clone())
    }

    /// Reads a value, or makes and stores it: one loader per key at a time in this process.
    ///
    /// Callers who miss while a loader runs wait for it and get what it stored; after 30 seconds
    /// ([`Builder::wait`]) they load for themselves, without storing. A loader that panics, or whose task is
    /// cancelled, takes only its own caller along: one of the others loads then.
    ///
    /// # Errors
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub async fn get_or_set<T, F>(&self, key: &str, loader: impl FnOnce(Load) -> F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = T>,
    {
        self.get_or_set_with(key, FillOptions::default(), loader).await
    }

    /// [`get_or_set`](Self::get_or_set) with a timeout or other options.
    ///
    /// # Errors
    /// As [`get_or_set`](Self::get_or_set).
    pub async fn get_or_set_with<T, F>(
        &self,
        key: &str,
        options: impl Into<FillOptions>,
        loader: impl FnOnce(Load) -> F,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = T>,
    {
        self.get_or_try_set(key, options, |load| {
            let loading = loader(load);
            async { Ok::<T, BoxError>(loading.await) }
        })
        .await
    }

    /// [`get_or_set`](Self::get_or_set) with a loader that may fail.
    ///
    /// If it fails, its caller gets the error and one of those who waited tries once more; if that fails
    /// too, all who wait get that error, and nothing is stored.
    ///
    /// # Errors
    /// [`ErrorKind::Loader`] with the loader's error as source.
    pub async fn get_or_try_set<T, E, F>(
        &self,
        key: &str,
        options: impl Into<FillOptions>,
        loader: impl FnOnce(Load) -> F,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        E: Into<BoxError>,
        F: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get(key).await? {
            return Ok(value);
        }
        let core = &*self.0;
        let load = Load::new(&options.into());
        let full = core.full_key(key)?;
        trace::step(format!("check: {key:?} is None"), "true: generate");
        if recursion::is_loading(core.identity(), &full) {
            return self.load_alone(key, &full, &load, loader).await;
        }
        let leader = match core.flights.join(&full) {
            Role::Leader(leader) => leader,
            Role::Follower(follower) => match follower.wait_async(core.flight_wait).await {
                Outcome::Leads(leader) => leader,
                Outcome::Landed(Landing::Value(entry)) => return core.open(key, &entry),
                Outcome::Landed(Landing::Failed(error)) => return Err(error),
                Outcome::Landed(Landing::Unshared) | Outcome::TimedOut => {
                    return self.load_alone(key, &full, &load, loader).await;
                }
            },
        };
        // Another flight may have landed between the lookup and the join.
        if let Some(entry) = ask!(core, get aget (&full, &GetOptions::peek()))? {
            leader.land(Landing::Value(entry.clone()));
            return core.open(key, &entry);
        }
        let call = Call::begin();
        let loaded =
            recursion::load_async(core.identity(), &full, async { loader(load.clone()).await }).await;
        call.end(|| trace::Step::new("generate", ""));
        match loaded {
            Ok(value) => self.fill(key, value, &load, leader).await,
            Err(error) => {
                let error = core.loader_failed(key, error);
                leader.fail(error.clone());
                Err(error)
            }
        }
    }

    async fn load_alone<T, E, F>(
        &self,
        key: &str,
        full: &str,
        load: &Load,
        loader: impl FnOnce(Load) -> F,
    ) -> Result<T>
    where
        E: Into<BoxError>,
        F: Future<Output = Result<T, E>>,
    {
        let call = Call::begin();
        let loaded =
            recursion::load_async(self.0.identity(), full, async { loader(load.clone()).await }).await;
        call.end(|| trace::Step::new("generate, without storing", ""));
        loaded.map_err(|error| self.0.loader_failed(key, error))
    }
}

impl From<Cache> for crate::blocking::Cache {
    fn from(cache: Cache) -> Self {
        cache.blocking()
    }
}

/// Builds a [`Cache`]: prefix `""`, version 1, timeout 300 seconds, MessagePack, no jitter.
///
/// ```
/// use hotclub::{Cache, Codec, backend::memory::MemoryBackend};
/// use std::sync::Arc;
/// let cache = Cache::builder()
///     .backend(Arc::new(MemoryBackend::default()))
///     .prefix("shop")
///     .timeout(60)
///     .codec(Codec::Pickle)
///     .build();
/// cache.blocking().set("answer", &42)?;
/// # Ok::<(), hotclub::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Builder {
    backend: Option<Arc<dyn Backend>>,
    prefix: Arc<str>,
    version: i64,
    key_function: Option<KeyFunction>,
    life: Life,
    jitter: f64,
    codec: Codec,
    wait: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            backend: None,
            prefix: "".into(),
            version: 1,
            key_function: None,
            life: DEFAULT_LIFE,
            jitter: 0.0,
            codec: Codec::default(),
            wait: DEFAULT_WAIT,
        }
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("prefix", &self.prefix)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Where entries are kept; without it nothing is ([`DummyBackend`](crate::backend::dummy::DummyBackend)).
    pub fn backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The first part of every full key.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The second part of every full key.
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// Composes full keys instead of `prefix:version:key`; called as `(key, prefix, version)`.
    pub fn key_function(
        mut self,
        function: impl Fn(&str, &str, i64) -> String + Send + Sync + 'static,
    ) -> Self {
        self.key_function = Some(Arc::new(function));
        self
    }

    /// The timeout of entries that are stored without one. [`Timeout::Default`] changes nothing.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.life = timeout.into().life(self.life);
        self
    }

    /// Entries live up to this fraction of their timeout less, at random: those stored together do not
    /// all expire together. Values outside 0 to 1 are moved to the nearest bound.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        self
    }

    /// How values are written.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// How long a caller of `get_or_set` waits for somebody else's loader.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.wait = limit;
        self
    }

    /// The cache.
    pub fn build(self) -> Cache {
        let backend = self.backend.unwrap_or_else(|| Arc::new(crate::backend::dummy::DummyBackend));
        Cache(Arc::new(Core {
            scheme: backend.scheme(),
            inline: backend.capability().inline,
            keeps_flags: backend.capability().flags,
            backend,
            namespace: Namespace::new(self.prefix, self.version, self.key_function),
            default_life: self.life,
            jitter: self.jitter,
            codec: self.codec,
            flights: Arc::new(Flights::new()),
            flight_wait: self.wait,
        }))
    }
}
