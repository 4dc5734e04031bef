//! One connection of one loop to one server.
use super::super::errors;
use super::super::want::{Asked, Want};
use super::super::wire::Wire;
use super::callbacks::{call_later, call_soon, connect, is_done, settle};
use super::queue::Waiting;
use super::socket::{Greeting, Phase};
use super::state::{Answered, State};
use super::{LARGE, new_future, threaded};
use crate::names::name;
use hotclub::backend::redis::batch::{Batch, Received, Replies};
use hotclub::backend::redis::breaker::Breaker;
use hotclub::backend::redis::error::Problem;
use hotclub::backend::redis::handshake::Role;
use hotclub::backend::redis::resp::Skim;
use hotclub::backend::redis::server::Server;
use hotclub::backend::redis::stream::Stream;
use hotclub::backend::redis::topology::course::first_redirect;
use hotclub::clock::Clock;
use hotclub::remote::IntoError;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A connection that the event loop reads and writes when it can.
#[pyclass(frozen, module = "hotclub._hotclub")]
pub(crate) struct Link {
    wire: Weak<Wire>,
    loop_: Py<PyWeakrefReference>,
    server: Server,
    role: Role,
    /// The server was found, and may not be the right one for ever.
    found: bool,
    breaker: Arc<Breaker>,
    // Held for a moment, and never while Python code runs: what answers mean is found out after it is let go.
    state: Mutex<State>,
}

/// What is to be done once the lock is let go.
enum Next {
    Nothing,
    Connect,
    Flush,
    Write,
}

impl Link {
    pub(super) fn new(
        wire: &Arc<Wire>,
        loop_: Py<PyWeakrefReference>,
        server: Server,
        role: Role,
        found: bool,
    ) -> Self {
        let breaker = wire.doors.breaker(&server);
        Link { server, role, found, wire: Arc::downgrade(wire), loop_, breaker, state: Mutex::default() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.lock().phase.stream().is_some()
    }

    /// Whether a large reply is on its way over it. Many small ones do not count: requests keep their order.
    #[inline]
    pub(super) fn is_held_up(&self) -> bool {
        let state = self.state.lock();
        state.skim.needs().saturating_sub(state.received.bytes().len()) > LARGE
    }

    /// Sends a batch in this tick of the loop; the future is done when its replies are there.
    #[inline]
    pub(super) fn ask<'py>(
        slf: &Bound<'py, Self>,
        loop_: &Bound<'py, PyAny>,
        wire: &Arc<Wire>,
        batch: &Batch,
        want: Want,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        if let Err(problem) = this.breaker.check(wire.client.config()) {
            if this.found {
                return threaded::ask(loop_, wire, batch.clone(), want);
            }
            let future = new_future(loop_)?;
            let error = problem.into_error("redis", batch.verb(), batch.effect(), &this.server.to_string());
            let error = errors::exception(py, &error, wire.habits.client);
            settle(wire, &future, &want, || Err(error));
            return Ok(future);
        }
        let future = new_future(loop_)?;
        let (next, time) = {
            let mut state = this.state.lock();
            state.queue.push(batch, future.clone().unbind(), want, this.found);
            let alone = state.queue.waiting.len() == 1;
            state.crowded |= !alone;
            let next = match &state.phase {
                Phase::Closed => {
                    state.phase = Phase::Connecting(Instant::now());
                    Next::Connect
                }
                // Nothing to wait for: a tick of the loop less until the answer.
                Phase::Open(_) if !state.crowded && !state.writing => Next::Write,
                Phase::Open(_) if !state.flushing && !state.writing => {
                    state.flushing = true;
                    Next::Flush
                }
                _ => Next::Nothing,
            };
            (next, !std::mem::replace(&mut state.timed, true))
        };
        match next {
            Next::Nothing => {}
            Next::Flush => call_soon(loop_, slf, name!(py, _flush))?,
            Next::Write => Self::write(slf)?,
            Next::Connect => {
                if let Err(error) = connect(slf, loop_) {
                    Self::break_off(slf, &no_task(&error));
                }
            }
        }
        if time {
            call_later(loop_, slf, wire.client.config().reply_limit)?;
        }
        Ok(future)
    }

