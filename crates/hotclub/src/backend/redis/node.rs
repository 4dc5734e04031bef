//! One server with its pool and its breaker: an exchange, tried once more where that is safe.
use super::batch::{Answers, Batch, Effect, Received};
use super::breaker::Breaker;
use super::config::RedisConfig;
use super::error::{Failure, Problem};
use super::handshake::Role;
use super::pool::{Lent, Pool};
use super::server::Server;
use std::time::Instant;

/// A server as this process sees it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) server: Server,
    role: Role,
    pool: Pool,
    breaker: Breaker,
}

/// A request that has been sent and not yet answered.
pub(crate) struct Sent<'a> {
    lent: Lent<'a>,
    since: Instant,
}

impl Node {
    pub(crate) fn new(server: Server, role: Role) -> Self {
        Node { server, role, pool: Pool::new(), breaker: Breaker::default() }
    }

    /// Sends a batch; what goes wrong, goes wrong here.
    #[inline]
    pub(crate) fn exchange_batch(
        &self,
        config: &RedisConfig,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        self.exchange(config, batch.effect(), batch.bytes(), batch.len(), &mut answers.received)
            .map_err(|problem| Failure::at(problem, &self.server))
    }

    /// Sends requests and puts the replies behind what was received before.
    ///
    /// A connection that turns out to be dead is replaced once, if `effect` allows that.
    #[inline]
    pub(crate) fn exchange(
        &self,
        config: &RedisConfig,
        effect: Effect,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let before = received.bytes().len();
        let sent = self.send(config, effect, bytes);
        match sent.and_then(|sent| self.receive(config, sent, replies, received)) {
            Err(problem) if problem.is_disconnect() => {
                received.truncate(before);
                self.exchange_again(config, effect, bytes, replies, received, problem)
            }
            done => done,
        }
    }

    /// After a connection broke: with another one, if `effect` allows that.
    #[cold]
    pub(crate) fn exchange_again(
        &self,
        config: &RedisConfig,
        effect: Effect,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
        problem: Problem,
    ) -> Result<(), Problem> {
        // What else waits in the pool leads to the same dead server.
        self.pool.forget_idle();
        if effect == Effect::Once {
            return Err(problem);
        }
        let sent = self.send(config, effect, bytes)?;
        self.receive(config, sent, replies, received)
    }

    /// The first half of an exchange: several nodes work at the same time if all are asked before one is heard.
    #[inline]
    pub(crate) fn send(
        &self,
        config: &RedisConfig,
        effect: Effect,
        bytes: &[u8],
    ) -> Result<Sent<'_>, Problem> {
        self.breaker.check(config)?;
        // Two readings of a precise clock cost less than a tenth of what the system calls do.
        let since = Instant::now();
        let sure = effect == Effect::Once;
        let sent = self.pool.take(&self.server, config, self.role, sure).and_then(|mut lent| {
            lent.connection().send(bytes)?;
            Ok(Sent { lent, since })
        });
        sent.inspect_err(|problem| self.breaker.note(&self.server, config, problem, since.elapsed()))
    }

    /// The second half of an exchange.
    #[inline]
    pub(crate) fn receive(
        &self,
        config: &RedisConfig,
        mut sent: Sent<'_>,
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        match sent.lent.connection().receive(replies, received) {
            Ok(()) => {
                sent.lent.give_back();
                self.breaker.succeeded(&self.server, config);
                Ok(())
            }
            Err(problem) => {
                self.breaker.note(&self.server, config, &problem, sent.since.elapsed());
                Err(problem)
            }
        }
    }

    /// As [`Node::receive`], for a caller that has waited for other nodes too: who is silent at the end of the
    /// limit that they share does not get another one.
    pub(crate) fn receive_until(
        &self,
        config: &RedisConfig,
        mut sent: Sent<'_>,
        replies: usize,
        received: &mut Received,
        until: Instant,
    ) -> Result<(), Problem> {
        if Instant::now() > until && sent.lent.connection().is_idle() {
            let problem = Problem::ReplyLimit(config.reply_limit);
            self.breaker.note(&self.server, config, &problem, sent.since.elapsed());
            return Err(problem);
        }
        self.receive(config, sent, replies, received)
    }

    /// How many connections there are to it.
    pub(crate) fn connections(&self) -> usize {
        self.pool.open()
    }
}
