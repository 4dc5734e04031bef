//! The embedded store for Django: whole numbers as digits, text and bytes as they are, everything else pickled; the
//! flags beside a value say which.
use super::store::{Added, Item, Kept, Persistent, Write};
use super::{Door, PersistentCache};
use crate::cache::Cache;
use crate::remote::pickled;
use hotclub::backend::database::sqlite::{self, Found, SqliteConfig, Store};
use hotclub::{Error, ErrorKind, Flags, Life, Result, Stats};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use std::path::PathBuf;
use std::time::Duration;

/// The verbs that the class of the embedded store has. Made by it; of no use alone.
#[pyclass(extends = PersistentCache, subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct Sqlite;

#[pymethods]
impl Sqlite {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(
        _arguments: &Bound<'_, PyTuple>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Cache::bare()).add_subclass(PersistentCache).add_subclass(Sqlite)
    }

    /// Puts this object before a file. Raises ValueError, in words, for what cannot be followed.
    fn _open_sqlite(
        slf: &Bound<'_, Self>,
        path: PathBuf,
        max_bytes: u64,
        eviction: &str,
        synchronous: &str,
        lock_limit: f64,
    ) -> PyResult<()> {
        let wrong = |error: Error| PyValueError::new_err(error.message().to_owned());
        let mut config = SqliteConfig::new(path);
        config.max_bytes = max_bytes;
        config.eviction = eviction.parse().map_err(wrong)?;
        config.synchronous = synchronous.parse().map_err(wrong)?;
        config.lock_limit = Duration::try_from_secs_f64(lock_limit)
            .map_err(|error| PyValueError::new_err(format!("LOCK_LIMIT: {error}")))?;
        let name = format!("{config:?}");
        PersistentCache::open(slf.as_super(), name, || Store::new(config))
    }

    /// Remove every entry whose time is over; how many.
    fn expire<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Blocking, Store::expire, |py, count| count.into_bound_py_any(py))
    }

    fn _aexpire<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Loop, Store::expire, |py, count| count.into_bound_py_any(py))
    }

    /// Look through the whole file; what is wrong with it, in words. An empty list: nothing is.
    fn check<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Blocking, Store::check, lines)
    }

    fn _acheck<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Loop, Store::check, lines)
    }

    /// Mend what `check` finds; what was done, in words. A damaged file is set aside, and an empty one takes its place.
    fn repair<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Blocking, Store::repair, lines)
    }

    fn _arepair<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Loop, Store::repair, lines)
    }

    /// Give the space of what was removed back to the file system. Nobody else can write meanwhile.
    fn compact<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Blocking, Store::compact, |py, ()| Ok(py.None().into_bound(py)))
    }

    fn _acompact<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        upkeep(slf, Door::Loop, Store::compact, |py, ()| Ok(py.None().into_bound(py)))
    }

    /// Bytes that the file and its log have on the disk.
    fn volume(slf: &Bound<'_, Self>) -> PyResult<u64> {
        let store = PersistentCache::store::<Store>(slf.as_super())?;
        Ok(slf.py().detach(|| store.volume()))
    }
}