    fn running<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.loop_.bind(py).upgrade()
    }

    /// Ends the connection. Requests that may be sent again are, once, over a new one.
    #[cold]
    fn break_off(slf: &Bound<'_, Self>, problem: &Problem) {
        let (py, this) = (slf.py(), slf.get());
        let Some(wire) = this.wire.upgrade() else { return };
        let limit = wire.client.config().reply_limit;
        let may_retry = matches!(problem, Problem::Lost(_) | Problem::ReplyLimit(_) | Problem::Malformed(_));
        let (phase, given_up, again) = {
            let mut state = this.state.lock();
            let State { phase, mut queue, timed, reading, epoch, .. } = std::mem::take(&mut *state);
            let given_up = queue.after_a_break(may_retry, Clock::system().now_ms(), limit);
            let again = !queue.waiting.is_empty();
            *state = State { queue, timed, reading, epoch: epoch + 1, ..State::default() };
            if again {
                state.phase = Phase::Connecting(Instant::now());
            }
            (phase, given_up, again)
        };
        if let Some(stream) = phase.stream() {
            this.forget(py, stream);
        }
        drop(phase);
        if !matches!(problem, Problem::Connect(_) | Problem::ConnectLimit(_)) {
            this.breaker.note(&this.server, wire.client.config(), problem, limit);
        }
        this.give_up(py, &wire, given_up, problem);
        if again
            && let Some(loop_) = this.running(py)
            && let Err(error) = connect(slf, &loop_)
        {
            // Gives up those that were to be sent again: without a task nobody else would.
            Self::break_off(slf, &no_task(&error));
        }
    }

    /// Nobody will use it any more: its configuration is gone.
    #[cold]
    fn close(&self, py: Python<'_>) {
        let old = std::mem::take(&mut *self.state.lock());
        if let Some(stream) = old.phase.stream() {
            self.forget(py, stream);
        }
        for waiting in old.queue.waiting {
            // Its caller awaits a future that nobody else would ever end.
            drop(waiting.future.call_method0(py, name!(py, cancel)));
        }
    }

    fn give_up(&self, py: Python<'_>, wire: &Arc<Wire>, requests: Vec<Waiting>, problem: &Problem) {
        for Waiting { future, want, verb, effect, detour, .. } in requests {
            // Another server may have taken the place of this one: who looks for it may wait.
            if let (Some(batch), Some(loop_)) = (detour, self.running(py)) {
                threaded::instead(&loop_, wire, *batch, want, future.bind(py));
                continue;
            }
            let error = problem.clone().into_error("redis", verb, effect, &self.server.to_string());
            let error = errors::exception(py, &error, wire.habits.client);
            settle(wire, future.bind(py), &want, || Err(error));
        }
    }

    /// The loop must not look at a descriptor that is about to be closed.
    fn forget(&self, py: Python<'_>, stream: &Stream) {
        let Some(loop_) = self.running(py) else { return };
        for method in [name!(py, remove_reader), name!(py, remove_writer)] {
            // A closed loop has forgotten it already.
            drop(loop_.call_method1(method, (stream.as_raw_fd(),)));
        }
    }

    /// Writes what can be written now, and has the loop call again if something is left.
    fn write(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let (outcome, descriptor, was_writing) = {
            let mut state = this.state.lock();
            let State { phase, queue, .. } = &mut *state;
            let outcome = phase.write(queue);
            let descriptor = phase.stream().map(AsRawFd::as_raw_fd);
            let was_writing = state.writing;
            if let Ok(left) = &outcome {
                state.writing = *left;
            }
            (outcome, descriptor, was_writing)
        };
        let left = match outcome {
            Ok(left) => left,
            Err(problem) => {
                Self::break_off(slf, &problem);
                return Ok(());
            }
        };
        if left != was_writing
            && let (Some(descriptor), Some(loop_)) = (descriptor, this.running(py))
        {
            match left {
                true => {
                    let callback = slf.getattr(name!(py, _writable))?;
                    loop_.call_method1(name!(py, add_writer), (descriptor, callback))?;
                }
                false => drop(loop_.call_method1(name!(py, remove_writer), (descriptor,))?),
            }
        }
        Ok(())
    }

    /// What nobody waits for any more is not sent, if it was not yet.
    fn drop_cancelled(slf: &Bound<'_, Self>) {
        let (py, this) = (slf.py(), slf.get());
        let unsent = this.state.lock().queue.unsent_futures(py);
        let cancelled: Vec<_> = unsent.into_iter().filter(|future| is_done(future.bind(py))).collect();
        if cancelled.is_empty() {
            return;
        }
        let dropped = this.state.lock().queue.drop_unsent(&cancelled);
        drop(dropped);
    }

    /// Reads answers out of what was received; how many bytes they were.
    fn answers(
        slf: &Bound<'_, Self>,
        wire: &Arc<Wire>,
        received: &Received,
        skim: &mut Skim,
        epoch: u64,
    ) -> Result<usize, Problem> {
        let (py, this) = (slf.py(), slf.get());
        let mut done = 0;
        loop {
            let bytes = &received.bytes()[done..];
            let Some(answered) = this.state.lock().next_answer(bytes, skim, epoch)? else { return Ok(done) };
            let end = skim.position();
            *skim = Skim::default();
            let replies = Replies::over(&bytes[..end]);
            done += end;
            match answered {
                Answered::Request(Waiting { future, want, detour: Some(batch), replies: count, .. })
                    if first_redirect(&bytes[..end], count, &this.server).is_some() =>
                {
                    let Some(loop_) = this.running(py) else { return Ok(done) };
                    threaded::instead(&loop_, wire, *batch, want, future.bind(py));
                }
                Answered::Request(Waiting { future, want, verb, effect, .. }) => {
                    let asked = Asked { verb, effect, place: wire.client.place() };
                    settle(wire, future.bind(py), &want, || want.read(py, wire, asked, replies));
                }
                Answered::Greeting => {
                    hotclub::backend::redis::handshake::check_replies(replies)?;
                    this.state.lock().phase.greeted();
                    if let Err(error) = Self::write(slf) {
                        error.write_unraisable(py, None);
                    }
                }
            }
        }
    }

    /// Whether the socket was wanted: somebody may have been faster, or have given up.
    fn take_over(slf: &Bound<'_, Self>, socket: OwnedFd) -> Result<bool, Problem> {
        let this = slf.get();
        let Some(wire) = this.wire.upgrade() else { return Ok(false) };
        let config = wire.client.config();
        let stream = Stream::adopt(socket, &this.server, config.tls.as_ref())?;
        stream.set_nonblocking().map_err(|error| Problem::lost(&error))?;
        let words = this.state.lock().words.take();
        let greeting = words.unwrap_or_else(|| Greeting::new(config, this.role))?;
        let mut state = this.state.lock();
        let wanted = matches!(state.phase, Phase::Connecting(_));
        if wanted {
            state.phase = Phase::new(stream, greeting);
        }
        Ok(wanted)
    }
}

