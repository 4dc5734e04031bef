//! Memcached for Django: the blocking verbs, over the fleet of a configuration.
mod fleet;
mod value;

use crate::cache::{Backend, Cache, Current};
use crate::key::{FullKey, full_key};
use crate::life::Given;
use crate::names::name;
use crate::settings::django;
use crate::trace::{Told, action, repr, traced};
pub(crate) use fleet::Fleet;
use hotclub::trace::is_on;
use hotclub::{Life, remote::IntoError};
use hotclub_memcached::reply::Tokens;
use hotclub_memcached::request::{Get, Mode, Store};
use hotclub_memcached::verb::{Count, Delete, Item, Read, Touch, Verb, Write};
use hotclub_memcached::{AbsentNodes, Effect, Key, Problem, Stored};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyTuple};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

type Maybe<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
type Object<'py> = PyResult<Bound<'py, PyAny>>;
/// Flags and bytes.
type Raw = (u32, Vec<u8>);

/// The verbs that the classes of Memcached share. Made by them; of no use alone.
#[pyclass(extends = Cache, subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct Memcached;

/// What a verb has at hand.
struct Call<'a, 'py> {
    cache: &'a Bound<'py, Cache>,
    fleet: &'a Arc<Fleet>,
    settings: Current,
    version: Maybe<'a, 'py>,
}

impl<'a, 'py> Call<'a, 'py> {
    fn new(slf: &'a Bound<'py, Memcached>, version: Maybe<'a, 'py>) -> PyResult<Self> {
        let cache = slf.as_super();
        let Backend::Memcached(fleet) = cache.get().backend()? else {
            return Err(PyRuntimeError::new_err("this cache is not one of Memcached"));
        };
        Ok(Call { cache, fleet, settings: Cache::settings(cache)?, version })
    }

    fn py(&self) -> Python<'py> {
        self.cache.py()
    }

    /// The full key, as text.
    fn key(&self, key: &Bound<'py, PyAny>) -> PyResult<String> {
        let mut full = FullKey::new();
        full_key(self.cache, &self.settings, key, self.version, &mut full)?;
        let text = String::from_utf8(full.as_bytes().to_vec());
        text.map_err(|_| self.invalid("the key has characters that are no Unicode text"))
    }

    #[cold]
    fn invalid(&self, text: &str) -> PyErr {
        let error = hotclub::Error::new(hotclub::ErrorKind::InvalidKey, text).at("memcached", "key");
        crate::remote::errors::exception(self.py(), &error, self.fleet.library)
    }

    fn checked<'k>(&self, key: &'k str) -> PyResult<Key<'k>> {
        Key::new(key).map_err(|bad| self.invalid(&format!("{key:?}: {bad}")))
    }

    /// Asks, without the GIL.
    fn ask<V: Verb + Sync>(&self, verb: &V) -> PyResult<V::Answer>
    where
        V::Answer: Send,
    {
        let client = &self.fleet.client;
        self.py().detach(|| client.ask(verb)).map_err(|error| self.fleet.exception(self.py(), error))
    }

    fn absent(&self) -> AbsentNodes {
        self.fleet.client.config().absent
    }

    /// What is stored under these keys: flags and bytes.
    fn read(&self, keys: &[Key<'_>]) -> PyResult<Vec<Option<Raw>>> {
        let found = |bytes: &[u8], tokens: Tokens<'_>| Ok::<_, Problem>((tokens.flags()?, bytes.to_vec()));
        let found = self.ask(&Read { keys, get: Get::default(), absent: self.absent(), found })?;
        let hits = found.iter().flatten().count();
        self.fleet.count(hits, found.len() - hits);
        Ok(found)
    }

    fn write(
        &self,
        verb: &'static str,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: &Given<'py>,
        mode: Mode,
    ) -> PyResult<Stored> {
        let full = self.key(key)?;
        let mut bytes = Vec::new();
        let flags = value::dump(value, self.fleet.writer, &mut bytes)?;
        let store = Store::new(flags, self.exptime(timeout)?).mode(mode);
        let items = [Item { key: self.checked(&full)?, value: &bytes, store }];
        let stored = self.ask(&Write { name: verb, items: &items, absent: self.absent() })?.pop();
        stored.unwrap_or(Ok(Stored::Absent)).map_err(|problem| self.refused(verb, problem, &items[0].key))
    }

    #[cold]
    fn refused(&self, verb: &'static str, problem: Problem, key: &Key<'_>) -> PyErr {
        let place = self.fleet.client.place_of(key);
        let error = if is_too_large(&problem) {
            hotclub::Error::new(hotclub::ErrorKind::TooLarge, TOO_LARGE).at("memcached", verb).in_place(place)
        } else {
            problem.into_error("memcached", verb, Effect::Idempotent, &place)
        };
        crate::remote::errors::exception(self.py(), &error, self.fleet.library)
    }

    /// Django's `get_backend_timeout`: 0 never ends, below 0 ends at once, beyond 30 days is a point in time.
    fn exptime(&self, timeout: &Given<'py>) -> PyResult<i64> {
        if !self.settings.python_timeouts {
            match timeout {
                Given::Value(timeout) if timeout.is_none() => return Ok(0),
                Given::Value(timeout) if timeout.is_exact_instance_of::<PyInt>() => {
                    if let Ok(seconds) = timeout.extract::<i64>() {
                        return Ok(sent(seconds));
                    }
                }
                Given::Value(timeout) if !timeout.is(django(self.py())?.default_timeout.bind(self.py())) => {}
                _ => match self.settings.default_life {
                    Some(Life::Never) => return Ok(0),
                    Some(Life::Gone) => return Ok(-1),
                    Some(Life::For(time)) => {
                        return Ok(sent(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)));
                    }
                    None => {}
                },
            }
        }
        let name = name!(self.py(), get_backend_timeout);
        let seconds = match timeout {
            Given::Nothing => self.cache.call_method0(name)?,
            Given::Value(timeout) => self.cache.call_method1(name, (timeout,))?,
        };
        seconds.extract()
    }
}

