//! Memcached, as event loops speak it: a call goes out to its nodes round by round, and a future brings its answer.
use super::fleet::Fleet;
use crate::door::{
    At, Core, Doors, Request, Speech, Waiting, Way, is_done, link_class, links, new_future, running_loop,
    settle,
};
use hotclub_memcached::request::Batch;
use hotclub_memcached::verb::Verb;
use hotclub_memcached::{Call, Client, Error, Flush, Owed, Peer, Problem, Server, Words};
use hotclub_net::locks::Mutex;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Release};

pub(crate) struct Meta;

link_class!(MemcachedLink, Meta);

/// What goes out to nodes in rounds, and makes an object of what comes back.
pub(super) trait Trip: Send {
    /// Writes what goes out next: so many batches. 0: it is over.
    fn next_round(&mut self) -> usize;
    fn node_of(&self, at: usize) -> usize;
    fn words(&self, at: usize) -> Words;
    fn take_batch(&mut self, at: usize) -> Batch;
    /// False: the replies make no sense.
    fn take_in(&mut self, at: usize, heard: Result<&[u8], Problem>) -> bool;
    fn end<'py>(self: Box<Self>, py: Python<'py>, fleet: &Fleet) -> PyResult<Bound<'py, PyAny>>;
}

/// A verb, and what its answer is to the caller.
pub(super) struct Asking<V: Verb, F> {
    call: Call<V>,
    finish: F,
}

impl<V: Verb, F> Asking<V, F> {
    pub(super) fn new(client: &Client, verb: V, finish: F) -> Self {
        Asking { call: Call::new(client, verb), finish }
    }
}

impl<V, F> Trip for Asking<V, F>
where
    V: Verb<Answer: Send> + Send,
    F: for<'py> FnOnce(Python<'py>, &Fleet, V::Answer) -> PyResult<Bound<'py, PyAny>> + Send,
{
    fn next_round(&mut self) -> usize {
        self.call.next_round()
    }
    fn node_of(&self, at: usize) -> usize {
        self.call.node_of(at)
    }
    fn words(&self, at: usize) -> Words {
        self.call.words(at)
    }
    fn take_batch(&mut self, at: usize) -> Batch {
        self.call.take_batch(at)
    }
    fn take_in(&mut self, at: usize, heard: Result<&[u8], Problem>) -> bool {
        self.call.take_in(at, heard)
    }
    fn end<'py>(self: Box<Self>, py: Python<'py>, fleet: &Fleet) -> PyResult<Bound<'py, PyAny>> {
        let Asking { call, finish } = *self;
        let answer = call.end().map_err(|error| fleet.exception(py, error))?;
        finish(py, fleet, answer)
    }
}

/// `clear`: all nodes are flushed.
pub(super) struct Clearing {
    left: Vec<Flush>,
    under_way: Vec<Option<Flush>>,
    error: Option<Error>,
}

impl Clearing {
    pub(super) fn new(client: &Client) -> Self {
        Clearing { left: client.begin_flush(), under_way: Vec::new(), error: None }
    }
}

impl Trip for Clearing {
    fn next_round(&mut self) -> usize {
        self.under_way = std::mem::take(&mut self.left).into_iter().map(Some).collect();
        self.under_way.len()
    }
    fn node_of(&self, at: usize) -> usize {
        self.under_way[at].as_ref().map_or(0, Flush::node)
    }
    fn words(&self, _at: usize) -> Words {
        Words::Older
    }
    fn take_batch(&mut self, at: usize) -> Batch {
        self.under_way[at].as_ref().map(|flush| flush.batch().clone()).unwrap_or_default()
    }
    fn take_in(&mut self, at: usize, heard: Result<&[u8], Problem>) -> bool {
        if let Some(flush) = self.under_way[at].take()
            && let Err(error) = flush.end(heard)
        {
            self.error.get_or_insert(error);
        }
        true
    }
    fn end<'py>(self: Box<Self>, py: Python<'py>, fleet: &Fleet) -> PyResult<Bound<'py, PyAny>> {
        match self.error {
            None => Ok(py.None().into_bound(py)),
            Some(error) => Err(fleet.exception(py, error)),
        }
    }
}

/// A trip that is under way, for whom it waits.
struct Course {
    fleet: Arc<Fleet>,
    /// So many batches of this round have no answer yet.
    left: AtomicUsize,
    // Held for a moment, and never while Python code runs.
    trip: Mutex<Option<Box<dyn Trip>>>,
}

/// One batch of a trip, on its way to a node.
pub(crate) struct Errand {
    course: Arc<Course>,
    at: usize,
    /// What the node has to do first; then the batch follows.
    owed: Option<Arc<Owed>>,
}

/// Sends it out; a future brings what comes of it.
pub(super) fn start<'py>(
    py: Python<'py>,
    fleet: &Arc<Fleet>,
    trip: impl FnOnce() -> Box<dyn Trip>,
) -> PyResult<Bound<'py, PyAny>> {
    // First: a trip that is made is owed.
    let running = running_loop(py)?;
    let future = new_future(&running)?;
    let trip = trip();
    let course = Course { fleet: fleet.clone(), left: AtomicUsize::new(0), trip: Mutex::new(Some(trip)) };
    Arc::new(course).advance(&running, &future);
    Ok(future)
}

