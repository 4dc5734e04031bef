//! The blocking door: the verbs of the async [`Cache`](crate::Cache) for threads. No runtime anywhere.
use crate::backend::{Condition, GetOptions, Item, Scope, SetOptions};
use crate::core::{Batch, Core, Shown, Ttl};
use crate::entry::Entry;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::fill::flight::{Landing, Leader, Outcome, Role};
use crate::fill::{FillOptions, Load, recursion};
use crate::key::FullKey;
use crate::timeout::Timeout;
use crate::trace::{self, Call};
use crate::verbs::verbs;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

macro_rules! ask {
    ($core:expr, $verb:ident $averb:ident ($($argument:expr),*)) => {
        $core.backend.$verb($($argument),*)
    };
}
macro_rules! wait {
    ($call:expr) => {
        $call
    };
}

/// A cache for threads. Cheap to clone; clones are the same cache.
///
/// ```
/// use hotclub::blocking::Cache;
/// let cache = Cache::memory();
/// cache.set_for("user_1", "Django", 300)?;
/// assert_eq!(cache.get::<String>("user_1")?.as_deref(), Some("Django"));
/// cache.delete("user_1")?;
/// assert_eq!(cache.get::<String>("user_1")?, None);
/// # Ok::<(), hotclub::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cache(pub(crate) Arc<Core>);

crate::cache::handles!();

impl Cache {
    verbs!();

    /// The async door to the same cache.
    pub fn asynchronous(&self) -> crate::Cache {
        crate::Cache(self.0.clone())
    }

    /// Reads a value, or makes and stores it: one loader per key at a time in this process.
    ///
    /// Callers who miss while a loader runs wait for it and get what it stored; after 30 seconds
    /// ([`Builder::wait`](crate::Builder::wait)) they load for themselves, without storing. A loader that
    /// panics takes only its own caller along: one of the others loads then.
    ///
    /// ```
    /// # let cache = hotclub::blocking::Cache::memory();
    /// let sum: u64 = cache.get_or_set("sum", |_| (1..=100_u64).sum())?;
    /// assert_eq!(sum, 5050);
    /// # Ok::<(), hotclub::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`get`](Self::get) and [`set`](Self::set).
    pub fn get_or_set<T>(&self, key: &str, loader: impl FnOnce(&Load) -> T) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.get_or_set_with(key, FillOptions::default(), loader)
    }

    /// [`get_or_set`](Self::get_or_set) with a timeout or other options.
    ///
    /// # Errors
    /// As [`get_or_set`](Self::get_or_set).
    pub fn get_or_set_with<T>(
        &self,
        key: &str,
        options: impl Into<FillOptions>,
        loader: impl FnOnce(&Load) -> T,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.get_or_try_set(key, options, |load| Ok::<T, NoError>(loader(load)))
    }

    /// [`get_or_set`](Self::get_or_set) with a loader that may fail.
    ///
    /// If it fails, its caller gets the error and one of those who waited tries once more; if that fails
    /// too, all who wait get that error, and nothing is stored.
    ///
    /// # Errors
    /// [`ErrorKind::Loader`] with the loader's error as source.
    pub fn get_or_try_set<T, E>(
        &self,
        key: &str,
        options: impl Into<FillOptions>,
        loader: impl FnOnce(&Load) -> Result<T, E>,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        E: Into<BoxError>,
    {
        if let Some(value) = self.get(key)? {
            return Ok(value);
        }
        let core = &*self.0;
        let load = Load::new(&options.into());
        let full = core.full_key(key)?;
        trace::step(format!("check: {key:?} is None"), "true: generate");
        if recursion::is_loading(core.identity(), &full) {
            return self.load_alone(key, &full, &load, loader);
        }
        let leader = match core.flights.join(&full) {
            Role::Leader(leader) => leader,
            Role::Follower(follower) => match follower.wait(core.flight_wait) {
                Outcome::Leads(leader) => leader,
                Outcome::Landed(Landing::Value(entry)) => return core.open(key, &entry),
                Outcome::Landed(Landing::Failed(error)) => return Err(error),
                Outcome::Landed(Landing::Unshared) | Outcome::TimedOut => {
                    return self.load_alone(key, &full, &load, loader);
                }
            },
        };
        // Another flight may have landed between the lookup and the join.
        if let Some(entry) = core.backend.get(&full, &GetOptions::peek())? {
            leader.land(Landing::Value(entry.clone()));
            return core.open(key, &entry);
        }
        match trace::timed("generate", || recursion::load(core.identity(), &full, || loader(&load))) {
            Ok(value) => self.fill(key, value, &load, leader),
            Err(error) => {
                let error = core.loader_failed(key, error);
                leader.fail(error.clone());
                Err(error)
            }
        }
    }

    fn load_alone<T, E: Into<BoxError>>(
        &self,
        key: &str,
        full: &str,
        load: &Load,
        loader: impl FnOnce(&Load) -> Result<T, E>,
    ) -> Result<T> {
        let run = || recursion::load(self.0.identity(), full, || loader(load));
        trace::timed("generate, without storing", run).map_err(|error| self.0.loader_failed(key, error))
    }
}

/// The error of a loader that cannot fail.
#[derive(Debug)]
struct NoError(Infallible);

impl From<NoError> for BoxError {
    fn from(none: NoError) -> Self {
        match none.0 {}
    }
}