const TOO_LARGE: &str = "the value is larger than the server takes (-I), and what it was to replace is gone";

fn is_too_large(problem: &Problem) -> bool {
    matches!(problem, Problem::Refused(text) if text.contains("too large"))
}

fn sent(seconds: i64) -> i64 {
    const MOST_RELATIVE: i64 = 30 * 86_400;
    match seconds {
        0 => -1,
        seconds if seconds > MOST_RELATIVE => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
            seconds.saturating_add(i64::try_from(now).unwrap_or(i64::MAX))
        }
        seconds => seconds,
    }
}

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
            let found = call.read(&[call.checked(&full)?])?.pop().flatten();
            found.map(|(flags, bytes)| value::load(slf.py(), flags, &bytes)).transpose()
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
            let (typed, full) = call.all(keys)?;
            let checked: Vec<_> = full.iter().map(|key| call.checked(key)).collect::<PyResult<_>>()?;
            let found = call.read(&checked)?;
            let dict = PyDict::new(py);
            for (key, found) in typed.iter().zip(found) {
                if let Some((flags, bytes)) = found {
                    dict.set_item(key, value::load(py, flags, &bytes)?)?;
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
            let pairs: Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)> = data
                .call_method0(name!(py, items))?
                .try_iter()?
                .map(|pair| pair?.extract())
                .collect::<PyResult<_>>()?;
            let exptime = if pairs.is_empty() { 0 } else { call.exptime(&timeout)? };
            let mut dumped = Vec::with_capacity(pairs.len());
            for (key, value) in &pairs {
                let mut bytes = Vec::new();
                let full = call.key(key)?;
                let flags = value::dump(value, call.fleet.writer, &mut bytes)?;
                dumped.push((full, flags, bytes));
            }
            let mut items = Vec::with_capacity(dumped.len());
            for (key, flags, bytes) in &dumped {
                items.push(Item {
                    key: call.checked(key)?,
                    value: bytes,
                    store: Store::new(*flags, exptime),
                });
            }
            let stored = call.ask(&Write { name: "set_many", items: &items, absent: call.absent() })?;
            let failed = PyList::empty(py);
            for ((key, _), stored) in pairs.iter().zip(stored) {
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
            let (_, full) = call.all(keys)?;
            let checked: Vec<_> = full.iter().map(|key| call.checked(key)).collect::<PyResult<_>>()?;
            call.ask(&Delete { keys: &checked, cas: None })
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

impl<'py> Call<'_, 'py> {
    /// Keys as the caller typed them, and their full ones.
    fn all(&self, keys: &Bound<'py, PyAny>) -> PyResult<(Vec<Bound<'py, PyAny>>, Vec<String>)> {
        let typed: Vec<_> = keys.try_iter()?.collect::<PyResult<_>>()?;
        let full = typed.iter().map(|key| self.key(key)).collect::<PyResult<_>>()?;
        Ok((typed, full))
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
