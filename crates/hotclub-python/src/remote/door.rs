//! The event-loop door: a socket that the running loop owns. No runtime, no thread, no wake-up per reply.
//!
//! For each loop and server there are two connections at most: everything goes over the first, and what is large
//! goes over the second, as does what would have to wait behind something large.
mod callbacks;
mod link;
mod queue;
mod socket;
mod state;
mod threaded;

use super::want::Want;
use super::wire::Wire;
use crate::names::name;
use hotclub::backend::redis::batch::Batch;
use hotclub::backend::redis::breaker::Breaker;
use hotclub::backend::redis::client::choose;
use hotclub::backend::redis::config::Layout;
use hotclub::backend::redis::handshake::Role;
use hotclub::backend::redis::server::Server;
use hotclub::fork;
pub(crate) use link::Link;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Requests and replies beyond this go over the second connection, or send others there.
pub(crate) const LARGE: usize = 64 * 1024;

/// The connections of each event loop to the servers of one wire.
#[derive(Default)]
pub(crate) struct Doors(Mutex<Vec<Door>>, Mutex<Breakers>);

/// What all loops of a process know of the servers: a loop that lives for one call only must not find out anew.
type Breakers = Vec<(u32, Server, Arc<Breaker>)>;

struct Door {
    loop_: Py<PyWeakrefReference>,
    generation: u32,
    /// The servers of the configuration, in its order.
    links: Vec<Pair>,
    /// Servers that were found, and whether they are read from as replicas.
    found: HashMap<(Server, bool), Pair>,
}

/// The first connection, and the one for what is large.
struct Pair(Py<Link>, Py<Link>);

impl Pair {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        Pair(self.0.clone_ref(py), self.1.clone_ref(py))
    }

    fn new(
        py: Python<'_>,
        wire: &Arc<Wire>,
        loop_: &Bound<'_, PyWeakrefReference>,
        server: &Server,
        role: Role,
        found: bool,
    ) -> PyResult<Self> {
        let link = || Py::new(py, Link::new(wire, loop_.clone().unbind(), server.clone(), role, found));
        Ok(Pair(link()?, link()?))
    }
}

/// Which server is asked.
enum Way {
    /// The one of this number in the configuration.
    Known(usize),
    /// One that was found, as a replica or not.
    Found(Server, bool),
}

impl Doors {
    pub(super) fn breaker(&self, server: &Server) -> Arc<Breaker> {
        // Short, and held with the GIL, so that no fork copies it while it is.
        let mut breakers = self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let generation = fork::generation();
        let ours = |(made, of, _): &&(u32, Server, Arc<Breaker>)| *made == generation && of == server;
        if let Some((_, _, breaker)) = breakers.iter().find(ours) {
            return breaker.clone();
        }
        let breaker = Arc::new(Breaker::default());
        breakers.push((generation, server.clone(), breaker.clone()));
        breaker
    }

    /// How many sockets event loops have open.
    pub(crate) fn connections(&self) -> usize {
        let doors = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let doors = doors.iter().filter(|door| door.generation == fork::generation());
        let pairs = doors.flat_map(|door| door.links.iter().chain(door.found.values()));
        let open = |link: &Py<Link>| usize::from(link.get().is_open());
        pairs.map(|Pair(first, second)| open(first) + open(second)).sum()
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
    let config = wire.client.config();
    let way = if config.layout == Layout::Servers {
        Way::Known(choose(config.servers.len(), batch.effect(), config.read_from))
    } else {
        match wire.client.route(batch) {
            Some((server, replica)) => Way::Found(server, replica),
            None => return threaded::ask(&running, wire, batch.clone(), want),
        }
    };
    let Pair(first, second) = links(py, wire, &running, &way)?;
    let (first, second) = (first.bind(py), second.bind(py));
    let aside = batch.bytes().len() > LARGE || (first.get().is_held_up() && !second.get().is_held_up());
    Link::ask(if aside { second } else { first }, &running, wire, batch, want)
}

/// Has a thread of the running loop do something; a future brings what comes of it.
pub(crate) fn in_a_thread<'py>(
    py: Python<'py>,
    work: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    threaded::run(&running_loop(py)?, work)
}

/// A future that is done.
pub(crate) fn answered<'py>(py: Python<'py>, answer: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let future = new_future(&running_loop(py)?)?;
    future.call_method1(name!(py, set_result), (answer,))?;
    Ok(future)
}

fn links(py: Python<'_>, wire: &Arc<Wire>, running: &Bound<'_, PyAny>, way: &Way) -> PyResult<Pair> {
    let generation = fork::generation();
    {
        // Short: a look at a list of mostly one. Nothing in here runs Python code.
        let doors = wire.doors.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let ours = |door: &&Door| door.generation == generation && door.is_of(running);
        let pair = doors.iter().find(ours).and_then(|door| match way {
            Way::Known(number) => door.links.get(*number),
            Way::Found(server, replica) => door.found.get(&(server.clone(), *replica)),
        });
        if let Some(pair) = pair {
            return Ok(pair.clone_ref(py));
        }
    }
    open(py, wire, running, way)
}