impl Course {
    /// The next round, or the end.
    fn advance(self: &Arc<Self>, loop_: &Bound<'_, PyAny>, future: &Bound<'_, PyAny>) {
        let py = loop_.py();
        if is_done(future) {
            // Cancelled: what is left of it is not asked any more.
            let trip = self.trip.lock().take();
            drop(trip);
            return;
        }
        let shares = self.trip.lock().as_mut().map(|trip| trip.next_round());
        match shares {
            None => {}
            Some(0) => {
                let trip = self.trip.lock().take();
                if let Some(trip) = trip {
                    settle(future, || trip.end(py, &self.fleet));
                }
            }
            Some(shares) => {
                self.left.store(shares, Release);
                (0..shares).for_each(|at| self.send(loop_, future, at));
            }
        }
    }

    fn send(self: &Arc<Self>, loop_: &Bound<'_, PyAny>, future: &Bound<'_, PyAny>, at: usize) {
        if let Err(problem) = self.try_send(loop_, future, at) {
            self.take_in(loop_, future, at, Err(problem));
        }
    }

    fn try_send(
        self: &Arc<Self>,
        loop_: &Bound<'_, PyAny>,
        future: &Bound<'_, PyAny>,
        at: usize,
    ) -> Result<(), Problem> {
        let (py, fleet) = (loop_.py(), &self.fleet);
        let way = self.trip.lock().as_ref().map(|trip| (trip.node_of(at), trip.words(at)));
        let Some((node, words)) = way else { return Ok(()) };
        let owed = fleet.client.owed(node).map(Arc::new);
        let words = owed.as_ref().map_or(words, |owed| owed.words());
        let way = Way::Known(way_of(node, words));
        let pair = links::<Meta>(fleet, loop_, &way).map_err(|error| no_loop(&error))?;
        let batch = match &owed {
            Some(owed) => owed.batch(),
            None => &self.trip.lock().as_mut().map(|trip| trip.take_batch(at)).unwrap_or_default(),
        };
        let link = pair.for_bytes(py, batch.bytes().len());
        link.get().0.check(fleet)?;
        let request = Request { effect: batch.effect(), bytes: batch.bytes(), replies: batch.len() };
        let errand = Errand { course: self.clone(), at, owed: owed.clone() };
        let sent = Core::<Meta>::send(link, loop_, fleet, request, future.clone().unbind(), errand);
        if let Err(error) = sent {
            // The loop is closing. The request is in the queue, and is dropped with it.
            settle(future, || Err(error));
        }
        Ok(())
    }

    /// What came back for one of its batches; false if it makes no sense.
    fn take_in(
        self: &Arc<Self>,
        loop_: &Bound<'_, PyAny>,
        future: &Bound<'_, PyAny>,
        at: usize,
        heard: Result<&[u8], Problem>,
    ) -> bool {
        let makes_sense = self.trip.lock().as_mut().is_none_or(|trip| trip.take_in(at, heard));
        if self.left.fetch_sub(1, AcqRel) == 1 {
            self.advance(loop_, future);
        }
        makes_sense
    }
}

/// Two ways a node: for newer words and for older ones.
const WORDS: [Words; 2] = [Words::Newer, Words::Older];

fn way_of(node: usize, words: Words) -> usize {
    node * WORDS.len() + usize::from(words == Words::Older)
}

fn node_of(way: usize) -> usize {
    way / WORDS.len()
}

fn no_loop(error: &PyErr) -> Problem {
    Problem::Connect(format!("the loop makes no connection: {error}"))
}

impl Speech for Meta {
    type Wire = Fleet;
    type Terms = Peer;
    type Ask = Errand;
    type Link = MemcachedLink;

    fn doors(fleet: &Fleet) -> &Doors<Self> {
        &fleet.doors
    }

    fn ways(fleet: &Fleet) -> Vec<(&Server, Words)> {
        let servers = &fleet.client.config().servers;
        servers.iter().flat_map(|server| WORDS.map(|words| (server, words))).collect()
    }

    fn terms(fleet: &Fleet, number: usize) -> &Peer {
        fleet.client.peer(node_of(number))
    }

    fn found_role(_fleet: &Fleet, _replica: bool) -> Words {
        Words::Newer
    }

    fn has_words_to_find(_fleet: &Fleet) -> bool {
        false
    }

    fn link(py: Python<'_>, core: Core<Self>) -> PyResult<Py<MemcachedLink>> {
        Py::new(py, MemcachedLink(core))
    }

    fn core(link: &MemcachedLink) -> &Core<Self> {
        &link.0
    }

    fn answer(at: At<'_, '_, Self>, waiting: Waiting<Errand>, replies: &[u8]) -> Result<(), Problem> {
        let At { py, wire: fleet, core } = at;
        let Waiting { future, ask: Errand { course, at, owed }, .. } = waiting;
        let (Some(loop_), future) = (core.running(py), future.bind(py)) else { return Ok(()) };
        let node = node_of(core.number);
        fleet.client.answered(node);
        let makes_sense = match owed {
            None => course.take_in(&loop_, future, at, Ok(replies)),
            Some(owed) => match fleet.client.settled(node, &owed, replies) {
                Ok(()) => {
                    course.send(&loop_, future, at);
                    true
                }
                Err(problem) => {
                    let makes_sense = !matches!(problem, Problem::Malformed(_));
                    course.take_in(&loop_, future, at, Err(problem));
                    makes_sense
                }
            },
        };
        if makes_sense {
            Ok(())
        } else {
            Err(Problem::Malformed("it was no answer to what was asked".into()))
        }
    }

    fn give_up(at: At<'_, '_, Self>, waiting: Waiting<Errand>, _unsent: bool, problem: &Problem) {
        let At { py, core, .. } = at;
        let Waiting { future, ask: Errand { course, at, .. }, .. } = waiting;
        if let Some(loop_) = core.running(py) {
            course.take_in(&loop_, future.bind(py), at, Err(problem.clone()));
        }
    }

    fn visit(_ask: &Errand, _visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        Ok(())
    }
}
