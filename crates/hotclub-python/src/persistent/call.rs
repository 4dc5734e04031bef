//! What a verb on files has at hand, and the two ways to have it done.
use super::store::Persistent;
use super::{Maybe, Object, PersistentCache};
use crate::bell::{self, Finish};
use crate::cache::{Backend, Cache, Current};
use crate::key::{FullKey, full_key};
use crate::names::name;
use hotclub::Error;
use hotclub::threads;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::Arc;

/// Through which door.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Blocking,
    Loop,
}

pub(super) struct Call<'a, 'py> {
    pub(super) cache: &'a Bound<'py, Cache>,
    pub(super) store: &'a Arc<dyn Persistent>,
    pub(super) settings: Current,
    version: Maybe<'a, 'py>,
}

impl<'a, 'py> Call<'a, 'py> {
    pub(super) fn new(slf: &'a Bound<'py, PersistentCache>, version: Maybe<'a, 'py>) -> PyResult<Self> {
        let cache = slf.as_super();
        let Backend::Persistent(store) = cache.get().backend()? else {
            return Err(PyRuntimeError::new_err("this cache is not one whose entries survive"));
        };
        Ok(Call { cache, store, settings: Cache::settings(cache)?, version })
    }

    pub(super) fn py(&self) -> Python<'py> {
        self.cache.py()
    }

    /// The full key as text: names of files are digests of its UTF-8.
    pub(super) fn key(&self, key: &Bound<'py, PyAny>) -> PyResult<String> {
        let mut full = FullKey::new();
        full_key(self.cache, &self.settings, key, self.version, &mut full)?;
        match std::str::from_utf8(full.as_bytes()) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => {
                // Lone surrogates: raises what `str.encode` raises.
                let text = full.to_python(self.py())?;
                text.call_method0(name!(self.py(), encode))?;
                Err(PyRuntimeError::new_err("the key is no text"))
            }
        }
    }

    /// Does `work` without the GIL, here or in a thread; `finish` makes an object of what comes of it.
    pub(super) fn carry<T: Send + 'static>(
        &self,
        door: Door,
        work: impl FnOnce(&dyn Persistent) -> hotclub::Result<T> + Send + 'static,
        finish: impl for<'p> FnOnce(Python<'p>, &dyn Persistent, T) -> PyResult<Bound<'p, PyAny>> + Send + 'static,
    ) -> Object<'py> {
        let store = self.store.clone();
        let of = store.clone();
        door.carry(
            self.py(),
            move || work(&*store),
            self.store.name(),
            move |py, done| finish(py, &*of, done),
        )
    }
}

impl Door {
    /// Does `work` without the GIL, here or in a thread; `finish` makes an object of what comes of it.
    pub(super) fn carry<'py, T: Send + 'static>(
        self,
        py: Python<'py>,
        work: impl FnOnce() -> hotclub::Result<T> + Send + 'static,
        name: &'static str,
        finish: impl for<'p> FnOnce(Python<'p>, T) -> PyResult<Bound<'p, PyAny>> + Send + 'static,
    ) -> Object<'py> {
        match self {
            Door::Blocking => {
                let done = py.detach(work);
                finish(py, done.map_err(|error| exception(py, &error, name))?)
            }
            Door::Loop => {
                let work = move || -> Finish {
                    let done = work();
                    Box::new(move |py| {
                        let done = done.map_err(|error| exception(py, &error, name))?;
                        finish(py, done).map(Bound::unbind)
                    })
                };
                bell::later(py, work, threads::run)
            }
        }
    }
}

#[cold]
pub(super) fn exception(py: Python<'_>, error: &Error, name: &str) -> PyErr {
    crate::remote::errors::exception(py, error, name)
}
