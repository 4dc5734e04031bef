//! What each verb does: settings, the full key, one look into the store.
use crate::cache::{Backend, Cache};
use crate::held::Held;
use crate::incr;
use crate::key::{FullKey, full_key};
use crate::life::{Given, life};
use crate::names::name;
use crate::settings::base_cache;
use hotclub::Life;
use hotclub::backend::memory::{Change, Usage, Was};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

impl Cache {
    pub(crate) fn get_inner<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let settings = Self::settings(slf)?;
        let mut full = FullKey::new();
        full_key(slf, &settings, key, version, &mut full)?;
        slf.get().lookup(slf.py(), &full)
    }

    #[inline]
    fn lookup<'py>(&self, py: Python<'py>, full: &FullKey) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Backend::Memory(store) = self.backend()? else { return Ok(None) };
        match store.get(full.as_bytes(), Usage::Count, |seen| seen.value.clone_ref(py)) {
            None => Ok(None),
            Some(held) => held.into_python(py).map(Some),
        }
    }

    pub(crate) fn set_inner(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: &Given<'_>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Life> {
        let settings = Self::settings(slf)?;
        let mut full = FullKey::new();
        full_key(slf, &settings, key, version, &mut full)?;
        let Backend::Memory(store) = slf.get().backend()? else { return Ok(Life::Gone) };
        let held = Held::from_python(slf, value)?;
        let life = life(slf, &settings, timeout)?;
        store.update(full.as_bytes(), settings.limit, |_| (Change::Store(held, life), ()));
        Ok(life)
    }

    pub(crate) fn add_inner(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: &Given<'_>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let settings = Self::settings(slf)?;
        let mut full = FullKey::new();
        full_key(slf, &settings, key, version, &mut full)?;
        let Backend::Memory(store) = slf.get().backend()? else { return Ok(true) };
        let mut held = Some(Held::from_python(slf, value)?);
        // Django looks at the timeout only if it stores.
        let life = match life(slf, &settings, timeout) {
            Err(_) if store.contains(full.as_bytes()) => return Ok(false),
            life => life?,
        };
        let added = store.update(full.as_bytes(), settings.limit, |seen| match (seen, held.take()) {
            (None, Some(held)) => (Change::Store(held, life), true),
            (_, unused) => {
                held = unused;
                (Change::Keep, false)
            }
        });
        Ok(added)
    }

    pub(crate) fn touch_inner(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        timeout: &Given<'_>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let settings = Self::settings(slf)?;
        let mut full = FullKey::new();
        full_key(slf, &settings, key, version, &mut full)?;
        let Backend::Memory(store) = slf.get().backend()? else { return Ok(false) };
        let life = match life(slf, &settings, timeout) {
            Err(_) if !store.contains(full.as_bytes()) => return Ok(false),
            life => life?,
        };
        Ok(store.update(full.as_bytes(), None, |seen| (Change::Touch(life), seen.is_some())))
    }

    /// True also for an entry that has expired and was not taken out yet, as in Django.
    pub(crate) fn delete_inner(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let settings = Self::settings(slf)?;
        let mut full = FullKey::new();
        full_key(slf, &settings, key, version, &mut full)?;
        match slf.get().backend()? {
            Backend::Dummy | Backend::Remote(_) | Backend::Memcached(_) | Backend::Persistent(_) => Ok(false),
            Backend::Memory(store) => Ok(store.remove(full.as_bytes()) != Was::Missing),
        }
    }

    pub(crate) fn has_key_inner(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let settings = Self::settings(slf)?;
        let mut full = FullKey::new();
        full_key(slf, &settings, key, version, &mut full)?;
        match slf.get().backend()? {
            Backend::Dummy | Backend::Remote(_) | Backend::Memcached(_) | Backend::Persistent(_) => Ok(false),
            Backend::Memory(store) => Ok(store.contains(full.as_bytes())),
        }
    }

    pub(crate) fn incr_inner<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: &Given<'py>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let settings = Self::settings(slf)?;
        let mut full = FullKey::new();
        full_key(slf, &settings, key, version, &mut full)?;
        if let Backend::Memory(store) = slf.get().backend()?
            && let Some(sum) = incr::incr(slf, store, full.as_bytes(), delta)?
        {
            return Ok(sum);
        }
        let message = format!("Key '{}' not found", full.to_python(py)?.str()?.to_string_lossy());
        Err(PyValueError::new_err(message))
    }

    pub(crate) fn get_many_inner<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let settings = Self::settings(slf)?;
        if !settings.own_get {
            return base_cache(py)?.call_method1(name!(py, get_many), (slf, keys, version));
        }
        let found = PyDict::new(py);
        let mut full = FullKey::new();
        for key in keys.try_iter()? {
            let key = key?;
            full_key(slf, &settings, &key, version, &mut full)?;
            if let Some(value) = slf.get().lookup(py, &full)? {
                found.set_item(key, value)?;
            }
        }
        Ok(found.into_any())
    }

    /// Anything but a plain dict goes the way of Django's base class, pair by pair.
    pub(crate) fn set_many_inner<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        timeout: &Given<'py>,
        version: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let settings = Self::settings(slf)?;
        let plain = settings.own_set && data.is_exact_instance_of::<PyDict>();
        let (true, Backend::Memory(store)) = (plain, slf.get().backend()?) else {
            let keywords = PyDict::new(py);
            if let Given::Value(timeout) = timeout {
                keywords.set_item(name!(py, timeout), timeout)?;
            }
            keywords.set_item(name!(py, version), version)?;
            return base_cache(py)?.call_method(name!(py, set_many), (slf, data), Some(&keywords));
        };
        let mut full = FullKey::new();
        // Through Python's iterator: pickling a value may run code that changes the dict.
        for item in data.call_method0(name!(py, items))?.try_iter()? {
            let item = item?.cast_into::<PyTuple>()?;
            let (key, value) = (item.get_borrowed_item(0)?, item.get_borrowed_item(1)?);
            full_key(slf, &settings, &key, version, &mut full)?;
            let held = Held::from_python(slf, &value)?;
            let life = life(slf, &settings, timeout)?;
            store.update(full.as_bytes(), settings.limit, |_| (Change::Store(held, life), ()));
        }
        Ok(PyList::empty(py).into_any())
    }

    pub(crate) fn delete_many_inner(
        slf: &Bound<'_, Self>,
        keys: &Bound<'_, PyAny>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        let py = slf.py();
        let settings = Self::settings(slf)?;
        let (true, Backend::Memory(store)) = (settings.own_delete, slf.get().backend()?) else {
            base_cache(py)?.call_method1(name!(py, delete_many), (slf, keys, version))?;
            return Ok(0);
        };
        let mut count = 0;
        let mut full = FullKey::new();
        for key in keys.try_iter()? {
            full_key(slf, &settings, &key?, version, &mut full)?;
            count += usize::from(store.remove(full.as_bytes()) != Was::Missing);
        }
        Ok(count)
    }
}
