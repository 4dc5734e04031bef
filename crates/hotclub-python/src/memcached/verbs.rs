//! Each verb once: what is asked, and what the answer is to the caller. `carry.rs` takes it through a door.
use super::call::{Call, Keys, each_pair};
use super::carry::{Door, carry};
use super::collect::{Collect, Collected};
use super::fleet::Fleet;
use super::speech::{Clearing, start};
use super::{Object, value};
use crate::codec::sized_dict;
use crate::door::in_a_thread;
use crate::life::Given;
use hotclub::remote::IntoError;
use hotclub_memcached::reply::Tokens;
use hotclub_memcached::request::{Get, Mode, Remove, Store};
use hotclub_memcached::verb::{Count, Delete, Item, Read, Touch, Write};
use hotclub_memcached::{AbsentNodes, Effect, Key, Problem, Stored};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyList};
use std::ops::Range;

/// The server's usual limit, less by more than a key and what is noted beside it.
const NEARLY_MOST_VALUE: usize = (1 << 20) - 1024;
const TOO_LARGE: &str = "the value is larger than the server takes (-I), and what it was to replace is gone";

fn truth(py: Python<'_>, value: bool) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyBool::new(py, value).to_owned().into_any())
}

fn none(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(py.None().into_bound(py))
}

impl Fleet {
    /// Counts hits and misses; how many hits.
    fn counted(&self, found: &Collected) -> usize {
        let hits = found.spans.iter().flatten().count();
        self.count(hits, found.spans.len() - hits);
        hits
    }

    #[cold]
    fn refused(&self, py: Python<'_>, verb: &'static str, problem: Problem, key: &str) -> PyErr {
        let place = Key::new(key).map(|key| self.client.place_of(&key)).unwrap_or_default();
        let is_too_large = matches!(&problem, Problem::Refused(text) if text.contains("too large"));
        let error = if is_too_large {
            hotclub::Error::new(hotclub::ErrorKind::TooLarge, TOO_LARGE).at("memcached", verb).in_place(place)
        } else {
            problem.into_error("memcached", verb, Effect::Idempotent, &place)
        };
        crate::remote::errors::exception(py, &error, self.library)
    }
}

