//! What one process knows of a cluster: the map of slots, and the nodes with their connections.
use super::super::batch::{Answers, Batch, Effect};
use super::super::config::{ReadFrom, RedisConfig};
use super::super::error::{Failure, Problem};
use super::super::handshake::Role;
use super::super::node::Node;
use super::super::server::Server;
use super::nobody;
use super::slots::{Shard, SlotMap};
use crate::clock::Clock;
use hotclub_net::locks::{RwLock, TimedMutex};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After so many milliseconds a map is old.
const LOOK_AGAIN: u64 = 10_000;

/// The map and the nodes.
#[derive(Debug, Default)]
pub(crate) struct Known {
    // Not `crate::sync`: no model checks these, and one is waited for with a limit.
    // Short: looked up and changed in memory.
    state: RwLock<State>,
    /// Held while nodes are asked: one caller does, the others wait for what it learns.
    turn: TimedMutex<Turn>,
    /// From then on the map is old, by the coarse clock.
    old_from: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    map: SlotMap,
    /// Two ways to each server: a connection for reading from a replica has said so.
    nodes: HashMap<Server, [Option<Arc<Node>>; 2]>,
}

#[derive(Debug, Default)]
struct Turn {
    last: Option<Instant>,
    problem: Option<Problem>,
    /// Not always the same node first: one may be wrong.
    count: usize,
}

impl Known {
    /// The node that is asked for this slot, and whether as a replica.
    #[inline]
    pub(super) fn node_of(
        &self,
        slot: u16,
        effect: Effect,
        read_from: ReadFrom,
        random: f64,
    ) -> Option<(Arc<Node>, bool)> {
        let state = self.state.read();
        let (server, replica) = state.map.node(slot, effect, read_from, random)?;
        if let Some(node) = state.node(server, replica) {
            return Some((node, replica));
        }
        let server = server.clone();
        drop(state);
        Some((self.node(&server, replica), replica))
    }

    /// The node at this address, which may be a new one.
    pub(super) fn node(&self, server: &Server, replica: bool) -> Arc<Node> {
        if let Some(node) = self.state.read().node(server, replica) {
            return node;
        }
        let mut state = self.state.write();
        let role = if replica { Role::ClusterReplica } else { Role::Data(0) };
        let make = || Arc::new(Node::new(server.clone(), role));
        state.nodes.entry(server.clone()).or_default()[usize::from(replica)].get_or_insert_with(make).clone()
    }

    pub(crate) fn with_map<T>(&self, look: impl FnOnce(&SlotMap) -> T) -> T {
        look(&self.state.read().map)
    }

    /// Notes slots that have moved; whether there were any.
    pub(crate) fn note(&self, moved: impl Iterator<Item = (u16, Server)>) -> bool {
        let mut moved = moved.peekable();
        if moved.peek().is_none() {
            return false;
        }
        let mut state = self.state.write();
        moved.for_each(|(slot, server)| state.map.moved(slot, server));
        true
    }

    /// Whether nothing is known.
    #[cfg(feature = "redis")]
    pub(crate) fn is_empty(&self) -> bool {
        self.state.read().map.is_empty()
    }

    /// Whether this server is one of the nodes, or was named as one.
    #[cfg(feature = "redis")]
    pub(crate) fn has(&self, config: &RedisConfig, server: &Server) -> bool {
        is_part(config, &self.state.read().map, server)
    }

    /// What came of asking for the map, if that was done less than `gap` ago and nobody is at it now.
    #[cfg(feature = "redis")]
    pub(crate) fn asked_within(&self, gap: Duration) -> Option<Result<(), Problem>> {
        let turn = self.turn.lock_for(Duration::ZERO)?;
        let lately = turn.last.is_some_and(|last| last.elapsed() < gap);
        lately.then(|| turn.problem.clone().map_or(Ok(()), Err))
    }

    /// Whether the map is so old that there may be other replicas by now, of which no reply tells. Only one caller
    /// hears that it is, and should refresh it.
    pub(crate) fn is_old(&self) -> bool {
        let now = Clock::system().now_ms();
        now >= self.old_from.load(Ordering::Relaxed)
            && now >= self.old_from.swap(now + LOOK_AGAIN, Ordering::Relaxed)
    }

