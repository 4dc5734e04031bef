//! A primary that sentinels know, and its replicas. After a failover it is looked for again, by one caller.
use super::super::batch::{Answers, Batch, Effect};
use super::super::config::{Change, RedisConfig};
use super::super::error::{Failure, Problem};
use super::super::handshake::Role;
use super::super::node::{Node, exchange_batch};
use super::super::server::Server;
use super::course::{first_redirect, is_one_step};
use super::{choose, nobody, service, unknown};
use crate::clock::Clock;
use hotclub_net::Terms;
use hotclub_net::locks::{RwLock, TimedMutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After this many milliseconds the sentinels are asked again even if all is well: replicas come back, and a
/// primary may have lost its place without a word to us.
const LOOK_AGAIN: u64 = 10_000;
/// The same once a replica cannot be used: the sentinels will know of others, or that it is gone.
const LOOK_SOON: u64 = 500;
/// After two searches within a second that found a primary, the next one waits for this.
const AFTER_SUCCESS: Duration = Duration::from_millis(50);
const SHORTLY: Duration = Duration::from_secs(1);
/// After a search that did not: this, and each time twice as long, up to `LONGEST_REST` and `config.rest`.
const FIRST_REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_millis(250);
/// A search that took longer than this rests for the whole of `config.rest`.
const COSTLY: Duration = Duration::from_millis(100);

/// What a process knows of one service.
#[derive(Debug)]
pub(crate) struct Sentinel {
    service: String,
    watchers: Vec<Node>,
    // Not `crate::sync`: no model checks these, and one is waited for with a limit.
    // Short: a pointer is read or replaced.
    group: RwLock<Option<Arc<Group>>>,
    /// Held while sentinels are asked: one caller does, the others wait for what it finds.
    turn: TimedMutex<Turn>,
    look_at: AtomicU64,
}

/// A primary and the replicas that can be read from.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) primary: Arc<Node>,
    pub(crate) replicas: Vec<Arc<Node>>,
}

#[derive(Debug, Default)]
struct Turn {
    /// The sentinel that answered last: it is asked first.
    first: usize,
    last: Option<Instant>,
    not_before: Option<Instant>,
    failures: u32,
    problem: Option<Problem>,
}

impl Sentinel {
    pub(super) fn new(config: &RedisConfig, service: &str) -> Self {
        let watchers = config.servers.iter().map(|server| Node::new(server.clone(), Role::Sentinel));
        Sentinel {
            service: service.to_owned(),
            watchers: watchers.collect(),
            group: RwLock::default(),
            turn: TimedMutex::default(),
            look_at: AtomicU64::new(0),
        }
    }

    pub(super) fn exchange(
        &self,
        config: &RedisConfig,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let group = self.group(config)?;
        match self.try_exchange(config, &group, batch, answers) {
            Ok(()) => Ok(()),
            Err(failure) => self.exchange_again(config, &group, failure, batch, answers),
        }
    }

    /// After a failure that may mean another primary. A refusal says that nothing was done; of a connection that
    /// broke nobody knows.
    #[cold]
    fn exchange_again(
        &self,
        config: &RedisConfig,
        group: &Arc<Group>,
        failure: Failure,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let is_done_perhaps = batch.effect() == Effect::Once && !was_nothing_done(&failure.problem, batch);
        if is_done_perhaps || !may_be_elsewhere(&failure.problem) {
            // It is an error, and the next call looks first.
            self.look_first();
            return Err(if is_done_perhaps { failure.ambiguous() } else { failure });
        }
        match self.search(config, Some(group)) {
            Ok(found) => {
                answers.clear();
                self.try_exchange(config, &found, batch, answers)
            }
            Err(Some(problem)) => Err(self.failure(config, problem)),
            Err(None) => Err(failure),
        }
    }

    fn try_exchange(
        &self,
        config: &RedisConfig,
        group: &Group,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let count = group.replicas.len();
        let chosen = choose(1 + count, batch.effect(), config.read_from);
        // The chosen replica, then the others, then the primary.
        for index in 0..if chosen == 0 { 0 } else { count } {
            let replica = &group.replicas[(chosen - 1 + index) % count];
            match ask(replica, config, batch, answers) {
                Err(failure) if may_be_elsewhere(&failure.problem) => {
                    self.look_soon();
                    answers.clear();
                }
                done => return done,
            }
        }
        ask(&group.primary, config, batch, answers)
    }

    /// What is known, refreshed now and then.
    pub(crate) fn group(&self, config: &RedisConfig) -> Result<Arc<Group>, Failure> {
        let now = Clock::system().now_ms();
        let known = self.group.read().clone();
        match known {
            Some(group) if now < self.look_at.load(Ordering::Relaxed) => Ok(group),
            // One caller looks, the others go on with what they have.
            Some(group) if now < self.look_at.swap(now + LOOK_AGAIN, Ordering::Relaxed) => Ok(group),
            Some(group) => Ok(self.search(config, Some(&group)).unwrap_or(group)),
            None => self.search(config, None).map_err(|problem| {
                let none = || Problem::Nobody("no primary is known".to_owned());
                self.failure(config, problem.unwrap_or_else(none))
            }),
        }
    }