impl<'py> Call<'_, 'py> {
    #[inline]
    pub(super) fn get(&self, door: Door, key: &Bound<'py, PyAny>, default: Option<Py<PyAny>>) -> Object<'py> {
        let full = self.key(key)?;
        let keys = [self.checked(&full)?];
        let collect = Collect { keys: keys[..].into(), absent: self.absent() };
        carry(self, door, collect, |py, fleet, found| {
            fleet.counted(&found);
            match (found.get(0), default) {
                (Some((flags, bytes)), _) => value::load(py, flags, bytes),
                (None, Some(default)) => Ok(default.into_bound(py)),
                (None, None) => none(py),
            }
        })
    }

    /// Whether it was stored, as `add` says it, or if that is to be `told`.
    #[expect(clippy::too_many_arguments, reason = "what both verbs are given, and how they differ")]
    pub(super) fn write(
        &self,
        door: Door,
        verb: &'static str,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: &Given<'py>,
        mode: Mode,
        told: bool,
    ) -> Object<'py> {
        let full = self.key(key)?;
        let mut bytes = Vec::new();
        let flags = value::dump(value, self.fleet.writer, &mut bytes)?;
        let store = Store::new(flags, self.exptime(timeout)?).mode(mode);
        let key = self.checked(&full)?;
        let size = bytes.len();
        let write = Write {
            name: verb,
            items: vec![Item { key, value: bytes.into(), store }].into(),
            absent: self.absent(),
        };
        // A server drops the entry that a value too large was meant for, though the value was only to be added.
        if mode == Mode::Add && size >= NEARLY_MOST_VALUE {
            return self.add_large(door, &full, write);
        }
        let named = full.clone();
        carry(self, door, write, move |py, fleet, mut stored| {
            let stored = stored.pop().unwrap_or(Ok(Stored::Absent));
            let stored = stored.map_err(|problem| fleet.refused(py, verb, problem, &named))?;
            if told || mode == Mode::Add { truth(py, stored == Stored::Yes) } else { none(py) }
        })
    }

    /// Looks first whether there is an entry. Rare, and so done in a thread of an event loop.
    #[cold]
    fn add_large(&self, door: Door, full: &str, write: Write<'_>) -> Object<'py> {
        let (fleet, full, write) = (self.fleet.clone(), full.to_owned(), write.into_owned());
        let work = move |py: Python<'_>| {
            let there = {
                let keys = [Key::new(&*full).map_err(|bad| fleet.bad_key(py, &full, bad))?];
                let collect = Collect { keys: keys[..].into(), absent: AbsentNodes::Raise };
                let found = py.detach(|| fleet.client.ask(&collect));
                found.map_err(|error| fleet.exception(py, error))?.get(0).is_some()
            };
            if there {
                return Ok(truth(py, false)?.unbind());
            }
            let stored =
                py.detach(|| fleet.client.ask(&write)).map_err(|error| fleet.exception(py, error))?;
            let stored = stored.into_iter().next().unwrap_or(Ok(Stored::Absent));
            let stored = stored.map_err(|problem| fleet.refused(py, "add", problem, &full))?;
            Ok(truth(py, stored == Stored::Yes)?.unbind())
        };
        match door {
            Door::Blocking => work(self.py()).map(|added| added.into_bound(self.py())),
            Door::Loop => in_a_thread(self.py(), work),
        }
    }

    pub(super) fn touch(&self, door: Door, key: &Bound<'py, PyAny>, timeout: &Given<'py>) -> Object<'py> {
        let full = self.key(key)?;
        let touch = Touch { key: self.checked(&full)?, exptime: self.exptime(timeout)? };
        carry(self, door, touch, |py, _, was| truth(py, was))
    }

    pub(super) fn delete(&self, door: Door, key: &Bound<'py, PyAny>) -> Object<'py> {
        let full = self.key(key)?;
        let keys = [self.checked(&full)?];
        let delete = Delete { keys: keys[..].into(), remove: Remove::default() };
        carry(self, door, delete, |py, _, count| truth(py, count > 0))
    }

    pub(super) fn has_key(&self, door: Door, key: &Bound<'py, PyAny>) -> Object<'py> {
        let full = self.key(key)?;
        let keys = [self.checked(&full)?];
        let found: fn(&[u8], Tokens<'_>) -> Result<(), Problem> = |_, _| Ok(());
        let get = Get::default().without_value();
        let read = Read { keys: keys[..].into(), get, absent: self.absent(), found };
        carry(self, door, read, |py, _, found| truth(py, found.first().is_some_and(Option::is_some)))
    }

    pub(super) fn incr(&self, door: Door, key: &Bound<'py, PyAny>, delta: i128) -> Object<'py> {
        let full = self.key(key)?;
        let too_far = |_| PyValueError::new_err(format!("{delta} does not fit into 64 bits"));
        let amount = u64::try_from(delta.unsigned_abs()).map_err(too_far)?;
        let count = Count { key: self.checked(&full)?, delta: amount, down: delta < 0 };
        let named = full.clone();
        carry(self, door, count, move |py, _, sum| match sum {
            Some(sum) => sum.into_bound_py_any(py),
            None => Err(PyValueError::new_err(format!("Key '{named}' not found"))),
        })
    }

    pub(super) fn get_many(&self, door: Door, keys: &Bound<'py, PyAny>) -> Object<'py> {
        let Keys { typed, full, ends } = self.all(keys)?;
        let checked = self.checked_all(&full, &ends)?;
        let collect = Collect { keys: checked.into(), absent: self.absent() };
        carry(self, door, collect, |py, fleet, found| {
            let dict = sized_dict(py, fleet.counted(&found))?;
            for (place, key) in typed.into_iter().enumerate() {
                if let Some((flags, bytes)) = found.get(place) {
                    dict.set_item(key, value::load(py, flags, bytes)?)?;
                }
            }
            Ok(dict.into_any())
        })
    }

    pub(super) fn set_many(&self, door: Door, data: &Bound<'py, PyAny>, timeout: &Given<'py>) -> Object<'py> {
        let mut keys = Keys::default();
        let mut bytes = Vec::new();
        let mut values: Vec<(u32, Range<usize>)> = Vec::new();
        each_pair(data, |key, value| {
            self.push(&mut keys, key)?;
            let start = bytes.len();
            let flags = value::dump(&value, self.fleet.writer, &mut bytes)?;
            values.push((flags, start..bytes.len()));
            Ok(())
        })?;
        let exptime = if values.is_empty() { 0 } else { self.exptime(timeout)? };
        let Keys { typed, full, ends } = keys;
        let mut items = Vec::with_capacity(values.len());
        for (key, (flags, span)) in self.checked_all(&full, &ends)?.into_iter().zip(values) {
            items.push(Item { key, value: bytes[span].into(), store: Store::new(flags, exptime) });
        }
        let write = Write { name: "set_many", items: items.into(), absent: self.absent() };
        carry(self, door, write, |py, _, stored| {
            let failed = PyList::empty(py);
            for (key, stored) in typed.into_iter().zip(stored) {
                if !matches!(stored, Ok(Stored::Yes)) {
                    failed.append(key)?;
                }
            }
            Ok(failed.into_any())
        })
    }

    /// How many there were; Django's verb does not tell.
    pub(super) fn delete_many(&self, door: Door, keys: &Bound<'py, PyAny>, counted: bool) -> Object<'py> {
        let Keys { full, ends, .. } = self.all(keys)?;
        let keys = self.checked_all(&full, &ends)?;
        let delete = Delete { keys: keys.into(), remove: Remove::default() };
        carry(
            self,
            door,
            delete,
            move |py, _, count| {
                if counted { count.into_bound_py_any(py) } else { none(py) }
            },
        )
    }

    pub(super) fn clear(&self, door: Door) -> Object<'py> {
        let (py, fleet) = (self.py(), self.fleet);
        match door {
            Door::Blocking => {
                let flushed = py.detach(|| fleet.client.flush_all());
                flushed.map_err(|error| fleet.exception(py, error))?;
                none(py)
            }
            Door::Loop => start(py, fleet, || Box::new(Clearing::new(&fleet.client))),
        }
    }
}
