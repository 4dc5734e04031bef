//! A server that failed gets a rest: calls fail at once with the same cause, and one of them tries again later.
//!
//! So a dead server costs its limit once, not once per call, and its coming back is noticed by itself.
use crate::locks::Mutex;
use crate::problem::Problem;
use crate::server::Server;
use crate::terms::{Change, Terms};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The first rest after a failure that cost no time (refused, unknown host); each further one is twice as long.
const FIRST_REST: Duration = Duration::from_millis(10);
/// A failure that took longer than this did cost time: its server rests for the whole of `rest`.
const COSTLY: Duration = Duration::from_millis(100);

/// Whether a server may be asked.
#[derive(Debug, Default)]
pub struct Breaker {
    /// The common case, read without a lock.
    resting: AtomicBool,
    // Short: a few fields are read or written, and listeners are told after it is let go.
    failure: Mutex<Option<Failure>>,
}

#[derive(Debug, Clone)]
struct Failure {
    cause: Problem,
    until: Instant,
    count: u32,
}

impl Breaker {
    /// Whether the server may be asked now. If its rest is over, this caller is the one that tries.
    ///
    /// # Errors
    /// [`Problem::Resting`] with the cause of the failure.
    #[inline]
    pub fn check(&self, terms: &impl Terms) -> Result<(), Problem> {
        self.may_ask(terms).map(drop)
    }

    /// The same, and whether this caller is the one that tries. Who tries and gives up halfway, as a cancelled
    /// task does, says so by [`Breaker::abandon`].
    ///
    /// # Errors
    /// As [`Breaker::check`].
    #[inline]
    pub fn may_ask(&self, terms: &impl Terms) -> Result<bool, Problem> {
        if !self.resting.load(Ordering::Relaxed) { Ok(false) } else { self.check_failure(terms) }
    }

    #[cold]
    fn check_failure(&self, terms: &impl Terms) -> Result<bool, Problem> {
        let mut failure = self.failure.lock();
        let Some(failure) = failure.as_mut() else { return Ok(false) };
        if terms.rest().is_zero() {
            return Ok(false);
        }
        let now = Instant::now();
        if now < failure.until {
            return Err(Problem::Resting(Box::new(failure.cause.clone()), failure.until - now));
        }
        // The others wait until this one has an answer, or has run into its limits.
        failure.until = now + terms.connect_limit().saturating_add(terms.reply_limit());
        Ok(true)
    }

    /// Who was to try is gone without an answer: the next one may.
    #[cold]
    pub fn abandon(&self) {
        if let Some(failure) = self.failure.lock().as_mut() {
            failure.until = Instant::now();
        }
    }

    /// What a problem that was met after so long says about the server. A broken connection alone says little:
    /// only if a new one cannot be had is the server down.
    #[cold]
    pub fn note(&self, server: &Server, terms: &impl Terms, problem: &Problem, took: Duration) {
        match problem {
            // Said here before, or by a pool: nothing new about the server.
            Problem::Resting(..) | Problem::PoolLimit(..) => {}
            Problem::Lost(_) => self.lost(server, terms, problem),
            problem if problem.is_server_down() => self.failed(server, terms, problem, took),
            _ => self.succeeded(server, terms),
        }
    }

    /// The server answered.
    #[inline]
    pub fn succeeded(&self, server: &Server, terms: &impl Terms) {
        if self.resting.load(Ordering::Relaxed) {
            self.is_back(server, terms);
        }
    }

    #[cold]
    fn is_back(&self, server: &Server, terms: &impl Terms) {
        let was_down = {
            let mut failure = self.failure.lock();
            self.resting.store(false, Ordering::Relaxed);
            failure.take().is_some()
        };
        if was_down {
            terms.tell(&Change::Up(server));
        }
    }

    /// A connection broke: that counts only for a server that was down already, and is not back now.
    #[cold]
    pub fn lost(&self, server: &Server, terms: &impl Terms, cause: &Problem) {
        if self.resting.load(Ordering::Relaxed) {
            self.failed(server, terms, cause, Duration::ZERO);
        }
    }

    /// The server could not be used; this took so long.
    #[cold]
    pub fn failed(&self, server: &Server, terms: &impl Terms, cause: &Problem, took: Duration) {
        let first = {
            let mut failure = self.failure.lock();
            let count = failure.as_ref().map_or(1, |failure| failure.count.saturating_add(1));
            let rest = if took >= COSTLY {
                terms.rest()
            } else {
                FIRST_REST.saturating_mul(1 << (count - 1).min(10)).min(terms.rest())
            };
            *failure = Some(Failure { cause: cause.clone(), until: Instant::now() + rest, count });
            self.resting.store(true, Ordering::Relaxed);
            count == 1
        };
        if first {
            let (_, text) = cause.told();
            terms.tell(&Change::Down(server, text));
        }
    }
}

/// Leave to ask the server. A task that is cancelled while it is the one that tries leaves that to the next.
#[derive(Debug)]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    tries: bool,
}

impl<'a> Pass<'a> {
    /// As [`Breaker::may_ask`].
    ///
    /// # Errors
    /// As [`Breaker::check`].
    pub fn new(breaker: &'a Breaker, terms: &impl Terms) -> Result<Self, Problem> {
        Ok(Pass { tries: breaker.may_ask(terms)?, breaker })
    }

    /// There was an answer, or an error.
    pub fn used(mut self) {
        self.tries = false;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.tries {
            self.breaker.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::plain::Plain;

    fn server() -> Server {
        Server::Tcp("cache".into(), 1)
    }

    #[test]
    fn a_costly_failure_is_paid_once_and_told_once() {
        let (terms, breaker) = (Plain::default(), Breaker::default());
        breaker.check(&terms).unwrap();
        let cause = Problem::ConnectLimit(terms.connect_limit());
        breaker.failed(&server(), &terms, &cause, terms.connect_limit());
        for _ in 0..3 {
            let problem = breaker.check(&terms).unwrap_err();
            assert!(matches!(problem, Problem::Resting(_, left) if left > Duration::from_millis(500)));
        }
        breaker.failed(&server(), &terms, &cause, terms.connect_limit());
        breaker.succeeded(&server(), &terms);
        breaker.check(&terms).unwrap();
        breaker.succeeded(&server(), &terms);
        let told = terms.told.lock().unwrap();
        assert_eq!(*told, ["cache:1 is down: no connection within 2 s", "cache:1 is back"]);
    }

    fn rested() -> (Plain, Breaker) {
        let terms = Plain { rest: Duration::from_nanos(1), ..Plain::default() };
        let breaker = Breaker::default();
        let cause = Problem::Connect("connection refused".into());
        breaker.failed(&server(), &terms, &cause, Duration::ZERO);
        (terms, breaker)
    }

    #[test]
    fn only_one_caller_tries_when_the_rest_is_over() {
        let (terms, breaker) = rested();
        breaker.check(&terms).unwrap();
        assert!(breaker.check(&terms).is_err());
    }

    #[test]
    fn who_gives_up_trying_leaves_it_to_the_next() {
        let (terms, breaker) = rested();
        assert!(breaker.may_ask(&terms).unwrap());
        assert!(breaker.may_ask(&terms).is_err());
        breaker.abandon();
        assert!(breaker.may_ask(&terms).unwrap());
    }
}
