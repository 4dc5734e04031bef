//! One connection of one loop to one server.
use super::callbacks::{call_later, call_soon, connect, is_done};
use super::queue::Waiting;
use super::socket::{Phase, Words};
use super::state::{Answered, State};
use super::{At, LARGE, Request, RoleOf, SkimOf, Speech};
use crate::names::name;
use hotclub::clock::Clock;
use hotclub_net::locks::Mutex;
use hotclub_net::{Breaker, Problem, Received, Server, Skimmed, Stream, Terms};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A connection that the event loop reads and writes when it can.
pub(crate) struct Core<S: Speech> {
    wire: Weak<S::Wire>,
    loop_: Py<PyWeakrefReference>,
    /// The place of the server in the configuration.
    pub(crate) number: usize,
    pub(crate) server: Server,
    role: RoleOf<S>,
    /// The server was found, and may not be the right one for ever.
    pub(crate) found: bool,
    breaker: Arc<Breaker>,
    // Held for a moment, and never while Python code runs: what answers mean is found out after it is let go.
    state: Mutex<State<S>>,
}

/// What is to be done once the lock is let go.
enum Next {
    Nothing,
    Connect,
    Flush,
    Write,
}

type Link<'a, 'py, S> = &'a Bound<'py, <S as Speech>::Link>;

