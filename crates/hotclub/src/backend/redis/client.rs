//! The blocking client: a batch goes to the servers it belongs to, and the replies come back in its order.
use super::batch::{Answers, Batch};
use super::config::{Layout, RedisConfig};
pub(crate) use super::error::Failure;
use super::error::Problem;
use super::server::Server;
use super::topology::Topology;
pub use super::topology::choose;
#[cfg(feature = "redis")]
use super::topology::{cluster::Cluster, sentinel::Sentinel};
use crate::error::{Error, Result};
use crate::fork::{self, PerProcess};
use crate::remote::IntoError;

/// A client of one server, of a primary and its replicas, or of a cluster.
///
/// Nothing happens before the first exchange: no connection, no name lookup. In the child of a fork it begins
/// anew and leaves the connections of its parent alone.
#[derive(Debug)]
pub struct Client {
    config: RedisConfig,
    place: String,
    state: PerProcess<Topology>,
}

impl Client {
    /// A client that follows this configuration.
    ///
    /// # Errors
    /// As [`RedisConfig::check`].
    pub fn new(config: RedisConfig) -> Result<Self> {
        config.check()?;
        fork::watch();
        Ok(Client { place: config.place(), config, state: PerProcess::new() })
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
    /// Error replies of the server are replies, not errors; but for those that say "not here" or "not now" in a
    /// cluster and behind sentinels: such commands are sent again where that helps, and are an error at last.
    ///
    /// # Errors
    /// What was in the way, with the server's address.
    #[inline]
    pub fn exchange(&self, batch: &Batch, answers: &mut Answers) -> Result<()> {
        answers.clear();
        self.topology().exchange(&self.config, batch, answers).map_err(|failure| self.error(failure, batch))
    }

    /// The primaries: one, or those of a cluster, which is asked for them.
    ///
    /// # Errors
    /// Nobody could be asked.
    pub fn nodes(&self) -> Result<Vec<Server>> {
        let nodes = self.topology().nodes(&self.config);
        nodes.map_err(|failure| failure.into_error("discover", super::batch::Effect::Read))
    }

    /// Sends a batch to this one of the servers. In a cluster that is meant for commands without a key, such as
    /// `SCAN`: a command whose key was given its slot goes where that is.
    ///
    /// # Errors
    /// What was in the way, with the server's address.
    pub fn exchange_on(&self, node: &Server, batch: &Batch, answers: &mut Answers) -> Result<()> {
        answers.clear();
        let done = self.topology().exchange_on(&self.config, node, batch, answers);
        done.map_err(|failure| self.error(failure, batch))
    }

    /// Where a batch goes as far as is known without asking anybody, and whether that is a replica. For doors with
    /// sockets of their own; `None`: it goes to several servers, or they must first be looked for.
    pub fn route(&self, batch: &Batch) -> Option<(Server, bool)> {
        self.topology().route(&self.config, batch)
    }

    #[inline]
    pub(crate) fn topology(&self) -> &Topology {
        self.state.get_or(|| Topology::new(&self.config))
    }

    /// The sentinels, if there are some.
    #[cfg(feature = "redis")]
    pub(crate) fn sentinel(&self) -> Option<&Sentinel> {
        if let Topology::Sentinel(sentinel) = self.topology() { Some(sentinel) } else { None }
    }

    /// The cluster, if it is one.
    #[cfg(feature = "redis")]
    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        if let Topology::Cluster(cluster) = self.topology() { Some(cluster) } else { None }
    }

    #[cold]
    fn error(&self, failure: Failure, batch: &Batch) -> Error {
        failure.into_error(batch.verb(), batch.effect())
    }

    /// An error for a reply of this batch that was not what it should be.
    #[cold]
    pub fn refuse(&self, batch: &Batch, problem: Problem) -> Error {
        problem.into_error("redis", batch.verb(), batch.effect(), &self.place)
    }

    /// How many connections this process has to its servers.
    pub fn connections(&self) -> usize {
        self.topology().connections()
    }
}
