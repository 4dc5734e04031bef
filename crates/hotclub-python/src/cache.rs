//! The verbs of a Django cache backend, over the stores of this process.
//!
//! Hot path: a call from Python, settings from an atomic pointer, the key composed on the stack, one look
//! into the store. No Python code runs under a lock of ours: objects that leave a store are dropped after
//! its shard is unlocked. Shard locks are taken with the GIL held and never across a detach, so a fork,
//! which holds the GIL, never copies a locked shard.
use crate::held::Held;
use crate::life::Given;
use crate::memcached::Fleet;
use crate::remote::Wire;
use crate::settings::Settings;
use crate::stores::{self, Wish};
use crate::trace::{Told, action, repr, stored, traced};
use arc_swap::{ArcSwapOption, Guard};
use hotclub::Life;
use hotclub::backend::memory::Store;
use hotclub::trace::is_on;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

pub(crate) enum Backend {
    Dummy,
    Memory(Arc<Store<Held>>),
    /// Its verbs are those of `remote::Remote`.
    Remote(Arc<Wire>),
    /// Its verbs are those of `memcached::Memcached`.
    Memcached(Arc<Fleet>),
    /// Its verbs are those of `persistent::PersistentCache`.
    Persistent(Arc<dyn crate::persistent::Persistent>),
}

/// The verbs that the classes of `hotclub.django` share. Made by them; of no use alone.
#[pyclass(subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct Cache {
    backend: OnceLock<Backend>,
    settings: ArcSwapOption<Settings>,
    /// A method that settings ask about was set on this object, at some time.
    patched: AtomicBool,
}

/// The methods that settings ask about.
const PATCHABLE: [&str; 7] =
    ["get", "set", "delete", "make_key", "validate_key", "make_and_validate_key", "get_backend_timeout"];

/// Settings that are there: a guard made by `Cache::settings`.
pub(crate) struct Current(Guard<Option<Arc<Settings>>>);

impl std::ops::Deref for Current {
    type Target = Settings;

    #[inline]
    fn deref(&self) -> &Settings {
        self.0.as_deref().expect("`Cache::settings` makes a guard only of settings that are there")
    }
}

impl Cache {
    /// An object before nothing.
    pub(crate) fn bare() -> Self {
        Cache { backend: OnceLock::new(), settings: ArcSwapOption::empty(), patched: AtomicBool::new(false) }
    }

    /// Puts it before something, unless it is already.
    pub(crate) fn put_backend(&self, backend: Backend) {
        drop(self.backend.set(backend));
    }

    #[inline]
    pub(crate) fn backend(&self) -> PyResult<&Backend> {
        self.backend
            .get()
            .ok_or_else(|| PyRuntimeError::new_err("the cache was not initialised: __init__ has not run"))
    }

    /// The settings now. The guard keeps them alive, also if Python code called meanwhile changes them.
    #[inline]
    pub(crate) fn settings(slf: &Bound<'_, Self>) -> PyResult<Current> {
        let current = slf.get().settings.load();
        match &*current {
            Some(settings) if settings.is_current(slf) => Ok(Current(current)),
            _ => Self::read_settings(slf),
        }
    }

    #[cold]
    fn read_settings(slf: &Bound<'_, Self>) -> PyResult<Current> {
        let settings = Arc::new(Settings::read(slf)?);
        slf.get().settings.store(Some(settings.clone()));
        Ok(Current(Guard::from_inner(Some(settings))))
    }
}

