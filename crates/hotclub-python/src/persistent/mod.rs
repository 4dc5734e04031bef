//! Caches whose entries survive the process, on this machine's disk: the verbs through both doors. In loops they are
//! done by a few threads of the process. What a store of them does is `store.rs`; each kind has a file beside it.
mod call;
mod file;
mod sqlite;
mod store;
mod verbs;

use crate::cache::{Backend, Cache};
use crate::life::Given;
use crate::trace::{Told, action, later, later_quietly, repr, stored, traced};
use call::{Call, Door};
pub(crate) use file::Files;
use hotclub::trace::is_on;
use hotclub_net::locks::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
pub(crate) use sqlite::Sqlite;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
pub(crate) use store::Persistent;

type Maybe<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
type Object<'py> = PyResult<Bound<'py, PyAny>>;

/// The stores of this process by what they are told: shared by all cache objects, kept when they go.
static STORES: Mutex<BTreeMap<String, Arc<dyn Persistent>>> = Mutex::new(BTreeMap::new());

/// The verbs that caches have whose entries survive the process. Made by their classes; of no use alone.
#[pyclass(extends = Cache, subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct PersistentCache;

impl PersistentCache {
    /// Puts an object before a store, which is made if no other object has it.
    fn open<S: Persistent + 'static>(
        slf: &Bound<'_, Self>,
        name: String,
        make: impl FnOnce() -> hotclub::Result<S>,
    ) -> PyResult<()> {
        let name = format!("{}: {name}", std::any::type_name::<S>());
        // Short: a lookup, and once the making of a store, which opens nothing yet.
        let mut stores = STORES.lock();
        let store = match stores.get(&name) {
            Some(store) => store.clone(),
            None => {
                let made = make().map_err(|error| PyValueError::new_err(error.message().to_owned()))?;
                let store: Arc<dyn Persistent> = Arc::new(made);
                stores.insert(name, store.clone());
                store
            }
        };
        drop(stores);
        slf.as_super().get().put_backend(Backend::Persistent(store));
        Ok(())
    }

    /// The store of this object, which is of a known kind.
    fn store<S: Persistent + 'static>(slf: &Bound<'_, Self>) -> PyResult<Arc<S>> {
        let Backend::Persistent(store) = slf.as_super().get().backend()? else {
            return Err(PyRuntimeError::new_err("this cache is not one whose entries survive"));
        };
        let store: Arc<dyn Any + Send + Sync> = store.clone();
        store.downcast().map_err(|_| PyRuntimeError::new_err("this cache has a store of another kind"))
    }
}

/// Each verb twice: for the blocking door, and with `_a` in front for event loops.
#[pymethods]
impl PersistentCache {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(
        _arguments: &Bound<'_, PyTuple>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Cache::bare()).add_subclass(PersistentCache)
    }