fn upkeep<'py, T: Send + 'static>(
    slf: &Bound<'py, Sqlite>,
    door: Door,
    work: fn(&Store) -> Result<T>,
    finish: fn(Python<'_>, T) -> PyResult<Bound<'_, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let store = PersistentCache::store::<Store>(slf.as_super())?;
    door.carry(slf.py(), move || work(&store), "sqlite", finish)
}

fn lines(py: Python<'_>, lines: Vec<String>) -> PyResult<Bound<'_, PyAny>> {
    Ok(PyList::new(py, lines)?.into_any())
}

fn kept(found: Found) -> Kept {
    Kept { value: found.value, flags: found.flags, deadline: found.deadline, cas: found.cas }
}

fn write(write: Write) -> sqlite::Write {
    sqlite::Write { life: write.life, condition: write.condition, limit: write.limit }
}

#[cold]
fn corrupt(store: &Store, py: Python<'_>, what: &str) -> PyErr {
    let error = Error::new(ErrorKind::Corrupt, what).at("sqlite", "get");
    let place = store.config().path.display().to_string();
    crate::remote::errors::exception(py, &error.in_place(place), "sqlite")
}

impl Persistent for Store {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn dump(&self, value: &Bound<'_, PyAny>, to: &mut Vec<u8>) -> PyResult<Flags> {
        if let Ok(number) = value.cast_exact::<PyInt>()
            && let Ok(number) = number.extract::<i64>()
        {
            to.extend_from_slice(number.to_string().as_bytes());
            return Ok(Flags::INTEGER);
        }
        if let Ok(text) = value.cast_exact::<PyString>()
            && let Ok(text) = text.to_str()
        {
            to.extend_from_slice(text.as_bytes());
            return Ok(Flags::TEXT);
        }
        if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            to.extend_from_slice(bytes.as_bytes());
            return Ok(Flags::RAW);
        }
        pickled::dump(value, to)?;
        Ok(Flags::PICKLE)
    }

    fn load<'py>(&self, py: Python<'py>, value: &[u8], flags: Flags) -> PyResult<Bound<'py, PyAny>> {
        match flags {
            Flags::RAW => Ok(PyBytes::new(py, value).into_any()),
            Flags::TEXT => {
                let text = PyString::from_bytes(py, value).map(Bound::into_any);
                text.map_err(|_| corrupt(self, py, "text that is none"))
            }
            Flags::PICKLE => pickled::load(py, value),
            Flags::INTEGER => {
                match std::str::from_utf8(value).ok().and_then(|digits| digits.parse::<i64>().ok()) {
                    Some(number) => number.into_bound_py_any(py),
                    None => (py.get_type::<PyInt>().call1((PyBytes::new(py, value),)))
                        .map_err(|_| corrupt(self, py, "a number that is none")),
                }
            }
            Flags(flags) => {
                let what = format!(
                    "a value with the flags {flags}: Rust services write for Django with codec=django"
                );
                Err(corrupt(self, py, &what))
            }
        }
    }

    fn get(&self, key: &str) -> Result<Option<Kept>> {
        Ok(Store::get(self, key)?.map(kept))
    }

    fn peek(&self, key: &str) -> Result<Option<Kept>> {
        Ok(Store::peek(self, key)?.map(kept))
    }

    fn has(&self, key: &str) -> Result<bool> {
        Store::has(self, key)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Kept>>> {
        Ok(Store::get_many(self, keys)?.into_iter().map(|found| found.map(kept)).collect())
    }

    fn set(&self, item: &Item, how: Write) -> Result<bool> {
        Store::set(self, &item.key, &item.value, item.flags, write(how))
    }

    fn set_many(&self, items: &[Item], how: Write) -> Result<Vec<bool>> {
        Store::set_many(self, items, write(how))
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        Store::touch(self, key, life)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        Ok(Store::delete(self, key)?.1)
    }

    fn delete_many(&self, keys: &[String]) -> Result<u64> {
        Store::delete_many(self, keys)
    }

    fn replace(&self, key: &str, read: &Kept, value: &[u8], flags: Flags) -> Result<bool> {
        let (value_read, deadline) = (read.value.clone(), read.deadline);
        let found = Found { value: value_read, flags: read.flags, deadline, cas: read.cas };
        Store::replace(self, key, &found, value, flags)
    }

    fn add(&self, key: &str, delta: i64) -> Result<Added> {
        let mut sum = None;
        let changed = self.change(key, |found| -> std::result::Result<_, ()> {
            let number = std::str::from_utf8(&found.value).ok().and_then(|digits| digits.parse::<i64>().ok());
            let number = number.filter(|_| found.flags == Flags::INTEGER).ok_or(())?;
            let added = number.checked_add(delta).ok_or(())?;
            sum = Some(added);
            Ok((added.to_string().into_bytes(), Flags::INTEGER))
        });
        Ok(match (changed?, sum) {
            (Ok(true), Some(sum)) => Added::Sum(sum),
            (Ok(_), _) => Added::Missing,
            (Err(()), _) => Added::Other,
        })
    }

    fn clear(&self) -> Result<()> {
        Store::clear(self, None)
    }

    fn stats(&self) -> Result<Stats> {
        Store::stats(self)
    }

    fn too_busy(&self) -> Error {
        let what = "others wrote the same entry again and again";
        Error::new(ErrorKind::Timeout, what)
            .at("sqlite", "incr")
            .in_place(self.config().path.display().to_string())
    }
}
