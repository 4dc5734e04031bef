//! Memcached for Django: the verbs through both doors, over the fleet of a configuration.
mod call;
mod carry;
mod collect;
mod fleet;
mod speech;
mod value;
mod verbs;

use crate::cache::{Backend, Cache};
use crate::life::Given;
use crate::trace::{Told, action, later, later_quietly, repr, stored, traced};
pub(crate) use call::each_pair;
use call::{Call, life_of};
use carry::Door;
pub(crate) use fleet::Fleet;
use hotclub::trace::is_on;
use hotclub_memcached::request::Mode;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
pub(crate) use speech::MemcachedLink;
use std::sync::atomic::Ordering::Relaxed;
pub(crate) use value::warm;

type Maybe<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
type Object<'py> = PyResult<Bound<'py, PyAny>>;

/// The verbs that the classes of Memcached share. Made by them; of no use alone.
#[pyclass(extends = Cache, subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct Memcached;

/// Each verb twice: for the blocking door, and with `_a` in front for the door of the event loop.
#[pymethods]
impl Memcached {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(
        _arguments: &Bound<'_, PyTuple>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Cache::bare()).add_subclass(Memcached)
    }

    /// Puts this object before the nodes of a configuration. Raises ValueError, in words, for a wrong one.
    fn _open_memcached(slf: &Bound<'_, Self>, name: &str, options: &Bound<'_, PyDict>) -> PyResult<()> {
        slf.as_super().get().put_backend(Backend::Memcached(fleet::open(name, options)?));
        Ok(())
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
        let verb = || {
            Call::new(slf, version)?.write(Door::Blocking, "set", key, value, &timeout, Mode::Set, is_on())
        };
        told(slf, || action("set", key), verb, |stored| tell_set(slf, &timeout, stored))
            .map(|_| slf.py().None().into_bound(slf.py()))
    }

    #[pyo3(signature = (key, value, timeout = Given::Nothing, version = None))]
    fn _aset<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future =
            Call::new(slf, version)?.write(Door::Loop, "set", key, value, &timeout, Mode::Set, is_on());
        told_quietly_later(slf, || action("set", key), &told_write(slf, &timeout), future)
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
        let verb = || {
            Call::new(slf, version)?.write(Door::Blocking, "add", key, value, &timeout, Mode::Add, is_on())
        };
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
        let future =
            Call::new(slf, version)?.write(Door::Loop, "add", key, value, &timeout, Mode::Add, is_on());
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

    /// Whether there is an entry.
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

    /// Add `delta` to the number and return the sum, from 0 to 2**64 - 1; ValueError if there is none.
    #[pyo3(
        signature = (key, delta = 1, version = None),
        text_signature = "($self, key, delta=1, version=None)"
    )]
    fn incr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: i128,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || Call::new(slf, version)?.incr(Door::Blocking, key, delta);
        told(slf, || action("incr", key), verb, tell_output)
    }

    #[pyo3(signature = (key, delta = 1, version = None))]
    fn _aincr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: i128,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let future = Call::new(slf, version)?.incr(Door::Loop, key, delta);
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

    /// Store many values; the keys that could not be stored.
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
        told(slf, || action("set_many", data), verb, tell_many)
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

    /// Remove everything from all nodes, whoever wrote it.
    fn clear<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        let verb = || Call::new(slf, None)?.clear(Door::Blocking);
        told(slf, || "clear()".to_owned(), verb, |_| Told::Set("all removed".into()))
    }

    fn _aclear<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        told_later(slf, || "clear()".to_owned(), "cleared", Call::new(slf, None)?.clear(Door::Loop))
    }

    /// Has these keys deleted before their nodes are read again: a task that was to end their values was cancelled, and what
    /// became of that is unknown.
    #[pyo3(signature = (keys, version = None))]
    fn _owe<'py>(slf: &Bound<'py, Self>, keys: &Bound<'py, PyAny>, version: Maybe<'_, 'py>) -> PyResult<()> {
        let call = Call::new(slf, version)?;
        let keys = call.all(keys)?;
        call.fleet.client.owe(&call.checked_all(&keys.full, &keys.ends)?);
        Ok(())
    }

    /// The same for everything: a task that was to clear it was cancelled.
    fn _owe_all(slf: &Bound<'_, Self>) -> PyResult<()> {
        Call::new(slf, None)?.fleet.client.owe_all();
        Ok(())
    }

    /// Connections of this process: those of the pool, and those of event loops.
    fn _connections(slf: &Bound<'_, Self>) -> PyResult<(usize, usize)> {
        let fleet = Call::new(slf, None)?.fleet;
        Ok((fleet.client.connections(), fleet.doors.connections()))
    }

    /// The counters of this configuration in this process.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let fleet = Call::new(slf, None)?.fleet;
        let dict = PyDict::new(slf.py());
        dict.set_item("hits", fleet.hits.load(Relaxed))?;
        dict.set_item("misses", fleet.misses.load(Relaxed))?;
        dict.set_item("connections", fleet.client.connections() + fleet.doors.connections())?;
        Ok(dict)
    }
}

/// A verb as a step of the execution table, if one is being recorded.
#[inline]
fn told<'py>(
    slf: &Bound<'py, Memcached>,
    action: impl FnOnce() -> String,
    verb: impl FnOnce() -> Object<'py>,
    tell: impl FnOnce(&Bound<'py, PyAny>) -> Told,
) -> Object<'py> {
    if is_on() { traced(slf, action, verb, tell) } else { verb() }
}

/// The same for a verb whose answer is on its way: the row is written when it is there.
#[inline]
fn told_later<'py>(
    slf: &Bound<'py, Memcached>,
    action: impl FnOnce() -> String,
    kind: &str,
    future: Object<'py>,
) -> Object<'py> {
    if is_on() { later(slf, &action(), kind, future?) } else { future }
}

/// The same where the caller does not hear what the table does.
#[inline]
fn told_quietly_later<'py>(
    slf: &Bound<'py, Memcached>,
    action: impl FnOnce() -> String,
    kind: &str,
    future: Object<'py>,
) -> Object<'py> {
    if is_on() { later_quietly(slf, &action(), kind, future?) } else { future }
}

fn is_true(object: &Bound<'_, PyAny>) -> bool {
    object.is_truthy().unwrap_or(false)
}

fn tell_set<'py>(slf: &Bound<'py, Memcached>, timeout: &Given<'py>, stored: &Bound<'py, PyAny>) -> Told {
    let absent = || "not stored: the node is not there".to_owned();
    Told::Set(if is_true(stored) { written(slf, timeout) } else { absent() })
}

/// The same, if a table is being recorded.
fn told_write<'py>(slf: &Bound<'py, Memcached>, timeout: &Given<'py>) -> String {
    if is_on() { written(slf, timeout) } else { String::new() }
}

/// What a write with this timeout does. A timeout that is none was an error before.
fn written<'py>(slf: &Bound<'py, Memcached>, timeout: &Given<'py>) -> String {
    let exptime = Call::new(slf, None).and_then(|call| call.exptime(timeout));
    exptime.map_or_else(|_| String::new(), |exptime| stored(life_of(exptime)))
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

fn tell_many(failed: &Bound<'_, PyAny>) -> Told {
    Told::Set(if is_true(failed) { format!("not stored: {}", repr(failed)) } else { "stored".into() })
}

fn tell_got(found: &Bound<'_, PyAny>) -> Told {
    Told::Get(repr(found))
}

fn tell_output(answer: &Bound<'_, PyAny>) -> Told {
    Told::Output(repr(answer))
}
