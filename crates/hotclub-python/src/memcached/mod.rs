//! Memcached for Django: the blocking verbs, over the fleet of a configuration.
mod call;
mod collect;
mod fleet;
mod value;

use crate::cache::{Backend, Cache};
use crate::life::Given;
use crate::trace::{Told, action, repr, traced};
use call::{Call, Keys};
pub(crate) use fleet::Fleet;
use hotclub::trace::is_on;
use hotclub_memcached::reply::Tokens;
use hotclub_memcached::request::{Get, Mode, Store};
use hotclub_memcached::verb::{Count, Delete, Item, Read, Touch, Write};
use hotclub_memcached::{Problem, Stored};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use std::sync::atomic::Ordering::Relaxed;

type Maybe<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
type Object<'py> = PyResult<Bound<'py, PyAny>>;

/// The verbs that the classes of Memcached share. Made by them; of no use alone.
#[pyclass(extends = Cache, subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct Memcached;

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

    #[pyo3(signature = (key, default = None, version = None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
        version: Maybe<'_, 'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let verb = || {
            let call = Call::new(slf, version)?;
            let full = call.key(key)?;
            let found = call.read(&[call.checked(&full)?])?;
            found.get(0).map(|(flags, bytes)| value::load(slf.py(), flags, bytes)).transpose()
        };
        let tell = |got: &Option<Bound<'py, PyAny>>| Told::Get(got.as_ref().map_or("None".into(), repr));
        let got = if is_on() { traced(slf, || action("get", key), verb, tell)? } else { verb()? };
        Ok(got.or(default))
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
    ) -> PyResult<()> {
        let verb = || Call::new(slf, version)?.write("set", key, value, &timeout, Mode::Set);
        if is_on() {
            traced(slf, || action("set", key), verb, tell_stored).map(drop)
        } else {
            verb().map(drop)
        }
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
    ) -> PyResult<bool> {
        let verb = || Call::new(slf, version)?.write("add", key, value, &timeout, Mode::Add);
        let stored = if is_on() { traced(slf, || action("add", key), verb, tell_stored)? } else { verb()? };
        Ok(stored == Stored::Yes)
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
    ) -> PyResult<bool> {
        let verb = || {
            let call = Call::new(slf, version)?;
            let full = call.key(key)?;
            call.ask(&Touch { key: call.checked(&full)?, exptime: call.exptime(&timeout)? })
        };
        if is_on() { traced(slf, || action("touch", key), verb, truth) } else { verb() }
    }

    #[pyo3(signature = (key, version = None))]
    fn delete<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> PyResult<bool> {
        let verb = || {
            let call = Call::new(slf, version)?;
            let full = call.key(key)?;
            Ok(call.ask(&Delete { keys: &[call.checked(&full)?], cas: None })? > 0)
        };
        let tell = |was: &bool| Told::Set(if *was { "deleted" } else { "nothing to delete" }.into());
        if is_on() { traced(slf, || action("delete", key), verb, tell) } else { verb() }
    }

    /// Whether there is an entry.
    #[pyo3(signature = (key, version = None))]
    fn has_key<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> PyResult<bool> {
        let verb = || {
            let call = Call::new(slf, version)?;
            let full = call.key(key)?;
            let get = Get::default().without_value();
            let keys = [call.checked(&full)?];
            let there = |_: &[u8], _: Tokens<'_>| Ok::<_, Problem>(());
            let found = call.ask(&Read { keys: &keys, get, absent: call.absent(), found: there })?;
            Ok(found.first().is_some_and(Option::is_some))
        };
        if is_on() { traced(slf, || action("has_key", key), verb, truth) } else { verb() }
    }

    /// Add `delta` to the number and return the sum, from 0 to 2**64 - 1; ValueError if there is none.
    #[pyo3(signature = (key, delta = 1, version = None), text_signature = "($self, key, delta=1, version=None)")]
    fn incr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: i128,
        version: Maybe<'_, 'py>,
    ) -> PyResult<u64> {
        let verb = || {
            let call = Call::new(slf, version)?;
            let full = call.key(key)?;
            let amount = u64::try_from(delta.unsigned_abs());
            let amount =
                amount.map_err(|_| PyValueError::new_err(format!("{delta} does not fit into 64 bits")))?;
            let count = Count { key: call.checked(&full)?, delta: amount, down: delta < 0 };
            let sum = call.ask(&count)?;
            sum.ok_or_else(|| PyValueError::new_err(format!("Key '{full}' not found")))
        };
        if is_on() {
            traced(slf, || action("incr", key), verb, |sum| Told::Output(sum.to_string()))
        } else {
            verb()
        }
    }

    /// Read many values: those that are there, by the caller's keys.
    #[pyo3(signature = (keys, version = None))]
    fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || {
            let (call, py) = (Call::new(slf, version)?, slf.py());
            let keys = call.all(keys)?;
            let found = call.read(&call.checked_all(&keys)?)?;
            let dict = PyDict::new(py);
            for (place, key) in keys.typed.iter().enumerate() {
                if let Some((flags, bytes)) = found.get(place) {
                    dict.set_item(key, value::load(py, flags, bytes)?)?;
                }
            }
            Ok(dict.into_any())
        };
        if is_on() {
            traced(slf, || action("get_many", keys), verb, |found| Told::Get(repr(found)))
        } else {
            verb()
        }
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
        let verb = || {
            let (call, py) = (Call::new(slf, version)?, slf.py());
            let mut keys = Keys::default();
            let mut bytes = Vec::new();
            let mut values = Vec::new();
            call.each_of(data, |key, value| {
                call.push(&mut keys, key)?;
                let start = bytes.len();
                let flags = value::dump(&value, call.fleet.writer, &mut bytes)?;
                values.push((flags, start..bytes.len()));
                Ok(())
            })?;
            let exptime = if values.is_empty() { 0 } else { call.exptime(&timeout)? };
            let checked = call.checked_all(&keys)?;
            let mut items = Vec::with_capacity(values.len());
            for (key, (flags, span)) in checked.into_iter().zip(values) {
                items.push(Item { key, value: &bytes[span], store: Store::new(flags, exptime) });
            }
            let stored = call.ask(&Write { name: "set_many", items: &items, absent: call.absent() })?;
            let failed = PyList::empty(py);
            for (key, stored) in keys.typed.iter().zip(stored) {
                if !matches!(stored, Ok(Stored::Yes)) {
                    failed.append(key)?;
                }
            }
            Ok(failed.into_any())
        };
        let tell = |failed: &Bound<'py, PyAny>| {
            Told::Set(if failed.is_truthy().unwrap_or(false) {
                format!("not stored: {}", repr(failed))
            } else {
                "stored".into()
            })
        };
        if is_on() { traced(slf, || action("set_many", data), verb, tell) } else { verb() }
    }

    /// Remove many entries.
    #[pyo3(signature = (keys, version = None))]
    fn delete_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> PyResult<()> {
        let verb = || {
            let call = Call::new(slf, version)?;
            let keys = call.all(keys)?;
            call.ask(&Delete { keys: &call.checked_all(&keys)?, cas: None })
        };
        let tell = |count: &u64| Told::Set(format!("{count} deleted"));
        if is_on() {
            traced(slf, || action("delete_many", keys), verb, tell).map(drop)
        } else {
            verb().map(drop)
        }
    }

    /// Remove everything from all nodes, whoever wrote it.
    fn clear(slf: &Bound<'_, Self>) -> PyResult<()> {
        let verb = || {
            let (call, py) = (Call::new(slf, None)?, slf.py());
            let client = &call.fleet.client;
            py.detach(|| client.flush_all()).map_err(|error| call.fleet.exception(py, error))
        };
        if is_on() {
            traced(slf, || "clear()".to_owned(), verb, |()| Told::Set("all removed".into()))
        } else {
            verb()
        }
    }

    /// The counters of this configuration in this process.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let call = Call::new(slf, None)?;
        let dict = PyDict::new(slf.py());
        dict.set_item("hits", call.fleet.hits.load(Relaxed))?;
        dict.set_item("misses", call.fleet.misses.load(Relaxed))?;
        dict.set_item("connections", call.fleet.client.connections())?;
        Ok(dict)
    }
}

fn tell_stored(stored: &Stored) -> Told {
    Told::Set(
        match stored {
            Stored::Yes => "stored",
            Stored::Absent => "not stored: the node is not there",
            _ => "not stored: it exists",
        }
        .into(),
    )
}

fn truth(value: &bool) -> Told {
    Told::Output(if *value { "True" } else { "False" }.to_owned())
}