#[pymethods]
impl Cache {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Cache::bare()
    }

    /// Puts this object before the store of a LOCATION. Raises ValueError, in words, for wrong options.
    #[pyo3(signature = (location, policy = None, max_entries = None, max_bytes = None))]
    fn _open_memory(
        &self,
        location: &str,
        policy: Option<&str>,
        max_entries: Option<i64>,
        max_bytes: Option<usize>,
    ) -> PyResult<()> {
        let wrong = |error: String| PyValueError::new_err(error);
        let default = if max_bytes.is_some() { "s3-fifo" } else { "lru" };
        let policy = policy
            .unwrap_or(default)
            .parse()
            .map_err(|error: hotclub::Error| wrong(error.message().into()))?;
        let store = stores::open(location, &Wish { policy, max_entries, max_bytes }).map_err(wrong)?;
        drop(self.backend.set(Backend::Memory(store)));
        Ok(())
    }

    /// Puts this object before the store of another, for `copy.copy`.
    fn _share(&self, other: &Bound<'_, Self>) -> PyResult<()> {
        drop(self.backend.set(match other.get().backend()? {
            Backend::Dummy => Backend::Dummy,
            Backend::Memory(store) => Backend::Memory(store.clone()),
            Backend::Remote(wire) => Backend::Remote(wire.clone()),
            Backend::Memcached(fleet) => Backend::Memcached(fleet.clone()),
            Backend::Persistent(store) => Backend::Persistent(store.clone()),
        }));
        Ok(())
    }

    fn _open_dummy(&self) {
        drop(self.backend.set(Backend::Dummy));
    }

    /// What the settings refer to may refer back to this object (a KEY_FUNCTION that is its method).
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(settings) = &*self.settings.load() {
            visit.call(&settings.key_prefix)?;
            visit.call(&settings.version)?;
            visit.call(&settings.key_function)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.settings.store(None);
    }

    fn __setattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: three live objects; this is `object.__setattr__` itself.
        let failed = unsafe { ffi::PyObject_GenericSetAttr(slf.as_ptr(), name.as_ptr(), value.as_ptr()) };
        if name.cast::<PyString>().is_ok_and(|name| PATCHABLE.iter().any(|patchable| name == patchable)) {
            slf.get().patched.store(true, Relaxed);
        }
        slf.get().attributes_changed(slf.py(), failed)
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: two live objects; a null value asks `object.__delattr__` for the deletion.
        let failed =
            unsafe { ffi::PyObject_GenericSetAttr(slf.as_ptr(), name.as_ptr(), std::ptr::null_mut()) };
        slf.get().attributes_changed(slf.py(), failed)
    }

    #[pyo3(signature = (key, default = None, version = None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if is_on() {
            let tell = |got: &Option<Bound<'py, PyAny>>| Told::Get(got.as_ref().map_or("None".into(), repr));
            let got = traced(slf, || action("get", key), || Self::get_inner(slf, key, version), tell)?;
            return Ok(got.or(default));
        }
        Ok(Self::get_inner(slf, key, version)?.or(default))
    }

    #[pyo3(
        signature = (key, value, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, value, timeout=..., version=None)"
    )]
    fn set(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: Given<'_>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let verb = || Self::set_inner(slf, key, value, &timeout, version);
        if is_on() {
            let dummy = matches!(slf.get().backend()?, Backend::Dummy);
            let tell = |life: &Life| Told::Set(if dummy { KEEPS_NOTHING.into() } else { stored(*life) });
            return traced(slf, || action("set", key), verb, tell).map(drop);
        }
        verb().map(drop)
    }

    #[pyo3(
        signature = (key, value, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, value, timeout=..., version=None)"
    )]
    fn add(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: Given<'_>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let verb = || Self::add_inner(slf, key, value, &timeout, version);
        if is_on() {
            let dummy = matches!(slf.get().backend()?, Backend::Dummy);
            let stored = if dummy { KEEPS_NOTHING } else { "stored" };
            let tell = |added: &bool| Told::Set(if *added { stored } else { "not stored: it exists" }.into());
            return traced(slf, || action("add", key), verb, tell);
        }
        verb()
    }

    #[pyo3(
        signature = (key, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, timeout=..., version=None)"
    )]
    fn touch(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        timeout: Given<'_>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let verb = || Self::touch_inner(slf, key, &timeout, version);
        if is_on() {
            return traced(slf, || action("touch", key), verb, truth);
        }
        verb()
    }

    #[pyo3(signature = (key, version = None))]
    fn delete(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let verb = || Self::delete_inner(slf, key, version);
        if is_on() {
            let tell = |was: &bool| Told::Set(if *was { "deleted" } else { "nothing to delete" }.into());
            return traced(slf, || action("delete", key), verb, tell);
        }
        verb()
    }

    /// Whether there is a live entry. Does not count as use of it.
    #[pyo3(signature = (key, version = None))]
    fn has_key(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let verb = || Self::has_key_inner(slf, key, version);
        if is_on() {
            return traced(slf, || action("has_key", key), verb, truth);
        }
        verb()
    }

    /// Add `delta` to the value and return the sum; ValueError if there is none. Atomic; keeps the deadline.
    #[pyo3(
        signature = (key, delta = Given::Nothing, version = None),
        text_signature = "($self, key, delta=1, version=None)"
    )]
    fn incr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Given<'py>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let verb = || Self::incr_inner(slf, key, &delta, version);
        if is_on() {
            return traced(slf, || action("incr", key), verb, |sum| Told::Output(repr(sum)));
        }
        verb()
    }

    /// Read many values: those that are there, by the caller's keys.
    #[pyo3(signature = (keys, version = None))]
    fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let verb = || Self::get_many_inner(slf, keys, version);
        if is_on() {
            return traced(slf, || action("get_many", keys), verb, |found| Told::Get(repr(found)));
        }
        verb()
    }

    #[pyo3(
        signature = (data, timeout = Given::Nothing, version = None),
        text_signature = "($self, data, timeout=..., version=None)"
    )]
    #[doc = "Store many values; the keys that could not be stored."]
    fn set_many<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let verb = || Self::set_many_inner(slf, data, &timeout, version);
        if is_on() {
            return traced(slf, || action("set_many", data), verb, |_| Told::Set("stored".into()));
        }
        verb()
    }

    /// Remove many entries.
    #[pyo3(signature = (keys, version = None))]
    fn delete_many(
        slf: &Bound<'_, Self>,
        keys: &Bound<'_, PyAny>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let verb = || Self::delete_many_inner(slf, keys, version);
        if is_on() {
            let tell = |count: &usize| Told::Set(format!("{count} deleted"));
            return traced(slf, || action("delete_many", keys), verb, tell).map(drop);
        }
        verb().map(drop)
    }

    fn clear(slf: &Bound<'_, Self>) -> PyResult<()> {
        let verb = || {
            if let Backend::Memory(store) = slf.get().backend()? {
                store.clear();
            }
            Ok(())
        };
        if is_on() {
            return traced(slf, || "clear()".to_owned(), verb, |()| Told::Set("all removed".into()));
        }
        verb()
    }

    /// The counters of the store behind this cache, since it was made, in this process.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let stats = match slf.get().backend()? {
            Backend::Dummy | Backend::Remote(_) | Backend::Memcached(_) | Backend::Persistent(_) => {
                hotclub::Stats::default()
            }
            Backend::Memory(store) => store.stats(),
        };
        let dict = PyDict::new(slf.py());
        for (name, value) in stats.rows() {
            dict.set_item(name, value)?;
        }
        dict.set_item("hit_ratio", stats.hit_ratio())?;
        Ok(dict)
    }
}

impl Cache {
    pub(crate) fn is_patched(&self) -> bool {
        self.patched.load(Relaxed)
    }

    fn attributes_changed(&self, py: Python<'_>, failed: i32) -> PyResult<()> {
        if failed != 0 {
            return Err(PyErr::fetch(py));
        }
        self.settings.store(None);
        Ok(())
    }
}

/// What a write to the dummy does.
const KEEPS_NOTHING: &str = "not kept: this backend keeps nothing";

fn truth(value: &bool) -> Told {
    Told::Output(if *value { "True" } else { "False" }.to_owned())
}