    /// Finds the primary, unless another caller has done so since `seen`. Not one search per call: `None` is an
    /// error that says "a moment ago all was well".
    #[cold]
    pub(crate) fn search(
        &self,
        config: &RedisConfig,
        seen: Option<&Arc<Group>>,
    ) -> Result<Arc<Group>, Option<Problem>> {
        let limit = config.connect_limit.saturating_add(config.reply_limit);
        let Some(mut turn) = self.turn.lock_for(limit) else { return Err(None) };
        if let Some(known) = self.newer_than(seen) {
            return Ok(known);
        }
        let known = self.group.read().clone();
        let now = Instant::now();
        if turn.not_before.is_some_and(|time| now < time) {
            return Err(turn.problem.clone());
        }
        let looked = self.look(config, known.as_deref(), &mut turn.first, now + limit);
        turn.settle(now.elapsed(), config, looked.as_ref().err());
        let found = Arc::new(looked.map_err(Some)?);
        if let Some(known) = known.as_ref().filter(|known| known.is_same(&found)) {
            return Ok(known.clone());
        }
        *self.group.write() = Some(found.clone());
        self.look_at.store(Clock::system().now_ms() + LOOK_AGAIN, Ordering::Relaxed);
        drop(turn);
        if known.is_some_and(|known| known.primary.server != found.primary.server) {
            config.tell(&Change::Primary(&found.primary.server));
        }
        Ok(found)
    }

    /// What is known, if it is something else than what was seen.
    pub(crate) fn newer_than(&self, seen: Option<&Arc<Group>>) -> Option<Arc<Group>> {
        let known = self.group.read().clone()?;
        (!seen.is_some_and(|seen| Arc::ptr_eq(seen, &known))).then_some(known)
    }

    /// What is known, if it needs no refreshing: [`Sentinel::group`] without any waiting.
    #[cfg(feature = "redis")]
    pub(crate) fn at_hand(&self) -> Option<Arc<Group>> {
        let is_fresh = Clock::system().now_ms() < self.look_at.load(Ordering::Relaxed);
        if is_fresh { self.group.read().clone() } else { None }
    }

    /// The next who needs a server looks for it first.
    pub(crate) fn look_first(&self) {
        self.look_at.store(0, Ordering::Relaxed);
    }

    /// A replica cannot be used: the sentinels are asked before long.
    pub(crate) fn look_soon(&self) {
        self.look_at.fetch_min(Clock::system().now_ms() + LOOK_SOON, Ordering::Relaxed);
    }

    /// Asks one sentinel after the other until one names a primary that says so itself.
    fn look(
        &self,
        config: &RedisConfig,
        known: Option<&Group>,
        first: &mut usize,
        until: Instant,
    ) -> Result<Group, Problem> {
        let mut causes = Vec::new();
        for step in 0..self.watchers.len() {
            let index = (*first + step) % self.watchers.len();
            match self.ask(config, &self.watchers[index], known) {
                Ok(group) => {
                    *first = index;
                    return Ok(group);
                }
                Err(cause) => causes.push(cause),
            }
            if Instant::now() > until {
                break;
            }
        }
        causes.dedup_by(|one, other| one.0 == other.0);
        Err(nobody("there is no primary", &causes))
    }

    fn ask(
        &self,
        config: &RedisConfig,
        watcher: &Node,
        known: Option<&Group>,
    ) -> Result<Group, (Server, Problem)> {
        let (primary, replicas) =
            self.addresses(config, watcher).map_err(|problem| (watcher.server.clone(), problem))?;
        let primary = Group::node(known, primary, Role::Primary);
        check_role(config, &primary).map_err(|problem| (primary.server.clone(), problem))?;
        let replicas = replicas.into_iter().filter(|replica| *replica != primary.server);
        let replicas = replicas.map(|replica| Group::node(known, replica, Role::Data(0))).collect();
        Ok(Group { primary, replicas })
    }

    fn addresses(&self, config: &RedisConfig, watcher: &Node) -> Result<(Server, Vec<Server>), Problem> {
        let (mut batch, mut answers) = (Batch::default(), Answers::default());
        let asked = &watcher.server;
        service::ask(&mut batch, &self.service);
        watcher.exchange(config, batch.effect(), batch.bytes(), batch.len(), &mut answers.received)?;
        let mut replies = answers.replies();
        let mut next = || replies.next().ok_or_else(|| Problem::Malformed("there is no reply".to_owned()));
        let primary = service::primary(&next()??, &self.service, asked)?;
        match service::replicas(&next()??, asked) {
            Err(Problem::Refused(_)) => {}
            replicas => return Ok((primary, replicas?)),
        }
        service::ask_for_slaves(&mut batch, &self.service);
        answers.clear();
        watcher.exchange(config, batch.effect(), batch.bytes(), batch.len(), &mut answers.received)?;
        Ok((primary, service::replicas(&answers.first()?, asked)?))
    }

