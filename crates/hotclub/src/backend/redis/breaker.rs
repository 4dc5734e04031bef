//! A server that failed gets a rest: calls fail at once with the same cause, and one of them tries again later.
//!
//! So a dead server costs its limit once, not once per call, and its coming back is noticed by itself.
use super::config::{Change, RedisConfig};
use super::error::Problem;
use super::server::Server;
use crate::sync::Mutex;
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
    pub fn check(&self, config: &RedisConfig) -> Result<(), Problem> {
        self.may_ask(config).map(drop)
    }

    /// The same, and whether this caller is the one that tries. Who tries and gives up halfway, as a cancelled
    /// task does, says so by [`Breaker::abandon`].
    ///
    /// # Errors
    /// As [`Breaker::check`].
    #[inline]
    pub fn may_ask(&self, config: &RedisConfig) -> Result<bool, Problem> {
        if !self.resting.load(Ordering::Relaxed) { Ok(false) } else { self.check_failure(config) }
    }

    #[cold]
    fn check_failure(&self, config: &RedisConfig) -> Result<bool, Problem> {
        let mut failure = self.failure.lock();
        let Some(failure) = failure.as_mut() else { return Ok(false) };
        if config.rest.is_zero() {
            return Ok(false);
        }
        let now = Instant::now();
        if now < failure.until {
            return Err(Problem::Resting(Box::new(failure.cause.clone()), failure.until - now));
        }
        // The others wait until this one has an answer, or has run into its limits.
        failure.until = now + config.connect_limit.saturating_add(config.reply_limit);
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
    pub fn note(&self, server: &Server, config: &RedisConfig, problem: &Problem, took: Duration) {
        match problem {
            // Said here before, or by a pool: nothing new about the server.
            Problem::Resting(..) | Problem::PoolLimit(..) => {}
            Problem::Lost(_) => self.lost(server, config, problem),
            problem if problem.is_server_down() => self.failed(server, config, problem, took),
            _ => self.succeeded(server, config),
        }
    }

    /// The server answered.
    #[inline]
    pub fn succeeded(&self, server: &Server, config: &RedisConfig) {
        if self.resting.load(Ordering::Relaxed) {
            self.is_back(server, config);
        }
    }

    #[cold]
    fn is_back(&self, server: &Server, config: &RedisConfig) {
        let was_down = {
            let mut failure = self.failure.lock();
            self.resting.store(false, Ordering::Relaxed);
            failure.take().is_some()
        };
        if was_down {
            config.tell(&Change::Up(server));
        }
    }

    /// A connection broke: that counts only for a server that was down already, and is not back now.
    #[cold]
    pub fn lost(&self, server: &Server, config: &RedisConfig, cause: &Problem) {
        if self.resting.load(Ordering::Relaxed) {
            self.failed(server, config, cause, Duration::ZERO);
        }
    }

    /// The server could not be used; this took so long.
    #[cold]
    pub fn failed(&self, server: &Server, config: &RedisConfig, cause: &Problem, took: Duration) {
        let first = {
            let mut failure = self.failure.lock();
            let count = failure.as_ref().map_or(1, |failure| failure.count.saturating_add(1));
            let rest = if took >= COSTLY {
                config.rest
            } else {
                FIRST_REST.saturating_mul(1 << (count - 1).min(10)).min(config.rest)
            };
            *failure = Some(Failure { cause: cause.clone(), until: Instant::now() + rest, count });
            self.resting.store(true, Ordering::Relaxed);
            count == 1
        };
        if first {
            let (_, text) = cause.told();
            config.tell(&Change::Down(server, text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn config(told: &Arc<Mutex<Vec<String>>>) -> RedisConfig {
        let mut config = RedisConfig::new(vec![Server::Tcp("cache".into(), 1)]).unwrap();
        let told = told.clone();
        config.listener = Some(Arc::new(move |change: &Change<'_>| told.lock().push(change.to_string())));
        config
    }

    #[test]
    fn a_costly_failure_is_paid_once_and_told_once() {
        let told = Arc::default();
        let (config, breaker) = (config(&told), Breaker::default());
        let server = &config.servers[0];
        breaker.check(&config).unwrap();
        let cause = Problem::ConnectLimit(config.connect_limit);
        breaker.failed(server, &config, &cause, config.connect_limit);
        for _ in 0..3 {
            let problem = breaker.check(&config).unwrap_err();
            assert!(matches!(problem, Problem::Resting(_, left) if left > Duration::from_millis(500)));
        }
        breaker.failed(server, &config, &cause, config.connect_limit);
        breaker.succeeded(server, &config);
        breaker.check(&config).unwrap();
        breaker.succeeded(server, &config);
        assert_eq!(*told.lock(), ["cache:1 is down: no connection within 2 s", "cache:1 is back"]);
    }

    #[test]
    fn only_one_caller_tries_when_the_rest_is_over() {
        let told = Arc::default();
        let (mut config, breaker) = (config(&told), Breaker::default());
        config.rest = Duration::from_nanos(1);
        let cause = Problem::Connect("connection refused".into());
        breaker.failed(&config.servers[0], &config, &cause, Duration::ZERO);
        breaker.check(&config).unwrap();
        assert!(breaker.check(&config).is_err());
    }

    #[test]
    fn who_gives_up_trying_leaves_it_to_the_next() {
        let told = Arc::default();
        let (mut config, breaker) = (config(&told), Breaker::default());
        config.rest = Duration::from_nanos(1);
        let cause = Problem::Connect("connection refused".into());
        breaker.failed(&config.servers[0], &config, &cause, Duration::ZERO);
        assert!(breaker.may_ask(&config).unwrap());
        assert!(breaker.may_ask(&config).is_err());
        breaker.abandon();
        assert!(breaker.may_ask(&config).unwrap());
    }
}