impl Door {
    fn is_of(&self, running: &Bound<'_, PyAny>) -> bool {
        self.loop_.bind(running.py()).upgrade().is_some_and(|loop_| loop_.is(running))
    }
}

/// Makes what a loop has not yet: its door, or the connections to a server that was found.
#[cold]
fn open(py: Python<'_>, wire: &Arc<Wire>, running: &Bound<'_, PyAny>, way: &Way) -> PyResult<Pair> {
    let loop_ = weakly(py, wire, running)?;
    let servers = wire.client.config().servers.iter().enumerate();
    let pair = |server: &Server, role, found| Pair::new(py, wire, &loop_, server, role, found);
    let (mut links, mut found) = (Vec::new(), HashMap::new());
    match way {
        Way::Known(_) => {
            for (number, server) in servers {
                links.push(pair(server, Role::Data(number), false)?);
            }
        }
        Way::Found(server, replica) => {
            let role = match (wire.client.is_clustered(), *replica) {
                (true, true) => Role::ClusterReplica,
                (false, false) => Role::Primary,
                _ => Role::Data(0),
            };
            found.insert((server.clone(), *replica), pair(server, role, true)?);
        }
    }
    let made = match way {
        Way::Known(number) => links[*number].clone_ref(py),
        Way::Found(server, replica) => found[&(server.clone(), *replica)].clone_ref(py),
    };
    sweep(py, wire);
    let mut doors = wire.doors.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let generation = fork::generation();
    match doors.iter_mut().find(|door| door.generation == generation && door.is_of(running)) {
        Some(door) => door.found.extend(found),
        None => doors.push(Door { loop_: loop_.unbind(), generation, links, found }),
    }
    Ok(made)
}

/// A weak reference to a loop that has the door swept out when the loop is gone.
fn weakly<'py>(
    py: Python<'py>,
    wire: &Arc<Wire>,
    running: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyWeakrefReference>> {
    let wire = Arc::downgrade(wire);
    let forget =
        move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, pyo3::types::PyDict>>| -> PyResult<()> {
            if let Some(wire) = wire.upgrade() {
                sweep(arguments.py(), &wire);
            }
            Ok(())
        };
    let forget = PyCFunction::new_closure(py, None, None, forget)?;
    PyWeakrefReference::new_with(running, forget)
}

/// Drops the doors of loops that are gone or closed. Those of another process are left as they are: its sockets
/// are not ours to close.
///
/// Asking a loop runs Python code, so another thread may come here meanwhile: no door leaves the list before it is
/// known to be of no use.
#[cold]
fn sweep(py: Python<'_>, wire: &Wire) {
    let list = || wire.doors.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let foreign: Vec<Door> = list().extract_if(.., |door| door.generation != fork::generation()).collect();
    std::mem::forget(foreign);
    let mut loops: Vec<_> = list().iter().map(|door| door.loop_.clone_ref(py)).collect();
    loops.retain(|loop_| is_over(loop_.bind(py)));
    let gone: Vec<Door> =
        list().extract_if(.., |door| loops.iter().any(|over| over.is(&door.loop_))).collect();
    drop(gone);
}

/// Whether a loop is gone or closed.
fn is_over(loop_: &Bound<'_, PyWeakrefReference>) -> bool {
    let Some(loop_) = loop_.upgrade() else { return true };
    let closed = loop_.call_method0(name!(loop_.py(), is_closed));
    closed.is_ok_and(|closed| closed.is_truthy().unwrap_or(false))
}

/// Finds what is needed later; see `wire::warm`.
pub(super) fn warm(py: Python<'_>) -> PyResult<()> {
    get_running_loop(py)?;
    future_class(py)?;
    loop_by_name(py)?;
    callbacks::start(py).map(drop)
}

fn get_running_loop(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    RUNNING.import(py, "asyncio", "_get_running_loop")
}

fn future_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static FUTURE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    FUTURE.import(py, "asyncio", "Future")
}

/// The names of the arguments of a future.
fn loop_by_name(py: Python<'_>) -> PyResult<&Py<PyTuple>> {
    static NAMES: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    NAMES.get_or_try_init(py, || PyTuple::new(py, ["loop"]).map(Bound::unbind))
}

/// The loop that runs in this thread.
#[inline]
fn running_loop<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    let running = get_running_loop(py)?.call0()?;
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
    let py = loop_.py();
    let (class, names) = (future_class(py)?, loop_by_name(py)?);
    let arguments = [loop_.as_ptr()];
    // SAFETY: a live callable, one argument by name, and a tuple of that name; the result is a new reference
    // or null with an exception.
    unsafe {
        let made = ffi::PyObject_Vectorcall(class.as_ptr(), arguments.as_ptr(), 0, names.as_ptr());
        Bound::from_owned_ptr_or_err(py, made)
    }
}