    /// Asks for the map if there is none.
    pub(super) fn need(&self, config: &RedisConfig) -> Result<(), Failure> {
        if !self.state.read().map.is_empty() {
            return Ok(());
        }
        // Others who had none either may just have failed: a tenth of a second is nothing to a cluster.
        let asked = self.refresh(config, Duration::from_millis(100));
        asked.map_err(|problem| self.failure(config, problem))
    }

    /// Asks for the map, unless that was done less than `gap` ago: then what came of it counts.
    #[cold]
    pub(crate) fn refresh(&self, config: &RedisConfig, gap: Duration) -> Result<(), Problem> {
        let began = Instant::now();
        let limit = config.connect_limit.saturating_add(config.reply_limit);
        let Some(mut turn) = self.turn.lock_for(limit) else {
            return Err(Problem::ReplyLimit(limit));
        };
        if turn.last.is_some_and(|last| last >= began || last.elapsed() < gap) {
            return turn.problem.clone().map_or(Ok(()), Err);
        }
        turn.count = turn.count.wrapping_add(1);
        let asked = self.ask_somebody(config, turn.count, began + limit);
        (turn.last, turn.problem) = (Some(Instant::now()), asked.as_ref().err().cloned());
        asked
    }

    fn ask_somebody(&self, config: &RedisConfig, count: usize, until: Instant) -> Result<(), Problem> {
        let mut causes = Vec::new();
        for server in self.candidates(config, count) {
            match self.ask(config, &server) {
                Ok(map) => {
                    self.install(config, map);
                    return Ok(());
                }
                Err(problem) => causes.push((server, problem)),
            }
            if Instant::now() > until {
                break;
            }
        }
        Err(nobody("no node of the cluster can be asked", &causes))
    }

    /// Nodes that are known, beginning with a different one each time; then those that we were told at first.
    fn candidates(&self, config: &RedisConfig, count: usize) -> Vec<Server> {
        let mut known: Vec<_> = {
            let state = self.state.read();
            let shards = state.map.shards().iter();
            shards.flat_map(|shard| [&shard.primary].into_iter().chain(&shard.replicas)).cloned().collect()
        };
        if !known.is_empty() {
            let first = count % known.len();
            known.rotate_left(first);
        }
        let told = config.servers.iter().filter(|server| !known.contains(server)).cloned();
        let told: Vec<_> = told.collect();
        known.into_iter().chain(told).collect()
    }

    fn ask(&self, config: &RedisConfig, server: &Server) -> Result<SlotMap, Problem> {
        let (mut batch, mut answers) = (Batch::default(), Answers::default());
        SlotMap::ask(&mut batch);
        let node = self.node(server, false);
        node.exchange(config, batch.effect(), batch.bytes(), batch.len(), &mut answers.received)?;
        let map = SlotMap::parse(&answers.first()?, server)?;
        if map.is_empty() { Err(Problem::Nobody("it knows of no slots".to_owned())) } else { Ok(map) }
    }

    /// Nodes that are no longer part of it lose their connections.
    fn install(&self, config: &RedisConfig, map: SlotMap) {
        let mut state = self.state.write();
        let gone: Vec<_> = state.nodes.extract_if(|server, _| !is_part(config, &map, server)).collect();
        state.map = map;
        self.old_from.store(Clock::system().now_ms() + LOOK_AGAIN, Ordering::Relaxed);
        drop(state);
        // Closing connections takes time, and nobody should wait for it.
        drop(gone);
    }

    pub(crate) fn failure(&self, config: &RedisConfig, problem: Problem) -> Failure {
        Failure { problem, place: config.place() }
    }

    pub(super) fn connections(&self) -> usize {
        let state = self.state.read();
        state.nodes.values().flatten().flatten().map(|node| node.connections()).sum()
    }
}

fn is_part(config: &RedisConfig, map: &SlotMap, server: &Server) -> bool {
    let in_shard = |shard: &Shard| shard.primary == *server || shard.replicas.contains(server);
    config.servers.contains(server) || map.shards().iter().any(in_shard)
}

impl State {
    fn node(&self, server: &Server, replica: bool) -> Option<Arc<Node>> {
        self.nodes.get(server)?[usize::from(replica)].clone()
    }
}
