//! The event-loop door: a socket that the running loop owns. No runtime, no thread, no wake-up per reply.
//!
//! For each loop and server there are two connections at most: everything goes over the first, and what is large
//! goes over the second, as does what would have to wait behind something large. Which protocol is spoken is the
//! matter of a [`Speech`]: the door knows how replies end, and whom they are for.
mod callbacks;
mod class;
mod link;
mod queue;
mod socket;
mod state;

use crate::names::name;
pub(crate) use callbacks::{is_done, settle};
pub(crate) use class::link_class;
use hotclub_net::fork;
use hotclub_net::{Breaker, Effect, Problem, Server, Terms};
pub(crate) use link::Core;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyClass, PyTraverseError, PyVisit};
pub(crate) use queue::Waiting;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Requests and replies beyond this go over the second connection, or send others there.
const LARGE: usize = 64 * 1024;

/// A protocol, as event loops speak it.
pub(crate) trait Speech: Sized + 'static {
    /// What all cache objects of one configuration share.
    type Wire: Send + Sync + 'static;
    type Terms: Terms;
    /// Who asks, and for what.
    type Ask: Send;
    /// The Python class of a connection; made by [`link_class`].
    type Link: PyClass<Frozen = True> + Send + Sync;

    fn doors(wire: &Self::Wire) -> &Doors<Self>;
    /// The ways to the servers of the configuration: where each leads to, and in which role.
    fn ways(wire: &Self::Wire) -> Vec<(&Server, RoleOf<Self>)>;
    /// What is said to the server of the way of this number, and how long is waited.
    fn terms(wire: &Self::Wire, number: usize) -> &Self::Terms;
    /// The role of a server that was found.
    fn found_role(wire: &Self::Wire, replica: bool) -> RoleOf<Self>;
    /// Whether the first words on a connection take code of the user's to find, which may take long.
    fn has_words_to_find(wire: &Self::Wire) -> bool;
    fn link(py: Python<'_>, core: Core<Self>) -> PyResult<Py<Self::Link>>;
    fn core(link: &Self::Link) -> &Core<Self>;
    /// The replies to a request have come.
    ///
    /// # Errors
    /// They make no sense: nothing that comes over this connection does.
    fn answer(at: At<'_, '_, Self>, waiting: Waiting<Self::Ask>, replies: &[u8]) -> Result<(), Problem>;
    /// There will be no replies, and why; `unsent`: no byte of the request was sent.
    fn give_up(at: At<'_, '_, Self>, waiting: Waiting<Self::Ask>, unsent: bool, problem: &Problem);
    /// What of a request the garbage collector should see, beside its future.
    fn visit(ask: &Self::Ask, visit: &PyVisit<'_>) -> Result<(), PyTraverseError>;
}

pub(crate) type RoleOf<S> = <<S as Speech>::Terms as Terms>::Role;
pub(crate) type SkimOf<S> = <<S as Speech>::Terms as Terms>::Skim;

/// Where something happens: a connection of a configuration.
pub(crate) struct At<'a, 'py, S: Speech> {
    pub(crate) py: Python<'py>,
    pub(crate) wire: &'a Arc<S::Wire>,
    pub(crate) core: &'a Core<S>,
}

/// What is sent in one go.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) effect: Effect,
    pub(crate) bytes: &'a [u8],
    pub(crate) replies: usize,
}

/// The connections of each event loop to the servers of one configuration.
pub(crate) struct Doors<S: Speech>(Mutex<Vec<Door<S>>>, Mutex<Breakers>);

/// What all loops of a process know of the servers: a loop that lives for one call only must not find out anew.
type Breakers = Vec<(u32, Server, Arc<Breaker>)>;

impl<S: Speech> Default for Doors<S> {
    fn default() -> Self {
        Doors(Mutex::default(), Mutex::default())
    }
}

struct Door<S: Speech> {
    loop_: Py<PyWeakrefReference>,
    generation: u32,
    /// The ways of the configuration, in its order.
    links: Vec<Pair<S>>,
    /// Servers that were found, and whether they are read from as replicas.
    found: HashMap<(Server, bool), Pair<S>>,
}

/// The first connection, and the one for what is large.
pub(crate) struct Pair<S: Speech>(Py<S::Link>, Py<S::Link>);

impl<S: Speech> Pair<S> {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        Pair(self.0.clone_ref(py), self.1.clone_ref(py))
    }

    fn new(
        wire: &Arc<S::Wire>,
        loop_: &Bound<'_, PyWeakrefReference>,
        number: usize,
        server: &Server,
        role: RoleOf<S>,
        found: bool,
    ) -> PyResult<Self> {
        let link = || {
            let core = Core::new(wire, loop_.clone().unbind(), number, server.clone(), role, found);
            S::link(loop_.py(), core)
        };
        Ok(Pair(link()?, link()?))
    }

    /// The connection for a request of so many bytes.
    #[inline]
    pub(crate) fn for_bytes<'py>(&self, py: Python<'py>, bytes: usize) -> &Bound<'py, S::Link> {
        let (first, second) = (self.0.bind(py), self.1.bind(py));
        let is_held_up = |link: &Bound<'_, S::Link>| S::core(link.get()).is_held_up();
        if bytes > LARGE || (is_held_up(first) && !is_held_up(second)) { second } else { first }
    }
}

/// Which server is asked.
pub(crate) enum Way {
    /// The one of this number in the configuration.
    Known(usize),
    /// One that was found, as a replica or not.
    Found(Server, bool),
}

