//! `incr` on anything that Python can add to: one atomic step for numbers, compare-and-set for the rest.
use crate::held::Held;
use hotclub::backend::memory::{Change, Store};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyInt;

/// A sum computed in Python is stored only over the value it was computed from; this many tries.
const TRIES: usize = 1000;

enum Saw {
    Missing,
    Added(i64),
    Other(Held),
}

/// The new value, or `None` if there is no entry. The entry keeps its deadline.
pub(crate) fn incr<'py>(
    cache: &Bound<'py, PyAny>,
    store: &Store<Held>,
    key: &[u8],
    delta: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = cache.py();
    let small = delta.is_exact_instance_of::<PyInt>().then(|| delta.extract::<i64>().ok()).flatten();
    for _ in 0..TRIES {
        let saw = store.update(key, None, |seen| match seen {
            None => (Change::Keep, Saw::Missing),
            Some(seen) => match (seen.value, small) {
                (Held::Integer(number), Some(delta)) if number.checked_add(delta).is_some() => {
                    let sum = number + delta;
                    (Change::Exchange(Held::Integer(sum)), Saw::Added(sum))
                }
                (other, _) => (Change::Keep, Saw::Other(other.clone_ref(py))),
            },
        });
        let old = match saw {
            Saw::Missing => return Ok(None),
            Saw::Added(sum) => return Ok(Some(sum.into_pyobject(py)?.into_any())),
            Saw::Other(old) => old,
        };
        let sum = old.clone_ref(py).into_python(py)?.add(delta)?;
        let new = Held::from_python(cache, &sum)?;
        let stored = store.update(key, None, |seen| match seen {
            Some(seen) if seen.value.is_same(&old) => (Change::Exchange(new), Some(true)),
            Some(_) => (Change::Keep, Some(false)),
            None => (Change::Keep, None),
        });
        match stored {
            Some(true) => return Ok(Some(sum)),
            Some(false) => {}
            None => return Ok(None),
        }
    }
    let message = format!("memory: incr failed: the entry was changed by others {TRIES} times in a row");
    Err(PyRuntimeError::new_err(message))
}
