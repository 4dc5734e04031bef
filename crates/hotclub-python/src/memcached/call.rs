//! What the verbs of Memcached have at hand: settings, full keys, and a fleet to ask.
use super::collect::{Collect, Collected};
use super::fleet::Fleet;
use super::{Maybe, Memcached, value};
use crate::cache::{Backend, Cache, Current};
use crate::key::{FullKey, full_key};
use crate::life::Given;
use crate::names::name;
use crate::settings::django;
use hotclub::{Life, remote::IntoError};
use hotclub_memcached::request::{Mode, Store};
use hotclub_memcached::verb::{Item, Verb, Write};
use hotclub_memcached::{AbsentNodes, Effect, Key, Problem, Stored};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a verb has at hand.
pub(super) struct Call<'a, 'py> {
    pub(super) cache: &'a Bound<'py, Cache>,
    pub(super) fleet: &'a Arc<Fleet>,
    pub(super) settings: Current,
    pub(super) version: Maybe<'a, 'py>,
}

impl<'a, 'py> Call<'a, 'py> {
    pub(super) fn new(slf: &'a Bound<'py, Memcached>, version: Maybe<'a, 'py>) -> PyResult<Self> {
        let cache = slf.as_super();
        let Backend::Memcached(fleet) = cache.get().backend()? else {
            return Err(PyRuntimeError::new_err("this cache is not one of Memcached"));
        };
        Ok(Call { cache, fleet, settings: Cache::settings(cache)?, version })
    }

    pub(super) fn py(&self) -> Python<'py> {
        self.cache.py()
    }

    /// The full key, as text.
    pub(super) fn key(&self, key: &Bound<'py, PyAny>) -> PyResult<String> {
        let mut text = String::new();
        self.push_key(key, &mut text)?;
        Ok(text)
    }

    /// Puts the full key behind what is in `to`.
    pub(super) fn push_key(&self, key: &Bound<'py, PyAny>, to: &mut String) -> PyResult<()> {
        let mut full = FullKey::new();
        full_key(self.cache, &self.settings, key, self.version, &mut full)?;
        match std::str::from_utf8(full.as_bytes()) {
            Ok(text) => {
                to.push_str(text);
                Ok(())
            }
            Err(_) => Err(self.invalid("the key has characters that are no Unicode text")),
        }
    }

    #[cold]
    pub(super) fn invalid(&self, text: &str) -> PyErr {
        let error = hotclub::Error::new(hotclub::ErrorKind::InvalidKey, text).at("memcached", "key");
        crate::remote::errors::exception(self.py(), &error, self.fleet.library)
    }

    pub(super) fn checked<'k>(&self, key: &'k str) -> PyResult<Key<'k>> {
        Key::new(key).map_err(|bad| self.invalid(&format!("{key:?}: {bad}")))
    }

    /// Asks, without the GIL.
    pub(super) fn ask<V: Verb + Sync>(&self, verb: &V) -> PyResult<V::Answer>
    where
        V::Answer: Send,
    {
        let client = &self.fleet.client;
        self.py().detach(|| client.ask(verb)).map_err(|error| self.fleet.exception(self.py(), error))
    }

    pub(super) fn absent(&self) -> AbsentNodes {
        self.fleet.client.config().absent
    }

    /// What is stored under these keys.
    pub(super) fn read(&self, keys: &[Key<'_>]) -> PyResult<Collected> {
        let found = self.ask(&Collect { keys, absent: self.absent() })?;
        let hits = found.spans.iter().flatten().count();
        self.fleet.count(hits, found.spans.len() - hits);
        Ok(found)
    }

    pub(super) fn write(
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
        // A server drops the entry that a value too large was meant for, though the value was only to be added.
        if mode == Mode::Add && bytes.len() >= NEARLY_MOST_VALUE {
            let there =
                self.ask(&Collect { keys: std::slice::from_ref(&items[0].key), absent: AbsentNodes::Raise })?;
            if there.get(0).is_some() {
                return Ok(Stored::No);
            }
        }
        let stored = self.ask(&Write { name: verb, items: &items, absent: self.absent() })?.pop();
        stored.unwrap_or(Ok(Stored::Absent)).map_err(|problem| self.refused(verb, problem, &items[0].key))
    }

    #[cold]
    pub(super) fn refused(&self, verb: &'static str, problem: Problem, key: &Key<'_>) -> PyErr {
        let place = self.fleet.client.place_of(key);
        let error = if is_too_large(&problem) {
            hotclub::Error::new(hotclub::ErrorKind::TooLarge, TOO_LARGE).at("memcached", verb).in_place(place)
        } else {
            problem.into_error("memcached", verb, Effect::Idempotent, &place)
        };
        crate::remote::errors::exception(self.py(), &error, self.fleet.library)
    }

    /// Django's `get_backend_timeout`: 0 never ends, below 0 ends at once, beyond 30 days is a point in time.
    pub(super) fn exptime(&self, timeout: &Given<'py>) -> PyResult<i64> {
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

/// The server's usual limit, less by more than a key and what is noted beside it.
const NEARLY_MOST_VALUE: usize = (1 << 20) - 1024;
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

impl<'py> Call<'_, 'py> {
    pub(super) fn all(&self, keys: &Bound<'py, PyAny>) -> PyResult<Keys<'py>> {
        let mut all = Keys::default();
        for key in keys.try_iter()? {
            self.push(&mut all, key?)?;
        }
        Ok(all)
    }

    pub(super) fn push(&self, all: &mut Keys<'py>, key: Bound<'py, PyAny>) -> PyResult<()> {
        self.push_key(&key, &mut all.full)?;
        all.ends.push(all.full.len());
        all.typed.push(key);
        Ok(())
    }

    pub(super) fn checked_all<'k>(&self, keys: &'k Keys<'py>) -> PyResult<Vec<Key<'k>>> {
        let mut start = 0;
        let key = |&end: &usize| self.checked(&keys.full[std::mem::replace(&mut start, end)..end]);
        keys.ends.iter().map(key).collect()
    }

    /// Goes through the pairs of a mapping.
    pub(super) fn each_of(
        &self,
        data: &Bound<'py, PyAny>,
        mut each: impl FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>) -> PyResult<()>,
    ) -> PyResult<()> {
        if let Ok(dict) = data.cast_exact::<PyDict>() {
            // A copy: pickling a value may run code that changes the dict.
            return dict.copy()?.iter().try_for_each(|(key, value)| each(key, value));
        }
        for pair in data.call_method0(name!(self.py(), items))?.try_iter()? {
            let (key, value) = pair?.extract()?;
            each(key, value)?;
        }
        Ok(())
    }
}

/// Keys as the caller typed them, and the full ones in one piece.
#[derive(Default)]
pub(super) struct Keys<'py> {
    pub(super) typed: Vec<Bound<'py, PyAny>>,
    pub(super) full: String,
    pub(super) ends: Vec<usize>,
}
