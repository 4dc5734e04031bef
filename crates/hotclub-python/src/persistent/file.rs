//! Files for Django: pickles, as its own class has them.
use super::PersistentCache;
use super::call::exception;
use super::store::{Added, Item, Kept, Persistent, Write};
use crate::cache::Cache;
use crate::remote::pickled;
use hotclub::backend::file::{self, FileConfig, Found, Problem, Store};
use hotclub::codec::pickle;
use hotclub::{Error, ErrorKind, Flags, Life, Result, Stats};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::path::PathBuf;
use std::time::Duration;

/// The verbs that the class of files has. Made by it; of no use alone.
#[pyclass(extends = PersistentCache, subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct Files;

#[pymethods]
impl Files {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(
        _arguments: &Bound<'_, PyTuple>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Cache::bare()).add_subclass(PersistentCache).add_subclass(Files)
    }

    /// Puts this object before a directory. Raises ValueError, in words, for what cannot be followed.
    fn _open_files(
        slf: &Bound<'_, Self>,
        path: PathBuf,
        max_bytes: Option<u64>,
        level: u32,
        lock_limit: f64,
    ) -> PyResult<()> {
        let mut config = FileConfig::new(path);
        (config.max_bytes, config.level) = (max_bytes, level);
        config.lock_limit = Duration::try_from_secs_f64(lock_limit)
            .map_err(|error| PyValueError::new_err(format!("LOCK_LIMIT: {error}")))?;
        let name = format!("{config:?}");
        PersistentCache::open(slf.as_super(), name, || Store::new(config))
    }
}

fn told(verb: &'static str) -> impl Fn(Problem) -> Error {
    move |problem| problem.into_error(verb)
}

fn kept(found: Found) -> Kept {
    let deadline = found.expiry.map(f64::to_bits);
    Kept { value: found.value, flags: Flags::PICKLE, deadline, cas: Some(found.cas) }
}

fn write(write: Write) -> file::Write {
    file::Write { life: write.life, condition: write.condition, limit: write.limit }
}

/// What objects raise while they are read comes out as it is.
#[cold]
fn is_no_pickle(py: Python<'_>, error: &PyErr) -> bool {
    let class = py.import("pickle").and_then(|pickle| pickle.getattr("UnpicklingError"));
    class.is_ok_and(|class| error.get_type(py).is(&class))
}

/// Why a value was not added to.
enum Stays {
    Other,
    Failed(Problem),
}

impl From<Problem> for Stays {
    fn from(problem: Problem) -> Self {
        Stays::Failed(problem)
    }
}

impl Persistent for Store {
    fn name(&self) -> &'static str {
        "file"
    }

    fn dump(&self, value: &Bound<'_, PyAny>, to: &mut Vec<u8>) -> PyResult<Flags> {
        pickled::dump(value, to)?;
        Ok(Flags::PICKLE)
    }

    fn load<'py>(&self, py: Python<'py>, value: &[u8], _flags: Flags) -> PyResult<Bound<'py, PyAny>> {
        pickled::load(py, value).map_err(|error| match is_no_pickle(py, &error) {
            true => {
                let what = format!("{}: Rust services write for Django with codec=django", error.value(py));
                let error = Error::new(ErrorKind::Corrupt, what).at("file", "get");
                exception(py, &error.in_place(self.config().path.display().to_string()), "file")
            }
            false => error,
        })
    }

    fn get(&self, key: &str) -> Result<Option<Kept>> {
        Ok(Store::get(self, key).map_err(told("get"))?.map(kept))
    }

    fn peek(&self, key: &str) -> Result<Option<Kept>> {
        Ok(Store::peek(self, key).map_err(told("get"))?.map(kept))
    }

    fn has(&self, key: &str) -> Result<bool> {
        Store::has(self, key).map_err(told("has_key"))
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Kept>>> {
        let get = |key: &String| Ok(Store::get(self, key).map_err(told("get_many"))?.map(kept));
        keys.iter().map(get).collect()
    }

    fn set(&self, item: &Item, how: Write) -> Result<bool> {
        Store::set(self, &item.key, &item.value, write(how)).map_err(told(how.verb()))
    }

    fn set_many(&self, items: &[Item], how: Write) -> Result<Vec<bool>> {
        let set = |item: &Item| match Store::set(self, &item.key, &item.value, write(how)) {
            // Its key is named; the others are written.
            Err(Problem::TooLarge(..)) => Ok(false),
            set => set.map_err(told("set_many")),
        };
        items.iter().map(set).collect()
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        Store::touch(self, key, life).map_err(told("touch"))
    }

    fn delete(&self, key: &str) -> Result<bool> {
        Ok(Store::delete(self, key).map_err(told("delete"))?.0)
    }

    fn delete_many(&self, keys: &[String]) -> Result<u64> {
        keys.iter().try_fold(0, |count, key| {
            Ok(count + u64::from(Store::delete(self, key).map_err(told("delete_many"))?.0))
        })
    }

    fn replace(&self, key: &str, read: &Kept, value: &[u8], _flags: Flags) -> Result<bool> {
        let expiry = read.deadline.map(f64::from_bits);
        let found = Found { value: read.value.clone(), expiry, cas: read.cas.unwrap_or(0) };
        Store::replace(self, key, &found, value).map_err(told("incr"))
    }

    fn add(&self, key: &str, delta: i64) -> Result<Added> {
        let mut sum = None;
        let changed = self.change(key, |stored| {
            let number = pickle::whole_number(&stored).and_then(|number| i64::try_from(number).ok());
            let added = number.and_then(|number| number.checked_add(delta)).ok_or(Stays::Other)?;
            sum = Some(added);
            pickle::to_vec(&added).map_err(|_| Stays::Other)
        });
        match (changed, sum) {
            (Ok(Some(())), Some(sum)) => Ok(Added::Sum(sum)),
            (Ok(_), _) => Ok(Added::Missing),
            (Err(Stays::Other), _) => Ok(Added::Other),
            (Err(Stays::Failed(problem)), _) => Err(told("incr")(problem)),
        }
    }

    fn clear(&self) -> Result<()> {
        Store::clear(self).map_err(told("clear"))
    }

    fn stats(&self) -> Result<Stats> {
        Ok(Store::stats(self))
    }

    fn too_busy(&self) -> Error {
        let config = self.config();
        Problem::Locked(config.path.clone(), config.lock_limit).into_error("incr")
    }
}
