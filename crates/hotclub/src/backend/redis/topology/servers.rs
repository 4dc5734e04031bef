//! A primary and the replicas that were named with it: Django's list of locations. Nothing is looked for.
use super::super::batch::{Answers, Batch};
use super::super::config::RedisConfig;
use super::super::error::Failure;
use super::super::handshake::Role;
use super::super::node::{Node, exchange_batch};
use super::super::server::Server;
use super::{choose, unknown};

/// One server, mostly: the hot path of this room.
#[derive(Debug)]
pub(crate) struct Servers {
    /// Never empty.
    nodes: Vec<Node>,
}

impl Servers {
    pub(super) fn new(config: &RedisConfig) -> Self {
        let servers = config.servers.iter().enumerate();
        let nodes = servers.map(|(number, server)| Node::new(server.clone(), Role::Data(number)));
        Servers { nodes: nodes.collect() }
    }

    #[inline]
    pub(super) fn exchange(
        &self,
        config: &RedisConfig,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let node = &self.nodes[choose(self.nodes.len(), batch.effect(), config.read_from)];
        exchange_batch(node, config, batch, answers)
    }

    pub(super) fn primaries(&self) -> Vec<Server> {
        vec![self.nodes[0].server.clone()]
    }

    pub(super) fn exchange_on(
        &self,
        config: &RedisConfig,
        server: &Server,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let node = self.nodes.iter().find(|node| node.server == *server).ok_or_else(|| unknown(server))?;
        exchange_batch(node, config, batch, answers)
    }

    pub(super) fn connections(&self) -> usize {
        self.nodes.iter().map(Node::connections).sum()
    }
}
