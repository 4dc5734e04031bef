//! What is said to the event loop, and to those who wait.
use crate::names::name;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;
use std::time::Duration;

/// Has the loop call a method of the link at the end of this tick.
#[inline]
pub(super) fn call_soon(
    loop_: &Bound<'_, PyAny>,
    link: &Bound<'_, PyAny>,
    method: &Bound<'_, PyString>,
) -> PyResult<()> {
    let callback = link.getattr(method)?;
    loop_.call_method1(name!(loop_.py(), call_soon), (callback,)).map(drop)
}

/// Has the loop look for limits that have passed, after this time.
pub(super) fn call_later(loop_: &Bound<'_, PyAny>, link: &Bound<'_, PyAny>, time: Duration) -> PyResult<()> {
    let py = loop_.py();
    let callback = link.getattr(name!(py, _expire))?;
    loop_.call_method1(name!(py, call_later), (time.as_secs_f64(), callback)).map(drop)
}

/// Has a task of the loop connect.
#[cold]
pub(super) fn connect(link: &Bound<'_, PyAny>, loop_: &Bound<'_, PyAny>) -> PyResult<()> {
    start(link.py())?.call1((loop_, link)).map(drop)
}

pub(super) fn start(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static START: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    START.import(py, "hotclub._connect", "start")
}

/// Whether nobody waits any more.
#[inline]
pub(crate) fn is_done(future: &Bound<'_, PyAny>) -> bool {
    let done = future.call_method0(name!(future.py(), done));
    done.is_ok_and(|done| done.is_truthy().unwrap_or(true))
}

/// Gives an answer to who waits for it; nothing happens if nobody does any more.
#[inline]
pub(crate) fn settle<'py>(future: &Bound<'py, PyAny>, answer: impl FnOnce() -> PyResult<Bound<'py, PyAny>>) {
    let py = future.py();
    if is_done(future) {
        return;
    }
    let told = match answer() {
        Ok(value) => future.call_method1(name!(py, set_result), (value,)),
        Err(error) => future.call_method1(name!(py, set_exception), (error,)),
    };
    if let Err(error) = told {
        error.write_unraisable(py, Some(future));
    }
}
