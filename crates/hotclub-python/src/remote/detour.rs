//! The road through a thread of the loop's own pool, which takes the blocking door.
//!
//! In a cluster and behind sentinels that door knows how to find servers, and where to go when they move. What one
//! server can do goes over the loop's own socket; everything else, and what that server does not do after all,
//! goes this way. It costs a thread's hop. The future, the errors and the limits are the same.
use super::want::Want;
use super::wire::{Scratch, Wire};
use crate::door::{is_done, work_of};
use crate::names::name;
use hotclub::backend::redis::batch::Batch;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use std::sync::Arc;

/// Has a thread send the batch; a future brings what is wanted of the replies.
pub(super) fn ask<'py>(
    loop_: &Bound<'py, PyAny>,
    wire: &Arc<Wire>,
    batch: Batch,
    want: Want,
) -> PyResult<Bound<'py, PyAny>> {
    let wire = wire.clone();
    work_of(loop_, move |py| {
        let mut scratch = Scratch::take();
        let done = super::run::exchange(py, &wire, &batch, &mut scratch.answers, &want);
        scratch.put_back();
        done.map(Bound::unbind)
    })
}

/// The same for a future that somebody waits for already.
pub(super) fn instead<'py>(
    loop_: &Bound<'py, PyAny>,
    wire: &Arc<Wire>,
    batch: Batch,
    want: Want,
    future: &Bound<'py, PyAny>,
) {
    if let Err(error) = try_instead(loop_, wire, batch, want, future) {
        // The loop is closing: nobody will wait much longer.
        if let Err(error) = future.call_method1(name!(loop_.py(), set_exception), (error,)) {
            error.write_unraisable(loop_.py(), Some(future));
        }
    }
}

fn try_instead<'py>(
    loop_: &Bound<'py, PyAny>,
    wire: &Arc<Wire>,
    batch: Batch,
    want: Want,
    future: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = loop_.py();
    let work = ask(loop_, wire, batch, want)?;
    let waited_for = future.clone().unbind();
    let hand_over = move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
        let (py, work) = (arguments.py(), arguments.get_item(0)?);
        let future = waited_for.bind(py);
        if is_done(future) {
            return Ok(());
        }
        let told = match work.call_method0(name!(py, result)) {
            Ok(answer) => future.call_method1(name!(py, set_result), (answer,)),
            Err(error) => future.call_method1(name!(py, set_exception), (error,)),
        };
        told.map(drop)
    };
    let hand_over = PyCFunction::new_closure(py, None, None, hand_over)?;
    work.call_method1(name!(py, add_done_callback), (hand_over,)).map(drop)
}