fn no_task(error: &PyErr) -> Problem {
    Problem::Connect(format!("no task can be started: {error}"))
}

/// What the loop calls. Errors of a connection go to those who wait for it; these methods raise nothing else.
#[pymethods]
impl Link {
    fn _flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let mut state = slf.get().state.lock();
            state.flushing = false;
            state.crowded = state.queue.waiting.len() > 1;
        }
        Self::write(slf)
    }

    fn _writable(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::drop_cancelled(slf);
        Self::write(slf)
    }

    fn _readable(slf: &Bound<'_, Self>) -> PyResult<()> {
        let this = slf.get();
        let Some(wire) = this.wire.upgrade() else {
            this.close(slf.py());
            return Ok(());
        };
        let (mut received, mut skim, outcome, epoch) = {
            let mut state = this.state.lock();
            // A nested loop, run by code that unpickling called, has nothing to read here.
            if std::mem::replace(&mut state.reading, true) {
                return Ok(());
            }
            let State { phase, received, skim, .. } = &mut *state;
            let outcome = phase.read(received, skim.needs());
            (std::mem::take(received), std::mem::take(skim), outcome, state.epoch)
        };
        let answered = Self::answers(slf, &wire, &received, &mut skim, epoch);
        let problem = {
            let mut state = this.state.lock();
            state.reading = false;
            match (answered, outcome) {
                // The connection broke meanwhile and was dealt with; what is here belongs to it.
                _ if state.epoch != epoch => return Ok(()),
                (Ok(done), Ok(())) => {
                    received.consume(done);
                    (state.received, state.skim) = (received, skim);
                    None
                }
                (Err(problem), _) | (_, Err(problem)) => Some(problem),
            }
        };
        match problem {
            None => {
                this.breaker.succeeded(&this.server, wire.client.config());
                // TLS answers by itself at times, and takes nothing before its handshake is done.
                if this.state.lock().has_more_for_tls() { Self::write(slf) } else { Ok(()) }
            }
            Some(problem) => {
                Self::break_off(slf, &problem);
                Ok(())
            }
        }
    }

    /// Looks whether the request that waits longest has waited too long.
    fn _expire(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let Some(wire) = this.wire.upgrade() else { return Ok(()) };
        let limit = wire.client.config().reply_limit;
        let oldest = {
            let mut state = this.state.lock();
            state.timed = false;
            let connecting = matches!(state.phase, Phase::Connecting(_));
            state.queue.waiting.front().map(|first| (first.since, connecting))
        };
        let Some((since, connecting)) = oldest else { return Ok(()) };
        let waited = Duration::from_millis(Clock::system().now_ms().saturating_sub(since));
        if waited >= limit && !connecting {
            Self::break_off(slf, &Problem::ReplyLimit(limit));
        }
        let Some(loop_) = this.running(py) else { return Ok(()) };
        let mut state = this.state.lock();
        if state.queue.waiting.is_empty() || std::mem::replace(&mut state.timed, true) {
            return Ok(());
        }
        drop(state);
        // A little later than needed, so that the coarse clock agrees.
        call_later(&loop_, slf, limit.saturating_sub(waited).max(Duration::from_millis(10)))
    }

    /// Host and port, or the path of a unix socket and None.
    fn _target(&self) -> (String, Option<u16>) {
        match &self.server {
            Server::Tcp(host, port) => (host.clone(), Some(*port)),
            Server::Unix(path) => (path.to_string_lossy().into_owned(), None),
        }
    }

    fn _connect_limit(&self) -> f64 {
        self.wire.upgrade().map_or(0.0, |wire| wire.client.config().connect_limit.as_secs_f64())
    }

    /// Whether the first words on a connection take code of the user's to find, which may take long.
    fn _has_words_to_find(&self) -> bool {
        self.wire.upgrade().is_some_and(|wire| wire.client.config().credentials.is_some())
    }

    /// Finds them; to be called in a thread. What goes wrong is said when the connection is there.
    fn _find_words(&self) {
        let Some(wire) = self.wire.upgrade() else { return };
        let words = Greeting::new(wire.client.config(), self.role);
        self.state.lock().words = Some(words);
    }

    /// Takes over a connected socket.
    fn _adopt(slf: &Bound<'_, Self>, descriptor: RawFd) -> PyResult<()> {
        // SAFETY: the caller has detached it from its socket object, and nobody else knows it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let (py, this) = (slf.py(), slf.get());
        match Self::take_over(slf, socket) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(problem) => {
                Self::break_off(slf, &problem);
                return Ok(());
            }
        }
        if let Some(loop_) = this.running(py) {
            let callback = slf.getattr(name!(py, _readable))?;
            loop_.call_method1(name!(py, add_reader), (descriptor, callback))?;
        }
        Self::write(slf)
    }

    /// There is no connection, and why; no reason means that the limit passed.
    /// `cancelled`: nobody wanted it any more, which says nothing about the server.
    #[pyo3(signature = (reason, cancelled = false))]
    fn _failed(slf: &Bound<'_, Self>, reason: Option<String>, cancelled: bool) {
        let this = slf.get();
        let Some(wire) = this.wire.upgrade() else { return };
        let config = wire.client.config();
        let since = match &this.state.lock().phase {
            Phase::Connecting(since) => *since,
            _ => return,
        };
        let problem = reason.map_or(Problem::ConnectLimit(config.connect_limit), Problem::Connect);
        if cancelled {
            this.breaker.abandon();
        } else {
            this.breaker.failed(&this.server, config, &problem, since.elapsed());
        }
        Self::break_off(slf, &problem);
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The collector may run while another method of this object waits for an allocation, without the lock.
        if let Some(state) = self.state.try_lock() {
            for waiting in &state.queue.waiting {
                visit.call(&waiting.future)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let old = self.state.try_lock().map(|mut state| std::mem::take(&mut *state));
        drop(old);
    }
}
