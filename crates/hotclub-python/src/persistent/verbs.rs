//! Each verb once: what is done in the store, and what the answer is to the caller.
use super::Object;
use super::call::{Call, Door, exception};
use super::store::{Added, Item, Persistent, Write};
use crate::bell::{self, Finish};
use crate::codec::sized_dict;
use crate::life::{Given, life};
use crate::memcached::each_pair;
use hotclub::backend::Condition;
use hotclub::{Life, threads};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyList, PyString};
use std::sync::Arc;

fn truth(py: Python<'_>, value: bool) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyBool::new(py, value).to_owned().into_any())
}

fn none(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(py.None().into_bound(py))
}

impl<'py> Call<'_, 'py> {
    pub(super) fn get(&self, door: Door, key: &Bound<'py, PyAny>, default: Option<Py<PyAny>>) -> Object<'py> {
        let full = self.key(key)?;
        self.carry(
            door,
            move |store| store.get(&full),
            |py, store, found| match (found, default) {
                (Some(found), _) => store.load(py, &found.value, found.flags),
                (None, Some(default)) => Ok(default.into_bound(py)),
                (None, None) => none(py),
            },
        )
    }

    fn item(&self, key: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> PyResult<Item> {
        let key = self.key(key)?;
        let mut bytes = Vec::new();
        let flags = self.store.dump(value, &mut bytes)?;
        Ok(Item { key, value: bytes, flags })
    }

    fn write(&self, timeout: &Given<'py>, condition: Condition) -> PyResult<Write> {
        let life = life(self.cache, &self.settings, timeout)?;
        Ok(Write { life, condition, limit: self.settings.limit })
    }

    pub(super) fn set(
        &self,
        door: Door,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: &Given<'py>,
    ) -> Object<'py> {
        let item = self.item(key, value)?;
        let write = self.write(timeout, Condition::Always)?;
        self.carry(door, move |store| store.set(&item, write), |py, _, _| none(py))
    }

    pub(super) fn add(
        &self,
        door: Door,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: &Given<'py>,
    ) -> Object<'py> {
        let item = self.item(key, value)?;
        let write = self.write(timeout, Condition::IfAbsent)?;
        self.carry(door, move |store| store.set(&item, write), |py, _, added| truth(py, added))
    }

    pub(super) fn touch(&self, door: Door, key: &Bound<'py, PyAny>, timeout: &Given<'py>) -> Object<'py> {
        let full = self.key(key)?;
        let life: Life = life(self.cache, &self.settings, timeout)?;
        self.carry(door, move |store| store.touch(&full, life), |py, _, touched| truth(py, touched))
    }

    /// Of files, true also for an entry whose time is over and that was not taken out yet, as in Django.
    pub(super) fn delete(&self, door: Door, key: &Bound<'py, PyAny>) -> Object<'py> {
        let full = self.key(key)?;
        self.carry(door, move |store| store.delete(&full), |py, _, was_there| truth(py, was_there))
    }

    pub(super) fn has_key(&self, door: Door, key: &Bound<'py, PyAny>) -> Object<'py> {
        let full = self.key(key)?;
        self.carry(door, move |store| store.has(&full), |py, _, is_there| truth(py, is_there))
    }

    /// Whole numbers the store adds; whatever else can be added Python does, and what was read is written over only if
    /// it is still there.
    pub(super) fn incr(&self, door: Door, key: &Bound<'py, PyAny>, delta: &Given<'py>) -> Object<'py> {
        let full = self.key(key)?;
        let (py, store) = (self.py(), self.store.clone());
        let delta = match delta {
            Given::Value(delta) => delta.clone().unbind(),
            Given::Nothing => 1_i32.into_py_any(py)?,
        };
        let named = key.clone().unbind();
        let adding = Adding { whole: whole(delta.bind(py)), store, full, named, delta };
        match door {
            Door::Blocking => {
                let added = adding.whole.map(|whole| py.detach(|| adding.store.add(&adding.full, whole)));
                adding.come_to(py, added.unwrap_or(Ok(Added::Other))).map(|sum| sum.into_bound(py))
            }
            Door::Loop => bell::later(py, move || adding.later(), threads::run),
        }
    }

    pub(super) fn get_many(&self, door: Door, keys: &Bound<'py, PyAny>) -> Object<'py> {
        let mut typed = Vec::new();
        let mut full = Vec::new();
        for key in keys.try_iter()? {
            let key = key?;
            full.push(self.key(&key)?);
            typed.push(key.unbind());
        }
        let read = move |store: &dyn Persistent| store.get_many(&full);
        self.carry(door, read, |py, store, found| {
            let dict = sized_dict(py, found.iter().flatten().count())?;
            for (key, found) in typed.into_iter().zip(found) {
                if let Some(found) = found {
                    dict.set_item(key, store.load(py, &found.value, found.flags)?)?;
                }
            }
            Ok(dict.into_any())
        })
    }

    pub(super) fn set_many(&self, door: Door, data: &Bound<'py, PyAny>, timeout: &Given<'py>) -> Object<'py> {
        let (mut items, mut typed) = (Vec::new(), Vec::new());
        each_pair(data, |key, value| {
            items.push(self.item(&key, &value)?);
            typed.push(key.unbind());
            Ok(())
        })?;
        let write = match items.is_empty() {
            true => Write { life: Life::Never, condition: Condition::Always, limit: None },
            false => self.write(timeout, Condition::Always)?,
        };
        let put = move |store: &dyn Persistent| store.set_many(&items, write);
        self.carry(door, put, |py, _, written| {
            let failed = typed.into_iter().zip(written).filter(|(_, written)| !written);
            Ok(PyList::new(py, failed.map(|(key, _)| key).collect::<Vec<_>>())?.into_any())
        })
    }

    /// How many there were, if that is to be `counted`.
    pub(super) fn delete_many(&self, door: Door, keys: &Bound<'py, PyAny>, counted: bool) -> Object<'py> {
        let full: Vec<String> = keys.try_iter()?.map(|key| self.key(&key?)).collect::<PyResult<_>>()?;
        let remove = move |store: &dyn Persistent| store.delete_many(&full);
        self.carry(
            door,
            remove,
            move |py, _, count| {
                if counted { count.into_bound_py_any(py) } else { none(py) }
            },
        )
    }

    pub(super) fn clear(&self, door: Door) -> Object<'py> {
        self.carry(door, |store| store.clear(), |py, _, ()| none(py))
    }
}

