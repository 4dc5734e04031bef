//! The road for servers that must first be found: Sentinel and Cluster. A thread of the loop's own pool takes the
//! blocking door, which knows how to find them and where to go when they move.
//!
//! It costs a thread's hop for each call. The future, the errors and the limits are those of the other road.
use super::super::want::Want;
use super::super::wire::{Scratch, Wire};
use hotclub::backend::redis::batch::Batch;
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use std::sync::Arc;

/// Has a thread send the batch; a future brings what is wanted of the replies.
pub(super) fn ask<'py>(
    loop_: &Bound<'py, PyAny>,
    wire: &Arc<Wire>,
    batch: &Batch,
    want: Want,
) -> PyResult<Bound<'py, PyAny>> {
    let py = loop_.py();
    let wire = wire.clone();
    let job = Mutex::new(Some((batch.clone(), want)));
    let work = move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<Py<PyAny>> {
        let py = arguments.py();
        let (batch, want) =
            job.lock().take().ok_or_else(|| PyRuntimeError::new_err("a request is sent once"))?;
        let mut scratch = Scratch::take();
        let done = super::super::run::exchange(py, &wire, &batch, &mut scratch.answers, &want);
        scratch.put_back();
        done.map(Bound::unbind)
    };
    let work = PyCFunction::new_closure(py, None, None, work)?;
    loop_.call_method1(intern!(py, "run_in_executor"), (py.None(), work))
}
