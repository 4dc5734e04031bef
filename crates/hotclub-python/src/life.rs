//! Timeouts as Django means them.
use crate::names::name;
use crate::settings::{Settings, django};
use hotclub::Life;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyFloat, PyInt};
use std::convert::Infallible;
use std::time::Duration;

/// An argument that may be left out, where `None` is a value of its own.
pub(crate) enum Given<'py> {
    Nothing,
    Value(Bound<'py, PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Given<'py> {
    type Error = Infallible;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Given::Value(object.to_owned()))
    }
}

/// The life that a timeout asks for: Django's `get_backend_timeout`, for a store with relative deadlines.
///
/// What Django's addition raises for a timeout that is no number is raised here too.
#[inline]
pub(crate) fn life(cache: &Bound<'_, PyAny>, settings: &Settings, timeout: &Given<'_>) -> PyResult<Life> {
    if settings.python_timeouts {
        return by_python(cache, timeout);
    }
    match timeout {
        Given::Nothing => default(cache, settings),
        Given::Value(timeout) => {
            if timeout.is_none() {
                return Ok(Life::Never);
            }
            if timeout.is_exact_instance_of::<PyInt>()
                && let Ok(seconds) = timeout.extract::<i64>()
            {
                return Ok(whole_seconds(seconds));
            }
            if let Ok(seconds) = timeout.cast_exact::<PyFloat>() {
                return Ok(fraction(seconds.value()));
            }
            if timeout.is(django(cache.py())?.default_timeout.bind(cache.py())) {
                return default(cache, settings);
            }
            other(timeout)
        }
    }
}

fn default(cache: &Bound<'_, PyAny>, settings: &Settings) -> PyResult<Life> {
    match settings.default_life {
        Some(life) => Ok(life),
        None => other(&cache.getattr(name!(cache.py(), default_timeout))?),
    }
}

/// The life that the attribute `default_timeout` means; `None` if it is neither `None` nor a plain number.
pub(crate) fn of_default(timeout: &Bound<'_, PyAny>) -> Option<Life> {
    if timeout.is_none() {
        return Some(Life::Never);
    }
    if let Ok(seconds) = timeout.cast_exact::<PyFloat>() {
        return Some(fraction(seconds.value()));
    }
    timeout
        .is_exact_instance_of::<PyInt>()
        .then(|| timeout.extract::<i64>().ok())
        .flatten()
        .map(whole_seconds)
}

fn whole_seconds(seconds: i64) -> Life {
    match u64::try_from(seconds) {
        Ok(0) | Err(_) => Life::Gone,
        Ok(seconds) => Life::For(Duration::from_secs(seconds)),
    }
}

/// Django compares `time() + timeout <= time()`: never true of NaN and infinity.
fn fraction(seconds: f64) -> Life {
    if seconds <= 0.0 {
        return Life::Gone;
    }
    Duration::try_from_secs_f64(seconds).map_or(Life::Never, Life::For)
}

fn now<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    static TIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    TIME.import(py, "time", "time")?.call0()
}

/// Anything else that can be added to a time: large ints, bools, fractions, numpy's numbers.
#[cold]
fn other(timeout: &Bound<'_, PyAny>) -> PyResult<Life> {
    if timeout.eq(0)? {
        return Ok(Life::Gone);
    }
    let now = now(timeout.py())?;
    let end = now.add(timeout)?.extract::<f64>()?;
    Ok(fraction(end - now.extract::<f64>()?))
}

/// `get_backend_timeout` is overridden: it gives the time at which the entry ends, or `None`.
#[cold]
fn by_python(cache: &Bound<'_, PyAny>, timeout: &Given<'_>) -> PyResult<Life> {
    let py = cache.py();
    let name = name!(py, get_backend_timeout);
    let end = match timeout {
        Given::Nothing => cache.call_method0(name)?,
        Given::Value(timeout) => cache.call_method1(name, (timeout,))?,
    };
    if end.is_none() {
        return Ok(Life::Never);
    }
    Ok(fraction(end.extract::<f64>()? - now(py)?.extract::<f64>()?))
}