/// In Django's words, which Python's `%` makes: for a tuple it takes what is in it.
#[cold]
fn not_found(py: Python<'_>, named: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let message = PyString::new(py, "Key '%s' not found").rem(named)?;
    Ok(PyValueError::new_err(message.unbind()))
}

/// Somebody who writes the same key again and again is not waited for longer.
const TRIALS: usize = 1000;

/// The number, if a store may add it by itself.
fn whole(delta: &Bound<'_, PyAny>) -> Option<i64> {
    delta.cast_exact::<PyInt>().ok()?.extract().ok()
}

/// An `incr` on its way.
struct Adding {
    store: Arc<dyn Persistent>,
    full: String,
    /// The key as it was given.
    named: Py<PyAny>,
    delta: Py<PyAny>,
    whole: Option<i64>,
}

impl Adding {
    /// In a thread: Python is asked for nothing that the store can add by itself.
    fn later(self) -> Finish {
        let added = self.whole.map_or(Ok(Added::Other), |whole| self.store.add(&self.full, whole));
        if !matches!(added, Ok(Added::Other)) {
            return Box::new(move |py| self.come_to(py, added));
        }
        // An interpreter that is about to end has nobody who waits.
        let ended = || Err(PyRuntimeError::new_err("the interpreter ends"));
        let done = Python::try_attach(|py| self.come_to(py, added)).unwrap_or_else(ended);
        Box::new(move |_| done)
    }

    fn come_to(&self, py: Python<'_>, added: hotclub::Result<Added>) -> PyResult<Py<PyAny>> {
        match added.map_err(|error| exception(py, &error, self.store.name()))? {
            Added::Sum(sum) => sum.into_py_any(py),
            Added::Missing => Err(not_found(py, self.named.bind(py))?),
            Added::Other => self.until_it_holds(py),
        }
    }

    /// Python adds.
    fn until_it_holds(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (store, full) = (&self.store, self.full.as_str());
        let told = |error: hotclub::Error| exception(py, &error, store.name());
        for _ in 0..TRIALS {
            let Some(found) = py.detach(|| store.peek(full)).map_err(told)? else {
                return Err(not_found(py, self.named.bind(py))?);
            };
            let sum = store.load(py, &found.value, found.flags)?.add(self.delta.bind(py))?;
            let mut bytes = Vec::new();
            let flags = store.dump(&sum, &mut bytes)?;
            if py.detach(|| store.replace(full, &found, &bytes, flags)).map_err(told)? {
                return Ok(sum.unbind());
            }
        }
        Err(told(store.too_busy()))
    }
}
