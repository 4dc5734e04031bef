//! The nodes of a cluster as one process sees them: a batch is split by node, and what is redirected follows.
use super::super::batch::{Answers, Batch, Effect};
use super::super::config::{ReadFrom, RedisConfig};
use super::super::error::{Failure, Problem};
use super::super::node::Node;
use super::super::server::Server;
use super::course::{Course, Leg, Next, first_redirect};
use super::known::Known;
use crate::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A map that was wrong in one slot is mended there; the whole is asked for at most this often.
pub(crate) const AFTER_A_MOVE: Duration = Duration::from_secs(1);
/// The same when a node is gone or nobody has a slot: another may have taken its place.
pub(crate) const IN_TROUBLE: Duration = Duration::from_millis(100);
/// What every primary must do is tried again after pauses that double, from the first to the last.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(10);
pub(crate) const LAST_PAUSE: Duration = Duration::from_millis(160);
/// Once a call has waited in vain for the cluster, further ones do not wait for so many milliseconds.
const HOPELESS: u64 = 250;

/// A cluster.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    known: Known,
    hopeless_until: AtomicU64,
}

/// How a batch sets out.
enum Start<'a> {
    /// Wherever its slots are.
    Anywhere,
    /// The same, and what has no slot goes to this server.
    Based(&'a Server),
    /// All of it has been sent to this node, as a replica or not, and this came of it.
    Tried(&'a Node, bool, Result<(), Problem>),
}

impl Cluster {
    pub(super) fn exchange(
        &self,
        config: &RedisConfig,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        if batch.is_everywhere() {
            return self.everywhere(config, batch, answers);
        }
        if wants_replicas(config, batch.effect()) && self.known.is_old() {
            self.known.refresh(config, IN_TROUBLE).ok();
        }
        let random = random(config, batch.effect());
        let node = batch
            .one_slot()
            .and_then(|slot| self.known.node_of(slot, batch.effect(), config.read_from, random));
        let Some((node, replica)) = node else { return self.travel(config, batch, answers, Start::Anywhere) };
        // The common case: one slot, and the map is right. Nothing is copied.
        let (bytes, count, received) = (batch.bytes(), batch.len(), &mut answers.received);
        let done = node.exchange(config, batch.effect(), bytes, count, received);
        if done.is_ok() && first_redirect(received.bytes(), count, &node.server).is_none() {
            return Ok(());
        }
        self.travel(config, batch, answers, Start::Tried(&node, replica, done))
    }

    /// Several slots, or a first trial that did not bring everything.
    fn travel(
        &self,
        config: &RedisConfig,
        batch: &Batch,
        answers: &mut Answers,
        start: Start<'_>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + config.reply_limit;
        let mut course = Course::new(batch, self.is_patient());
        match start {
            Start::Anywhere => self.known.need(config)?,
            Start::Based(server) => course = course.based_on(server),
            Start::Tried(node, replica, done) => {
                let leg = course.whole(node.server.clone(), replica);
                report(&mut course, &leg, done, answers, 0);
            }
        }
        let done = self.go(config, &mut course, answers, until);
        self.settle(&done);
        done.map(|()| answers.starts = course.finish())
    }

    /// Whether it is worth waiting a moment if the cluster is not ready.
    pub(crate) fn is_patient(&self) -> bool {
        Clock::system().now_ms() >= self.hopeless_until.load(Ordering::Relaxed)
    }

    /// What came of it when somebody did.
    pub(crate) fn settle(&self, done: &Result<(), Failure>) {
        if let Err(Failure { problem: Problem::Refused(_) | Problem::Nobody(_), .. }) = done {
            self.hopeless_until.store(Clock::system().now_ms() + HOPELESS, Ordering::Relaxed);
        }
    }

    /// The map of slots.
    #[cfg(feature = "redis")]
    pub(crate) fn known(&self) -> &Known {
        &self.known
    }

    fn go(
        &self,
        config: &RedisConfig,
        course: &mut Course<'_>,
        answers: &mut Answers,
        until: Instant,
    ) -> Result<(), Failure> {
        while let Next::Go { look, pause } = course.proceed()? {
            if Instant::now() + pause > until {
                return Err(course.late(config.reply_limit));
            }
            std::thread::sleep(pause);
            if self.known.note(course.moved()) {
                self.known.refresh(config, AFTER_A_MOVE).ok();
            }
            if look {
                // Without an answer the course goes on with the old map, and ends where that leads.
                self.known.refresh(config, IN_TROUBLE).ok();
            }
            let random = random(config, course.effect());
            let legs = self.known.with_map(|map| course.legs(map, config.read_from, random))?;
            let nodes: Vec<_> = legs.iter().map(|leg| self.known.node(&leg.server, leg.replica)).collect();
            carry(config, course, &nodes, &legs, answers, until);
        }
        Ok(())
    }

    /// The whole batch to every primary; their replies one behind the other.
    fn everywhere(&self, config: &RedisConfig, batch: &Batch, answers: &mut Answers) -> Result<(), Failure> {
        let until = Instant::now() + config.reply_limit;
        let mut done = Vec::new();
        let mut pause = FIRST_PAUSE;
        loop {
            let mut servers = self.primaries(config)?;
            servers.retain(|server| !done.contains(server));
            match self.to_all(config, batch, answers, &servers, &mut done, until) {
                Err(failure)
                    if may_pass(&failure.problem, batch.effect())
                        && pause <= LAST_PAUSE
                        && Instant::now() + pause < until => {}
                end => return end,
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    /// The first failure, after every server was heard.
    fn to_all(
        &self,
        config: &RedisConfig,
        batch: &Batch,
        answers: &mut Answers,
        servers: &[Server],
        done: &mut Vec<Server>,
        until: Instant,
    ) -> Result<(), Failure> {
        let nodes: Vec<_> = servers.iter().map(|server| self.known.node(server, false)).collect();
        let sent: Vec<_> =
            nodes.iter().map(|node| node.send(config, batch.effect(), batch.bytes())).collect();
        let mut end = Ok(());
        for (node, sent) in nodes.iter().zip(sent) {
            let (received, count) = (&mut answers.received, batch.len());
            let from = received.bytes().len();
            let heard = sent.and_then(|sent| node.receive_until(config, sent, count, received, until));
            let refused = heard.and_then(|()| {
                let refused = first_redirect(&received.bytes()[from..], count, &node.server);
                refused.map_or(Ok(()), |(_, text)| Err(Problem::Refused(text)))
            });
            match refused {
                Ok(()) => done.push(node.server.clone()),
                Err(problem) => {
                    received.truncate(from);
                    end = end.and(Err(Failure::at(problem, &node.server)));
                }
            }
        }
        end
    }

    /// Asked for anew: a primary that nobody here has met yet must not be left out.
    pub(super) fn primaries(&self, config: &RedisConfig) -> Result<Vec<Server>, Failure> {
        self.known.refresh(config, Duration::ZERO).map_err(|problem| self.known.failure(config, problem))?;
        Ok(self.known.with_map(|map| map.shards().iter().map(|shard| shard.primary.clone()).collect()))
    }

    pub(super) fn exchange_on(
        &self,
        config: &RedisConfig,
        server: &Server,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        self.travel(config, batch, answers, Start::Based(server))
    }

    pub(super) fn route(&self, config: &RedisConfig, batch: &Batch) -> Option<(Server, bool)> {
        let slot = batch.one_slot()?;
        let random = random(config, batch.effect());
        self.known.with_map(|map| {
            let (server, replica) = map.node(slot, batch.effect(), config.read_from, random)?;
            Some((server.clone(), replica))
        })
    }

    pub(super) fn connections(&self) -> usize {
        self.known.connections()
    }
}

/// All are asked before one is heard: they work at the same time.
fn carry(
    config: &RedisConfig,
    course: &mut Course<'_>,
    nodes: &[Arc<Node>],
    legs: &[Leg],
    answers: &mut Answers,
    until: Instant,
) {
    let effect = course.effect();
    let mut sent = Vec::with_capacity(legs.len());
    for (node, leg) in nodes.iter().zip(legs) {
        // Nodes that take no connections must not each cost a limit of their own.
        let is_late = Instant::now() > until;
        let late = || Err(Problem::ReplyLimit(config.reply_limit));
        sent.push(if is_late { late() } else { node.send(config, effect, &leg.bytes) });
    }
    for ((node, leg), sent) in nodes.iter().zip(legs).zip(sent) {
        let received = &mut answers.received;
        let from = received.bytes().len();
        let mut done = sent.and_then(|sent| node.receive_until(config, sent, leg.replies, received, until));
        if let Err(problem) = done {
            received.truncate(from);
            done = if problem.is_disconnect() {
                node.exchange_again(config, effect, &leg.bytes, leg.replies, received, problem)
            } else {
                Err(problem)
            };
        }
        report(course, leg, done, answers, from);
    }
}

/// Says what became of a leg whose replies begin there.
fn report(course: &mut Course<'_>, leg: &Leg, done: Result<(), Problem>, answers: &Answers, from: usize) {
    let arrived = done.and_then(|()| course.arrived(leg, answers.received.bytes(), from));
    if let Err(problem) = arrived {
        course.failed(leg, problem);
    }
}

/// Whether a primary that did not do it may be followed by one that does.
pub(crate) fn may_pass(problem: &Problem, effect: Effect) -> bool {
    match problem {
        Problem::Connect(_) | Problem::ConnectLimit(_) | Problem::Resting(..) | Problem::Refused(_) => true,
        Problem::Lost(_) => effect != Effect::Once,
        _ => false,
    }
}

/// Chooses among replicas, where somebody wants them.
pub(crate) fn random(config: &RedisConfig, effect: Effect) -> f64 {
    if wants_replicas(config, effect) { crate::core::random_fraction() } else { 0.0 }
}

fn wants_replicas(config: &RedisConfig, effect: Effect) -> bool {
    effect == Effect::Read && matches!(config.read_from, ReadFrom::Replicas | ReadFrom::Any)
}