    #[pyo3(
        signature = (key, value, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, value, timeout=..., version=None)"
    )]
    fn set<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.set(Door::Blocking, key, value, &timeout);
        told(slf, || action("set", key), verb, |_| tell_stored(slf, &timeout))
    }

    #[pyo3(signature = (key, value, timeout = Given::Nothing, version = None))]
    fn _aset<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.set(Door::Loop, key, value, &timeout);
        told_later(slf, || action("set", key), &told_write(slf, &timeout), future)
    }

    #[pyo3(
        signature = (key, value, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, value, timeout=..., version=None)"
    )]
    fn add<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.add(Door::Blocking, key, value, &timeout);
        told(slf, || action("add", key), verb, tell_added)
    }

    #[pyo3(signature = (key, value, timeout = Given::Nothing, version = None))]
    fn _aadd<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.add(Door::Loop, key, value, &timeout);
        told_later(slf, || action("add", key), "written", future)
    }

    #[pyo3(
        signature = (key, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, timeout=..., version=None)"
    )]
    fn touch<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.touch(Door::Blocking, key, &timeout);
        told(slf, || action("touch", key), verb, tell_output)
    }

    #[pyo3(signature = (key, timeout = Given::Nothing, version = None))]
    fn _atouch<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.touch(Door::Loop, key, &timeout);
        told_later(slf, || action("touch", key), "output", future)
    }

    #[pyo3(signature = (key, version = None))]
    fn delete<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>, version: Maybe<'_, 'py>) -> Object<'py> {
        let verb = || Call::new(slf, version)?.delete(Door::Blocking, key);
        told(slf, || action("delete", key), verb, tell_deleted)
    }

    #[pyo3(signature = (key, version = None))]
    fn _adelete<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.delete(Door::Loop, key);
        told_later(slf, || action("delete", key), "deleted", future)
    }

    /// Whether there is a live entry.
    #[pyo3(signature = (key, version = None))]
    fn has_key<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>, version: Maybe<'_, 'py>) -> Object<'py> {
        let verb = || Call::new(slf, version)?.has_key(Door::Blocking, key);
        told(slf, || action("has_key", key), verb, tell_output)
    }

    #[pyo3(signature = (key, version = None))]
    fn _ahas_key<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.has_key(Door::Loop, key);
        told_later(slf, || action("has_key", key), "output", future)
    }

    /// Add `delta` and return the sum; ValueError if there is none. One step for all processes; keeps the deadline.
    #[pyo3(
        signature = (key, delta = Given::Nothing, version = None),
        text_signature = "($self, key, delta=1, version=None)"
    )]
    fn incr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.incr(Door::Blocking, key, &delta);
        told(slf, || action("incr", key), verb, tell_output)
    }

    #[pyo3(signature = (key, delta = Given::Nothing, version = None))]
    fn _aincr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.incr(Door::Loop, key, &delta);
        told_later(slf, || action("incr", key), "output", future)
    }

    /// Read many values: those that are there, by the caller's keys.
    #[pyo3(signature = (keys, version = None))]
    fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.get_many(Door::Blocking, keys);
        told(slf, || action("get_many", keys), verb, tell_got)
    }

    #[pyo3(signature = (keys, version = None))]
    fn _aget_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.get_many(Door::Loop, keys);
        told_later(slf, || action("get_many", keys), "got", future)
    }

    /// Store many values; the keys that could not be stored, which are none.
    #[pyo3(
        signature = (data, timeout = Given::Nothing, version = None),
        text_signature = "($self, data, timeout=..., version=None)"
    )]
    fn set_many<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.set_many(Door::Blocking, data, &timeout);
        told(slf, || action("set_many", data), verb, |_| Told::Set("stored".into()))
    }

    #[pyo3(signature = (data, timeout = Given::Nothing, version = None))]
    fn _aset_many<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.set_many(Door::Loop, data, &timeout);
        told_later(slf, || action("set_many", data), "stored_many", future)
    }

    /// Remove many entries.
    #[pyo3(signature = (keys, version = None))]
    fn delete_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.delete_many(Door::Blocking, keys, is_on());
        told(slf, || action("delete_many", keys), verb, tell_removed)
            .map(|_| slf.py().None().into_bound(slf.py()))
    }

    #[pyo3(signature = (keys, version = None))]
    fn _adelete_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.delete_many(Door::Loop, keys, is_on());
        told_quietly_later(slf, || action("delete_many", keys), "deleted_many", future)
    }

    #[pyo3(signature = (key, default = None, version = None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Py<PyAny>>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        if !is_on() {
            return Call::new(slf, version)?.get(Door::Blocking, key, default);
        }
        // A miss is None in the table, whatever its default.
        let missing = slf.py().get_type::<PyAny>().call0()?;
        let verb = || Call::new(slf, version)?.get(Door::Blocking, key, Some(missing.clone().unbind()));
        let tell =
            |got: &Bound<'py, PyAny>| if got.is(&missing) { Told::Get("None".into()) } else { tell_got(got) };
        let got = traced(slf, || action("get", key), verb, tell)?;
        if !got.is(&missing) {
            return Ok(got);
        }
        Ok(default.unwrap_or_else(|| slf.py().None()).into_bound(slf.py()))
    }

    #[pyo3(signature = (key, default = None, version = None))]
    fn _aget<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Py<PyAny>>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let call = Call::new(slf, version)?;
        if !is_on() {
            return call.get(Door::Loop, key, default);
        }
        let missing = slf.py().get_type::<PyAny>().call0()?;
        let future = call.get(Door::Loop, key, Some(missing.clone().unbind()))?;
        crate::trace::later_get(slf, &action("get", key), future, missing, default)
    }

    /// Remove every entry of the store, whoever wrote it, and nothing else.
    fn clear<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        let verb = || Call::new(slf, None)?.clear(Door::Blocking);
        told(slf, || "clear()".to_owned(), verb, |_| Told::Set("all removed".into()))
    }

    fn _aclear<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        told_later(slf, || "clear()".to_owned(), "cleared", Call::new(slf, None)?.clear(Door::Loop))
    }

    /// Counters of this process.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let store = Call::new(slf, None)?.store.clone();
        let stats = slf.py().detach(|| store.stats());
        let stats = stats.map_err(|error| call::exception(slf.py(), &error, store.name()))?;
        let dict = PyDict::new(slf.py());
        for (name, count) in stats.rows() {
            dict.set_item(name, count)?;
        }
        Ok(dict)
    }
}