    pub(crate) fn failure(&self, config: &RedisConfig, problem: Problem) -> Failure {
        Failure { problem, place: config.place() }
    }

    pub(super) fn primaries(&self, config: &RedisConfig) -> Result<Vec<Server>, Failure> {
        Ok(vec![self.group(config)?.primary.server.clone()])
    }

    pub(super) fn exchange_on(
        &self,
        config: &RedisConfig,
        server: &Server,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let group = self.group(config)?;
        let mut nodes = group.replicas.iter().chain([&group.primary]);
        let node = nodes.find(|node| node.server == *server).ok_or_else(|| unknown(server))?;
        exchange_batch(node, config, batch, answers)
    }

    /// Those to the sentinels are counted too.
    pub(super) fn route(&self, config: &RedisConfig, batch: &Batch) -> Option<(Server, bool)> {
        if Clock::system().now_ms() >= self.look_at.load(Ordering::Relaxed) {
            return None;
        }
        let group = self.group.read().clone()?;
        match choose(1 + group.replicas.len(), batch.effect(), config.read_from) {
            0 => Some((group.primary.server.clone(), false)),
            number => Some((group.replicas[number - 1].server.clone(), true)),
        }
    }

    pub(super) fn connections(&self) -> usize {
        let group = self.group.read().clone();
        let group = group.iter().flat_map(|group| group.replicas.iter().chain([&group.primary]));
        let nodes = group.map(AsRef::as_ref).chain(&self.watchers);
        nodes.map(Node::connections).sum()
    }
}

impl Turn {
    /// When the next search may be.
    fn settle(&mut self, took: Duration, config: &RedisConfig, problem: Option<&Problem>) {
        self.problem = problem.cloned();
        let before = self.last.replace(Instant::now());
        let rest = if problem.is_none() {
            self.failures = 0;
            let is_second = before.is_some_and(|before| before.elapsed() < SHORTLY);
            if is_second { AFTER_SUCCESS } else { Duration::ZERO }
        } else {
            self.failures = self.failures.saturating_add(1);
            let doubled = FIRST_REST * (1 << (self.failures - 1).min(10));
            if took < COSTLY { doubled.min(LONGEST_REST) } else { config.rest }
        };
        self.not_before = Some(Instant::now() + rest.min(config.rest));
    }
}

impl Group {
    /// A node that is known keeps its connections.
    fn node(known: Option<&Group>, server: Server, role: Role) -> Arc<Node> {
        let known = known.and_then(|group| match role {
            Role::Primary => Some(&group.primary).filter(|node| node.server == server),
            _ => group.replicas.iter().find(|node| node.server == server),
        });
        known.cloned().unwrap_or_else(|| Arc::new(Node::new(server, role)))
    }

    /// Whether this server is one of them.
    #[cfg(feature = "redis")]
    pub(crate) fn has(&self, server: &Server) -> bool {
        self.replicas.iter().chain([&self.primary]).any(|node| node.server == *server)
    }

    fn is_same(&self, other: &Group) -> bool {
        let mut pairs = self.replicas.iter().zip(&other.replicas);
        Arc::ptr_eq(&self.primary, &other.primary)
            && self.replicas.len() == other.replicas.len()
            && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

/// Whether this server is a primary, in its own words: sentinels learn of changes a moment later.
fn check_role(config: &RedisConfig, node: &Node) -> Result<(), Problem> {
    let (mut batch, mut answers) = (Batch::default(), Answers::default());
    batch.start("discover", Effect::Read, false);
    batch.command("ROLE", 1);
    node.exchange(config, batch.effect(), batch.bytes(), batch.len(), &mut answers.received)?;
    service::check_role(&answers.first()?)
}

/// A reply that says "not here" or "not now" is a failure of this server.
fn ask(node: &Node, config: &RedisConfig, batch: &Batch, answers: &mut Answers) -> Result<(), Failure> {
    exchange_batch(node, config, batch, answers)?;
    match first_redirect(answers.received.bytes(), batch.len(), &node.server) {
        None => Ok(()),
        Some((_, text)) => Err(Failure::at(Problem::Refused(text), &node.server)),
    }
}

/// Whether it is certain that nothing of the batch was done.
pub(crate) fn was_nothing_done(problem: &Problem, batch: &Batch) -> bool {
    match problem {
        // What was refused is one of the commands: others may have been served before or after.
        Problem::Refused(_) => is_one_step(batch),
        problem => !problem.is_ambiguous(),
    }
}

/// Whether another server may be the one to ask. Not after a limit of time: that time is gone.
pub(crate) fn may_be_elsewhere(problem: &Problem) -> bool {
    match problem {
        Problem::Connect(_) | Problem::ConnectLimit(_) | Problem::Lost(_) | Problem::Resting(..) => true,
        // Only such refusals come here as problems: see `ask`, and the role in the handshake.
        Problem::Refused(_) => true,
        Problem::Handshake(_) => problem.is_server_down(),
        _ => false,
    }
}
