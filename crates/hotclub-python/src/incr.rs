//! `incr` on anything that Python can add to: one atomic step for numbers, compare-and-set for the rest.
use crate::held::Held;
use crate::life::Given;
use hotclub::backend::memory::{Change, Store};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyInt;

/// A sum computed in Python is stored only over the value it was computed from; this many tries.
const TRIES: usize = 1000;

enum Saw {
    Added(i64),
    Other(Held),
}

/// The new value, or `None` if there is no entry. The entry keeps its deadline.
pub(crate) fn incr<'py>(
    cache: &Bound<'py, PyAny>,
    store: &Store<Held>,
    key: &[u8],
    delta: &Given<'py>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = cache.py();
    let small = match delta {
        Given::Nothing => Some(1),
        Given::Value(delta) if delta.is_exact_instance_of::<PyInt>() => delta.extract::<i64>().ok(),
        Given::Value(_) => None,
    };
    for _ in 0..TRIES {
        // A number in place of a number: both weigh nothing beside their entry.
        let saw = store.modify(key, |held| match (&mut *held, small) {
            (Held::Integer(number), Some(delta)) if number.checked_add(delta).is_some() => {
                *number += delta;
                (true, Saw::Added(*number))
            }
            _ => (false, Saw::Other(held.clone_ref(py))),
        });
        let old = match saw {
            None => return Ok(None),
            Some(Saw::Added(sum)) => return Ok(Some(sum.into_pyobject(py)?.into_any())),
            Some(Saw::Other(old)) => old,
        };
        let number = old.clone_ref(py).into_python(py)?;
        let sum = match delta {
            Given::Nothing => number.add(1)?,
            Given::Value(delta) => number.add(delta)?,
        };
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
