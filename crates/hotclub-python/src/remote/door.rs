//! The event-loop door: a socket that the running loop owns. No runtime, no thread, no wake-up per reply.
//!
//! For each loop and server there are two connections at most: everything goes over the first, and what is large
//! goes over the second, as does what would have to wait behind something large.
mod callbacks;
mod link;
mod queue;
mod socket;
mod threaded;

use super::want::Want;
use super::wire::Wire;
use hotclub::backend::redis::batch::Batch;
use hotclub::backend::redis::client::choose;
use hotclub::backend::redis::config::Layout;
use hotclub::fork;
pub(crate) use link::Link;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use std::sync::{Arc, Mutex};

/// Requests and replies beyond this go over the second connection, or send others there.
pub(crate) const LARGE: usize = 64 * 1024;

/// The connections of each event loop to the servers of one wire.
#[derive(Default)]
pub(crate) struct Doors(Mutex<Vec<Door>>);

struct Door {
    loop_: Py<PyWeakrefReference>,
    generation: u32,
    /// Two for each server.
    links: Vec<Py<Link>>,
}

impl Doors {
    /// How many sockets event loops have open.
    pub(crate) fn connections(&self) -> usize {
        let doors = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let links =
            doors.iter().filter(|door| door.generation == fork::generation()).flat_map(|door| &door.links);
        links.filter(|link| link.get().is_open()).count()
    }
}

/// Sends a batch; a future brings what is wanted of the replies.
#[inline]
pub(crate) fn ask<'py>(
    py: Python<'py>,
    wire: &Arc<Wire>,
    batch: &Batch,
    want: Want,
) -> PyResult<Bound<'py, PyAny>> {
    let running = running_loop(py)?;
    if wire.client.config().layout != Layout::Servers {
        return threaded::ask(&running, wire, batch, want);
    }
    let index = choose(wire.client.config().servers.len(), batch.effect(), wire.client.config().read_from);
    let (first, second) = links(py, wire, &running, index)?;
    let (first, second) = (first.bind(py), second.bind(py));
    let aside = batch.bytes().len() > LARGE || (first.get().is_held_up() && !second.get().is_held_up());
    Link::ask(if aside { second } else { first }, &running, wire, batch, want)
}

/// A future that is done.
pub(crate) fn answered<'py>(py: Python<'py>, answer: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let future = new_future(&running_loop(py)?)?;
    future.call_method1(intern!(py, "set_result"), (answer,))?;
    Ok(future)
}

fn links(
    py: Python<'_>,
    wire: &Arc<Wire>,
    running: &Bound<'_, PyAny>,
    server: usize,
) -> PyResult<(Py<Link>, Py<Link>)> {
    let generation = fork::generation();
    {
        // Short: a look at a list of mostly one. Nothing in here runs Python code.
        let doors = wire.doors.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let ours = |door: &&Door| {
            door.generation == generation
                && door.loop_.bind(py).upgrade().is_some_and(|loop_| loop_.is(running))
        };
        if let Some(door) = doors.iter().find(ours) {
            return Ok((door.links[2 * server].clone_ref(py), door.links[2 * server + 1].clone_ref(py)));
        }
    }
    open(py, wire, running)?;
    links(py, wire, running, server)
}

/// Makes the door of a loop that has none.
#[cold]
fn open(py: Python<'_>, wire: &Arc<Wire>, running: &Bound<'_, PyAny>) -> PyResult<()> {
    let forget = {
        let wire = Arc::downgrade(wire);
        move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, pyo3::types::PyDict>>| -> PyResult<()> {
            if let Some(wire) = wire.upgrade() {
                sweep(arguments.py(), &wire);
            }
            Ok(())
        }
    };
    let forget = PyCFunction::new_closure(py, None, None, forget)?;
    let loop_ = PyWeakrefReference::new_with(running, forget)?;
    let config = wire.client.config();
    let mut links = Vec::with_capacity(2 * config.servers.len());
    for number in 0..config.servers.len() {
        for _ in 0..2 {
            links.push(Py::new(py, Link::new(wire, loop_.clone().unbind(), number))?);
        }
    }
    let door = Door { loop_: loop_.unbind(), generation: fork::generation(), links };
    sweep(py, wire);
    wire.doors.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(door);
    Ok(())
}

/// Drops the doors of loops that are gone or closed. Those of another process are left as they are: its sockets
/// are not ours to close.
#[cold]
fn sweep(py: Python<'_>, wire: &Wire) {
    let dead = |door: &Door| {
        let Some(loop_) = door.loop_.bind(py).upgrade() else { return true };
        loop_.call_method0(intern!(py, "is_closed")).is_ok_and(|closed| closed.is_truthy().unwrap_or(false))
    };
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    let doors = std::mem::take(&mut *wire.doors.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    for door in doors {
        match () {
            () if door.generation != fork::generation() => std::mem::forget(door),
            () if dead(&door) => gone.push(door),
            () => kept.push(door),
        }
    }
    wire.doors.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).append(&mut kept);
    drop(gone);
}

/// The loop that runs in this thread.
#[inline]
fn running_loop<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let running = RUNNING.import(py, "asyncio", "_get_running_loop")?.call0()?;
    if running.is_none() {
        return Err(PyRuntimeError::new_err(
            "hotclub: an async verb of a cache was called outside of an event loop",
        ));
    }
    Ok(running)
}

/// A future of this loop.
#[inline]
fn new_future<'py>(loop_: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static FUTURE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static NAMES: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    let py = loop_.py();
    let class = FUTURE.import(py, "asyncio", "Future")?;
    let names = NAMES.get_or_try_init(py, || PyTuple::new(py, ["loop"]).map(Bound::unbind))?;
    let arguments = [loop_.as_ptr()];
    // SAFETY: a live callable, one argument by name, and a tuple of that name; the result is a new reference
    // or null with an exception.
    unsafe {
        let made = ffi::PyObject_Vectorcall(class.as_ptr(), arguments.as_ptr(), 0, names.as_ptr());
        Bound::from_owned_ptr_or_err(py, made)
    }
}
