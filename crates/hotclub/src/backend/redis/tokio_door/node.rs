//! One server as the tasks of one runtime see it: two shared connections and a breaker.
use super::wire::Wire;
use crate::backend::redis::batch::{Effect, Received};
use crate::backend::redis::breaker::{Breaker, Pass};
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::error::Problem;
use crate::backend::redis::handshake::Role;
use crate::backend::redis::server::Server;
use hotclub_net::locks::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is sent to one server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) effect: Effect,
    pub(super) bytes: &'a [u8],
    pub(super) replies: usize,
}

/// More bytes than this are large.
const LARGE: usize = 64 * 1024;
/// More values than this are many.
const MANY: usize = 200;

impl Request<'_> {
    /// It is large itself, or asks for much: it must not stand before small ones. How large values are that are
    /// asked for is not known before they come, so their number counts.
    fn is_large(&self) -> bool {
        // MGET says after its first byte how many words it has.
        let words = self.bytes.get(1..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
        let words = words.fold(0_usize, |sum, digit| sum.saturating_mul(10) + usize::from(digit - b'0'));
        self.bytes.len() > LARGE || self.replies.max(words) > MANY
    }
}

/// A server and the way to it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) server: Server,
    role: Role,
    /// For what is small.
    express: Lane,
    /// For what is large, so that nothing small waits behind it.
    freight: Lane,
    /// Shared by all runtimes: what one learned about the server holds for the others.
    breaker: Arc<Breaker>,
}

impl Node {
    pub(super) fn new(server: Server, role: Role, breaker: Arc<Breaker>) -> Self {
        Node { server, role, express: Lane::default(), freight: Lane::default(), breaker }
    }

    /// Sends requests and puts the replies behind what was received before, within the limits. A connection that
    /// turns out to be dead is replaced once, if the effect allows that.
    pub(super) async fn exchange(
        &self,
        config: &RedisConfig,
        request: Request<'_>,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let first = self.carry(config, request, received).await;
        match first {
            Err(problem) if problem.is_disconnect() && request.effect != Effect::Once => {
                self.carry(config, request, received).await
            }
            done => done,
        }
    }

    async fn carry(
        &self,
        config: &RedisConfig,
        request: Request<'_>,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let pass = Pass::new(&self.breaker, config)?;
        let since = Instant::now();
        let lane = if request.is_large() { &self.freight } else { &self.express };
        let sure = request.effect == Effect::Once;
        let result = match lane.wire(self, config, sure).await {
            Ok(wire) => lane.carry(&wire, request, config.reply_limit, received).await,
            Err(problem) => Err(problem),
        };
        pass.used();
        match &result {
            Ok(()) => self.breaker.succeeded(&self.server, config),
            Err(problem) => self.breaker.note(&self.server, config, problem, since.elapsed()),
        }
        result
    }

    pub(super) fn is(&self, server: &Server, role: Role) -> bool {
        self.role == role && self.server == *server
    }

    /// How many connections there are to it.
    pub(super) fn connections(&self) -> usize {
        [&self.express, &self.freight].into_iter().filter(|lane| lane.usable(false).is_some()).count()
    }
}

/// A place for one connection, made when it is needed.
#[derive(Debug, Default)]
struct Lane {
    // Short: a pointer is read or replaced.
    current: Mutex<Option<Arc<Wire>>>,
    // Held while a connection is made, by one task; the others wait for what comes of it.
    making: tokio::sync::Mutex<()>,
    /// How often making one failed, and why the last time.
    failed: Mutex<(u64, Option<Problem>)>,
}

impl Lane {
    /// `sure`: a connection that is seen to be open, because what is sent must not be lost and cannot be sent
    /// twice.
    async fn wire(&self, node: &Node, config: &RedisConfig, sure: bool) -> Result<Arc<Wire>, Problem> {
        if let Some(wire) = self.usable(sure) {
            return Ok(wire);
        }
        let failures = self.failed.lock().0;
        let _making = self.making.lock().await;
        if let Some(wire) = self.usable(sure) {
            return Ok(wire);
        }
        if let (count, Some(cause)) = &*self.failed.lock()
            && *count != failures
        {
            // Somebody tried while this one waited: it would not fare better, and each costs time.
            return Err(Problem::Resting(Box::new(cause.clone()), Duration::ZERO));
        }
        match Wire::open(&node.server, config, node.role).await {
            Ok(wire) => {
                let wire = Arc::new(wire);
                // The one before may be dropped by this, which must not happen under the lock.
                let before = self.current.lock().replace(wire.clone());
                drop(before);
                Ok(wire)
            }
            Err(problem) => {
                let mut failed = self.failed.lock();
                *failed = (failed.0 + 1, Some(problem.clone()));
                Err(problem)
            }
        }
    }

    fn usable(&self, sure: bool) -> Option<Arc<Wire>> {
        let wire = self.current.lock().clone()?;
        (wire.is_alive() && (!sure || wire.is_open())).then_some(wire)
    }

    async fn carry(
        &self,
        wire: &Arc<Wire>,
        request: Request<'_>,
        limit: Duration,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let result = wire.exchange(request.bytes, request.replies, limit, received).await;
        if result.is_err() {
            // After any failure the next request gets a new connection; who still waits on this one may do so.
            let mut current = self.current.lock();
            let before = current.take_if(|current| Arc::ptr_eq(current, wire));
            drop(current);
            drop(before);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::batch::Batch;
    use crate::backend::redis::command;

    #[test]
    fn what_is_large_is_told_from_what_is_not() {
        let mut batch = Batch::default();
        let mut is_large = |write: &dyn Fn(&mut Batch)| {
            batch.start("test", Effect::Read, false);
            write(&mut batch);
            Request { effect: Effect::Read, bytes: batch.bytes(), replies: batch.len() }.is_large()
        };
        let set = |batch: &mut Batch, size| {
            command::set(batch, b"k", &vec![0; size], command::Expiry::Never, command::When::Always);
        };
        assert!(is_large(&|batch| set(batch, LARGE)));
        assert!(!is_large(&|batch| set(batch, LARGE / 2)));
        assert!(is_large(&|batch| command::get_many(batch, &vec!["key"; MANY])));
        assert!(!is_large(&|batch| command::get_many(batch, &["key"; 100])));
        assert!(is_large(&|batch| (0..=MANY).for_each(|_| command::get(batch, b"key"))));
    }
}