impl<S: Speech> Doors<S> {
    fn breaker(&self, server: &Server) -> Arc<Breaker> {
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
        let open = |link: &Py<S::Link>| usize::from(S::core(link.get()).is_open());
        pairs.map(|Pair(first, second)| open(first) + open(second)).sum()
    }
}

/// Has a thread of the running loop do something; a future brings what comes of it.
pub(crate) fn in_a_thread<'py>(
    py: Python<'py>,
    work: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    work_of(&running_loop(py)?, work)
}

/// The same for this loop.
pub(crate) fn work_of<'py>(
    loop_: &Bound<'py, PyAny>,
    work: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let py = loop_.py();
    let job = hotclub_net::locks::Mutex::new(Some(work));
    let work = move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<Py<PyAny>> {
        let work = job.lock().take();
        let work = work.ok_or_else(|| PyRuntimeError::new_err("a request is sent once"))?;
        work(arguments.py())
    };
    let work = PyCFunction::new_closure(py, None, None, work)?;
    loop_.call_method1(name!(py, run_in_executor), (py.None(), work))
}

/// A future that is done.
pub(crate) fn answered<'py>(py: Python<'py>, answer: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let future = new_future(&running_loop(py)?)?;
    future.call_method1(name!(py, set_result), (answer,))?;
    Ok(future)
}

/// The connections of this loop to a server.
#[inline]
pub(crate) fn links<S: Speech>(
    wire: &Arc<S::Wire>,
    running: &Bound<'_, PyAny>,
    way: &Way,
) -> PyResult<Pair<S>> {
    let py = running.py();
    let generation = fork::generation();
    {
        // Short: a look at a list of mostly one. Nothing in here runs Python code.
        let doors = S::doors(wire).0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let ours = |door: &&Door<S>| door.generation == generation && door.is_of(running);
        let pair = doors.iter().find(ours).and_then(|door| match way {
            Way::Known(number) => door.links.get(*number),
            Way::Found(server, replica) => door.found.get(&(server.clone(), *replica)),
        });
        if let Some(pair) = pair {
            return Ok(pair.clone_ref(py));
        }
    }
    open(wire, running, way)
}

impl<S: Speech> Door<S> {
    fn is_of(&self, running: &Bound<'_, PyAny>) -> bool {
        self.loop_.bind(running.py()).upgrade().is_some_and(|loop_| loop_.is(running))
    }
}

/// Makes what a loop has not yet: its door, or the connections to a server that was found.
#[cold]
fn open<S: Speech>(wire: &Arc<S::Wire>, running: &Bound<'_, PyAny>, way: &Way) -> PyResult<Pair<S>> {
    let py = running.py();
    let loop_ = weakly::<S>(wire, running)?;
    let (mut links, mut found) = (Vec::new(), HashMap::new());
    match way {
        Way::Known(_) => {
            for (number, (server, role)) in S::ways(wire).into_iter().enumerate() {
                links.push(Pair::new(wire, &loop_, number, server, role, false)?);
            }
        }
        Way::Found(server, replica) => {
            let pair = Pair::new(wire, &loop_, 0, server, S::found_role(wire, *replica), true)?;
            found.insert((server.clone(), *replica), pair);
        }
    }
    let made = match way {
        Way::Known(number) => links[*number].clone_ref(py),
        Way::Found(server, replica) => found[&(server.clone(), *replica)].clone_ref(py),
    };
    sweep::<S>(py, wire);
    let mut doors = S::doors(wire).0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let generation = fork::generation();
    match doors.iter_mut().find(|door| door.generation == generation && door.is_of(running)) {
        Some(door) => {
            door.found.extend(found);
            if door.links.is_empty() {
                door.links = links;
            }
        }
        None => doors.push(Door { loop_: loop_.unbind(), generation, links, found }),
    }
    Ok(made)
}

/// A weak reference to a loop that has the door swept out when the loop is gone.
fn weakly<'py, S: Speech>(
    wire: &Arc<S::Wire>,
    running: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyWeakrefReference>> {
    let py = running.py();
    let wire = Arc::downgrade(wire);
    let forget = move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
        if let Some(wire) = wire.upgrade() {
            sweep::<S>(arguments.py(), &wire);
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
fn sweep<S: Speech>(py: Python<'_>, wire: &S::Wire) {
    let list = || S::doors(wire).0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let foreign: Vec<Door<S>> = list().extract_if(.., |door| door.generation != fork::generation()).collect();
    std::mem::forget(foreign);
    let mut loops: Vec<_> = list().iter().map(|door| door.loop_.clone_ref(py)).collect();
    loops.retain(|loop_| is_over(loop_.bind(py)));
    let gone: Vec<Door<S>> =
        list().extract_if(.., |door| loops.iter().any(|over| over.is(&door.loop_))).collect();
    drop(gone);
}

/// Whether a loop is gone or closed.
pub(crate) fn is_over(loop_: &Bound<'_, PyWeakrefReference>) -> bool {
    let Some(loop_) = loop_.upgrade() else { return true };
    let closed = loop_.call_method0(name!(loop_.py(), is_closed));
    closed.is_ok_and(|closed| closed.is_truthy().unwrap_or(false))
}

/// Finds what is needed later; see `wire::warm`.
pub(crate) fn warm(py: Python<'_>) -> PyResult<()> {
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
pub(crate) fn running_loop<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
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
pub(crate) fn new_future<'py>(loop_: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
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