impl<S: Speech> Core<S> {
    pub(super) fn new(
        wire: &Arc<S::Wire>,
        loop_: Py<PyWeakrefReference>,
        number: usize,
        server: Server,
        role: RoleOf<S>,
        found: bool,
    ) -> Self {
        let breaker = S::doors(wire).breaker(&server);
        let state = Mutex::default();
        Core { wire: Arc::downgrade(wire), loop_, number, server, role, found, breaker, state }
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

    /// Whether the server may be asked.
    #[inline]
    pub(crate) fn check(&self, wire: &S::Wire) -> Result<(), Problem> {
        self.breaker.check(self.terms(wire))
    }

    fn terms<'w>(&self, wire: &'w S::Wire) -> &'w S::Terms {
        S::terms(wire, self.number)
    }

    /// Sends a request in this tick of the loop; what it asked for is done when its replies are there.
    #[inline]
    pub(crate) fn send(
        slf: Link<'_, '_, S>,
        loop_: &Bound<'_, PyAny>,
        wire: &S::Wire,
        request: Request<'_>,
        future: Py<PyAny>,
        ask: S::Ask,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), S::core(slf.get()));
        let (next, time) = {
            let mut state = this.state.lock();
            state.queue.push(request, future, ask);
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
            Next::Flush => call_soon(loop_, slf.as_any(), name!(py, _flush))?,
            Next::Write => Self::write(slf)?,
            Next::Connect => {
                if let Err(error) = connect(slf.as_any(), loop_) {
                    Self::break_off(slf, &no_task(&error));
                }
            }
        }
        if time {
            call_later(loop_, slf.as_any(), this.terms(wire).reply_limit())?;
        }
        Ok(())
    }

    /// The loop, unless it is gone.
    pub(crate) fn running<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.loop_.bind(py).upgrade()
    }

    /// Ends the connection. Requests that may be sent again are, once, over a new one.
    #[cold]
    fn break_off(slf: Link<'_, '_, S>, problem: &Problem) {
        let (py, this) = (slf.py(), S::core(slf.get()));
        let Some(wire) = this.wire.upgrade() else { return };
        let terms = this.terms(&wire);
        let limit = terms.reply_limit();
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
            stream.forget_unsent();
        }
        drop(phase);
        if !matches!(problem, Problem::Connect(_) | Problem::ConnectLimit(_)) {
            this.breaker.note(&this.server, terms, problem, limit);
        }
        this.give_up(py, &wire, given_up, problem);
        // Nobody waits any more for some of those that would be sent again.
        Self::drop_cancelled(slf);
        if again
            && let Some(loop_) = this.running(py)
            && let Err(error) = connect(slf.as_any(), &loop_)
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
            if !old.queue.waiting.is_empty() {
                stream.forget_unsent();
            }
        }
        for waiting in old.queue.waiting {
            // Its caller awaits a future that nobody else would ever end.
            drop(waiting.future.call_method0(py, name!(py, cancel)));
        }
    }

    fn give_up(
        &self,
        py: Python<'_>,
        wire: &Arc<S::Wire>,
        requests: Vec<(Waiting<S::Ask>, bool)>,
        problem: &Problem,
    ) {
        for (waiting, unsent) in requests {
            S::give_up(At { py, wire, core: self }, waiting, unsent, problem);
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
    fn write(slf: Link<'_, '_, S>) -> PyResult<()> {
        let (py, this) = (slf.py(), S::core(slf.get()));
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
                    let callback = slf.as_any().getattr(name!(py, _writable))?;
                    loop_.call_method1(name!(py, add_writer), (descriptor, callback))?;
                }
                false => drop(loop_.call_method1(name!(py, remove_writer), (descriptor,))?),
            }
        }
        Ok(())
    }

    /// What nobody waits for any more is not sent, if it was not yet.
    fn drop_cancelled(slf: Link<'_, '_, S>) {
        let (py, this) = (slf.py(), S::core(slf.get()));
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
        slf: Link<'_, '_, S>,
        wire: &Arc<S::Wire>,
        received: &Received,
        skim: &mut SkimOf<S>,
        epoch: u64,
    ) -> Result<usize, Problem> {
        let (py, this) = (slf.py(), S::core(slf.get()));
        let mut done = 0;
        loop {
            let bytes = &received.bytes()[done..];
            let Some(answered) = this.state.lock().next_answer(bytes, skim, epoch)? else { return Ok(done) };
            let end = skim.position();
            *skim = SkimOf::<S>::default();
            let replies = &bytes[..end];
            done += end;
            match answered {
                Answered::Request(waiting) => S::answer(At { py, wire, core: this }, waiting, replies)?,
                Answered::Greeting => {
                    let next = this.terms(wire).agreed(this.role, replies)?.map(Words::from);
                    let is_open = next.is_none();
                    this.state.lock().phase.greeted(next);
                    if is_open {
                        Self::drop_cancelled(slf);
                    }
                    if let Err(error) = Self::write(slf) {
                        error.write_unraisable(py, None);
                    }
                }
            }
        }
    }

    /// Whether the socket was wanted: somebody may have been faster, or have given up.
    fn take_over(slf: Link<'_, '_, S>, socket: OwnedFd) -> Result<bool, Problem> {
        let this = S::core(slf.get());
        let Some(wire) = this.wire.upgrade() else { return Ok(false) };
        let terms = this.terms(&wire);
        let stream = Stream::adopt(socket, &this.server, terms.tls())?;
        stream.set_nonblocking().map_err(|error| Problem::lost(&error))?;
        let words = this.state.lock().words.take();
        let words = words.unwrap_or_else(|| terms.greeting(this.role).map(Words::from))?;
        let mut state = this.state.lock();
        let wanted = matches!(state.phase, Phase::Connecting(_));
        if wanted {
            state.phase = Phase::new(stream, words);
        }
        Ok(wanted)
    }

    pub(crate) fn flush(slf: Link<'_, '_, S>) -> PyResult<()> {
        {
            let mut state = S::core(slf.get()).state.lock();
            state.flushing = false;
            state.crowded = state.queue.waiting.len() > 1;
        }
        Self::write(slf)
    }

    pub(crate) fn writable(slf: Link<'_, '_, S>) -> PyResult<()> {
        Self::drop_cancelled(slf);
        Self::write(slf)
    }

    pub(crate) fn readable(slf: Link<'_, '_, S>) -> PyResult<()> {
        let this = S::core(slf.get());
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
                this.breaker.succeeded(&this.server, this.terms(&wire));
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
    pub(crate) fn expire(slf: Link<'_, '_, S>) -> PyResult<()> {
        let (py, this) = (slf.py(), S::core(slf.get()));
        let Some(wire) = this.wire.upgrade() else { return Ok(()) };
        let limit = this.terms(&wire).reply_limit();
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
        call_later(&loop_, slf.as_any(), limit.saturating_sub(waited).max(Duration::from_millis(10)))
    }

    /// Host and port, or the path of a unix socket and None.
    pub(crate) fn target(&self) -> (String, Option<u16>) {
        match &self.server {
            Server::Tcp(host, port) => (host.clone(), Some(*port)),
            Server::Unix(path) => (path.to_string_lossy().into_owned(), None),
        }
    }

    pub(crate) fn connect_limit(&self) -> f64 {
        self.wire.upgrade().map_or(0.0, |wire| self.terms(&wire).connect_limit().as_secs_f64())
    }

    /// Whether the first words on a connection take code of the user's to find, which may take long.
    pub(crate) fn has_words_to_find(&self) -> bool {
        self.wire.upgrade().is_some_and(|wire| S::has_words_to_find(&wire))
    }

    /// Finds them; to be called in a thread. What goes wrong is said when the connection is there.
    pub(crate) fn find_words(&self) {
        let Some(wire) = self.wire.upgrade() else { return };
        let words = self.terms(&wire).greeting(self.role).map(Words::from);
        self.state.lock().words = Some(words);
    }

    /// Takes over a connected socket.
    pub(crate) fn adopt(slf: Link<'_, '_, S>, descriptor: RawFd) -> PyResult<()> {
        // SAFETY: the caller has detached it from its socket object, and nobody else knows it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let (py, this) = (slf.py(), S::core(slf.get()));
        match Self::take_over(slf, socket) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(problem) => {
                Self::break_off(slf, &problem);
                return Ok(());
            }
        }
        if let Some(loop_) = this.running(py) {
            let callback = slf.as_any().getattr(name!(py, _readable))?;
            loop_.call_method1(name!(py, add_reader), (descriptor, callback))?;
        }
        Self::write(slf)
    }

    /// There is no connection, and why; no reason means that the limit passed.
    /// `cancelled`: nobody wanted it any more, which says nothing about the server.
    pub(crate) fn failed(slf: Link<'_, '_, S>, reason: Option<String>, cancelled: bool) {
        let this = S::core(slf.get());
        let Some(wire) = this.wire.upgrade() else { return };
        let terms = this.terms(&wire);
        let since = match &this.state.lock().phase {
            Phase::Connecting(since) => *since,
            _ => return,
        };
        let problem = reason.map_or(Problem::ConnectLimit(terms.connect_limit()), Problem::Connect);
        if cancelled {
            this.breaker.abandon();
        } else {
            this.breaker.failed(&this.server, terms, &problem, since.elapsed());
        }
        Self::break_off(slf, &problem);
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // The collector may run while another method of this object waits for an allocation, without the lock.
        if let Some(state) = self.state.try_lock() {
            for waiting in &state.queue.waiting {
                visit.call(&waiting.future)?;
                S::visit(&waiting.ask, visit)?;
            }
        }
        Ok(())
    }

    pub(crate) fn clear(&self) {
        let old = self.state.try_lock().map(|mut state| std::mem::take(&mut *state));
        drop(old);
    }
}

fn no_task(error: &PyErr) -> Problem {
    Problem::Connect(format!("no task can be started: {error}"))
}
