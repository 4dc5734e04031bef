//! What the verbs of Memcached have at hand: settings, full keys, and a fleet to ask.
use super::fleet::Fleet;
use super::{Maybe, Memcached};
use crate::cache::{Backend, Cache, Current};
use crate::key::{FullKey, full_key};
use crate::life::Given;
use crate::names::name;
use crate::remote::pair;
use crate::settings::django;
use hotclub::Life;
use hotclub_memcached::verb::Verb;
use hotclub_memcached::{AbsentNodes, Key};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    fn invalid(&self, text: &str) -> PyErr {
        let error = hotclub::Error::new(hotclub::ErrorKind::InvalidKey, text).at("memcached", "key");
        crate::remote::errors::exception(self.py(), &error, self.fleet.library)
    }

    pub(super) fn checked<'k>(&self, key: &'k str) -> PyResult<Key<'k>> {
        Key::new(key).map_err(|bad| self.fleet.bad_key(self.py(), key, bad))
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

/// The server takes more seconds than these for a point in time.
const MOST_RELATIVE: i64 = 30 * 86_400;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The server reads 32 bits with a sign: what lies beyond would mean the opposite.
fn sent(seconds: i64) -> i64 {
    let seconds = match seconds {
        0 => return -1,
        seconds if seconds > MOST_RELATIVE => seconds.saturating_add(now()),
        seconds => seconds,
    };
    if seconds.unsigned_abs() < 1 << 31 { seconds } else { i64::from(seconds > 0) - 1 }
}

/// What an exptime means, for the execution table.
pub(super) fn life_of(exptime: i64) -> Life {
    let seconds = if exptime > MOST_RELATIVE { exptime - now() } else { exptime };
    match u64::try_from(seconds) {
        Ok(0) => Life::Never,
        Ok(seconds) => Life::For(Duration::from_secs(seconds)),
        Err(_) => Life::Gone,
    }
}

impl<'py> Call<'_, 'py> {
    pub(super) fn all(&self, keys: &Bound<'py, PyAny>) -> PyResult<Keys> {
        let mut all = Keys::default();
        for key in keys.try_iter()? {
            self.push(&mut all, key?)?;
        }
        Ok(all)
    }

    pub(super) fn push(&self, all: &mut Keys, key: Bound<'py, PyAny>) -> PyResult<()> {
        self.push_key(&key, &mut all.full)?;
        all.ends.push(all.full.len());
        all.typed.push(key.unbind());
        Ok(())
    }

    /// Keys out of one piece.
    pub(super) fn checked_all<'k>(&self, full: &'k str, ends: &[usize]) -> PyResult<Vec<Key<'k>>> {
        let mut start = 0;
        let key = |&end: &usize| self.checked(&full[std::mem::replace(&mut start, end)..end]);
        ends.iter().map(key).collect()
    }
}

/// Goes through the pairs of a mapping.
pub(crate) fn each_pair<'py>(
    data: &Bound<'py, PyAny>,
    mut each: impl FnMut(Bound<'py, PyAny>, Bound<'py, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    if let Ok(dict) = data.cast_exact::<PyDict>() {
        // A copy: pickling a value may run code that changes the dict.
        return dict.copy()?.iter().try_for_each(|(key, value)| each(key, value));
    }
    for item in data.call_method0(name!(data.py(), items))?.try_iter()? {
        let (key, value) = pair(item?)?;
        each(key, value)?;
    }
    Ok(())
}

/// Keys as the caller typed them, and the full ones in one piece.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) typed: Vec<Py<PyAny>>,
    pub(super) full: String,
    pub(super) ends: Vec<usize>,
}