/// A verb as a step of the execution table, if one is being recorded.
#[inline]
fn told<'py>(
    slf: &Bound<'py, PersistentCache>,
    action: impl FnOnce() -> String,
    verb: impl FnOnce() -> Object<'py>,
    tell: impl FnOnce(&Bound<'py, PyAny>) -> Told,
) -> Object<'py> {
    if is_on() { traced(slf, action, verb, tell) } else { verb() }
}

/// The same for a verb whose answer is on its way: the row is written when it is there.
#[inline]
fn told_later<'py>(
    slf: &Bound<'py, PersistentCache>,
    action: impl FnOnce() -> String,
    kind: &str,
    future: Object<'py>,
) -> Object<'py> {
    if is_on() { later(slf, &action(), kind, future?) } else { future }
}

/// The same where the caller does not hear what the table does.
#[inline]
fn told_quietly_later<'py>(
    slf: &Bound<'py, PersistentCache>,
    action: impl FnOnce() -> String,
    kind: &str,
    future: Object<'py>,
) -> Object<'py> {
    if is_on() { later_quietly(slf, &action(), kind, future?) } else { future }
}

/// The same, if a table is being recorded.
fn told_write<'py>(slf: &Bound<'py, PersistentCache>, timeout: &Given<'py>) -> String {
    if is_on() { written(slf, timeout) } else { String::new() }
}

/// What a write with this timeout does. A timeout that is none was an error before.
fn written<'py>(slf: &Bound<'py, PersistentCache>, timeout: &Given<'py>) -> String {
    let life = || crate::life::life(slf.as_super(), &*Cache::settings(slf.as_super())?, timeout);
    life().map_or_else(|_| String::new(), stored)
}

fn tell_stored<'py>(slf: &Bound<'py, PersistentCache>, timeout: &Given<'py>) -> Told {
    Told::Set(written(slf, timeout))
}

fn is_true(object: &Bound<'_, PyAny>) -> bool {
    object.is_truthy().unwrap_or(false)
}

fn tell_added(added: &Bound<'_, PyAny>) -> Told {
    Told::Set(if is_true(added) { "stored" } else { "not stored: it exists" }.into())
}

fn tell_deleted(was: &Bound<'_, PyAny>) -> Told {
    Told::Set(if is_true(was) { "deleted" } else { "nothing to delete" }.into())
}

fn tell_removed(count: &Bound<'_, PyAny>) -> Told {
    Told::Set(format!("{count} deleted"))
}

fn tell_got(found: &Bound<'_, PyAny>) -> Told {
    Told::Get(repr(found))
}

fn tell_output(answer: &Bound<'_, PyAny>) -> Told {
    Told::Output(repr(answer))
}
