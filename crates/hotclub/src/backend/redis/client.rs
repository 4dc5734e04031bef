//! The blocking client: a batch goes to the servers it belongs to, and the replies come back in its order.
use super::batch::{Answers, Batch, Effect};
use super::config::{Layout, ReadFrom, RedisConfig};
use super::error::Problem;
use super::handshake::Role;
use super::node::Node;
use crate::error::{Error, Result};
use crate::fork::{self, PerProcess};
use std::fmt;

/// A client of one server, of a primary and its replicas, or of a cluster.
///
/// Nothing happens before the first exchange: no connection, no name lookup. In the child of a fork it begins
/// anew and leaves the connections of its parent alone.
#[derive(Debug)]
pub struct Client {
    config: RedisConfig,
    place: String,
    state: PerProcess<Servers>,
}

/// A problem, and the server where it was met.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: Problem,
    pub(crate) place: String,
}

impl Failure {
    pub(crate) fn at(problem: Problem, place: &impl fmt::Display) -> Self {
        Failure { problem, place: place.to_string() }
    }
}

impl Client {
    /// A client that follows this configuration.
    ///
    /// # Errors
    /// As [`RedisConfig::check`].
    pub fn new(config: RedisConfig) -> Result<Self> {
        config.check()?;
        fork::watch();
        let places: Vec<_> = config.servers.iter().map(ToString::to_string).collect();
        Ok(Client { place: places.join(", "), config, state: PerProcess::new() })
    }

    /// What it was told.
    pub fn config(&self) -> &RedisConfig {
        &self.config
    }

    /// The servers it was told, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether keys belong to slots, so that a batch must be [started](Batch::start) with that in mind.
    #[inline]
    pub fn is_clustered(&self) -> bool {
        self.config.layout == Layout::Cluster
    }

    /// Sends a batch and waits for its replies, within the limits.
    ///
    /// Error replies of the server are replies, not errors.
    ///
    /// # Errors
    /// What was in the way, with the server's address.
    #[inline]
    pub fn exchange(&self, batch: &Batch, answers: &mut Answers) -> Result<()> {
        answers.clear();
        self.try_exchange(batch, answers).map_err(|failure| self.error(failure, batch))
    }

    #[cold]
    fn error(&self, failure: Failure, batch: &Batch) -> Error {
        failure.problem.into_error(batch.verb(), batch.effect(), &failure.place)
    }

    #[inline]
    fn try_exchange(&self, batch: &Batch, answers: &mut Answers) -> Result<(), Failure> {
        let servers = self.state.get_or(|| Servers::new(&self.config));
        let node = servers.node_for(batch.effect(), self.config.read_from);
        let received = &mut answers.received;
        node.exchange(&self.config, batch.effect(), batch.bytes(), batch.len(), received)
            .map_err(|problem| Failure::at(problem, &node.server))
    }

    /// An error for a reply of this batch that was not what it should be.
    #[cold]
    pub fn refuse(&self, batch: &Batch, problem: Problem) -> Error {
        problem.into_error(batch.verb(), batch.effect(), &self.place)
    }

    /// How many connections this process has to its servers.
    pub fn connections(&self) -> usize {
        self.state.get_or(|| Servers::new(&self.config)).nodes.iter().map(Node::connections).sum()
    }
}

/// A primary, and the replicas that were named with it.
#[derive(Debug)]
struct Servers {
    nodes: Vec<Node>,
}

impl Servers {
    fn new(config: &RedisConfig) -> Self {
        let servers = config.servers.iter().enumerate();
        let nodes = servers.map(|(number, server)| Node::new(server.clone(), Role::Data(number)));
        Servers { nodes: nodes.collect() }
    }

    #[inline]
    fn node_for(&self, effect: Effect, read_from: ReadFrom) -> &Node {
        &self.nodes[choose(self.nodes.len(), effect, read_from)]
    }
}

/// Which of `count` servers is asked: the first is the primary, the others are replicas.
#[inline]
pub fn choose(count: usize, effect: Effect, read_from: ReadFrom) -> usize {
    if count == 1 || effect != Effect::Read {
        return 0;
    }
    match read_from {
        ReadFrom::Primary => 0,
        ReadFrom::Replicas => 1 + random_below(count - 1),
        ReadFrom::Any => random_below(count),
    }
}

fn random_below(count: usize) -> usize {
    ((crate::core::random_fraction() * count as f64) as usize).min(count - 1)
}
