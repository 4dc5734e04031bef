//! Which servers there are, and to which of them a batch goes.
//!
//! What needs no connection is pure, so that every door uses it: [`course`] (the way of a batch through a
//! cluster), [`slots`] (who has which slot), [`redirect`] (error replies that send us elsewhere), [`service`]
//! (what sentinels say). The blocking door puts them to work in `servers`, `sentinel` and `cluster`.
use super::batch::{Answers, Batch, Effect};
use super::config::{Layout, ReadFrom, RedisConfig};
use super::error::{Failure, Problem};
use super::server::Server;
use super::slot::SLOTS;

pub(crate) mod cluster;
pub mod course;
mod known;
pub mod redirect;
pub(crate) mod sentinel;
mod servers;
pub mod service;
pub mod slots;

/// The servers of one client in one process.
#[derive(Debug)]
pub(crate) enum Topology {
    Servers(servers::Servers),
    Sentinel(Box<sentinel::Sentinel>),
    Cluster(Box<cluster::Cluster>),
}

impl Topology {
    pub(crate) fn new(config: &RedisConfig) -> Self {
        match &config.layout {
            Layout::Servers => Topology::Servers(servers::Servers::new(config)),
            Layout::Sentinel(service) => {
                Topology::Sentinel(Box::new(sentinel::Sentinel::new(config, service)))
            }
            Layout::Cluster => Topology::Cluster(Box::default()),
        }
    }

    #[inline]
    pub(crate) fn exchange(
        &self,
        config: &RedisConfig,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        match self {
            Topology::Servers(servers) => servers.exchange(config, batch, answers),
            Topology::Sentinel(sentinel) => sentinel.exchange(config, batch, answers),
            Topology::Cluster(cluster) => cluster.exchange(config, batch, answers),
        }
    }

    /// All primaries, found anew where they can change.
    pub(crate) fn nodes(&self, config: &RedisConfig) -> Result<Vec<Server>, Failure> {
        match self {
            Topology::Servers(servers) => Ok(servers.primaries()),
            Topology::Sentinel(sentinel) => sentinel.primaries(config),
            Topology::Cluster(cluster) => cluster.primaries(config),
        }
    }

    /// Sends a batch to this server as it is: redirections are replies.
    pub(crate) fn exchange_on(
        &self,
        config: &RedisConfig,
        server: &Server,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        match self {
            Topology::Servers(servers) => servers.exchange_on(config, server, batch, answers),
            Topology::Sentinel(sentinel) => sentinel.exchange_on(config, server, batch, answers),
            Topology::Cluster(cluster) => cluster.exchange_on(config, server, batch, answers),
        }
    }

    /// Where a batch goes as far as is known here, and whether that is a replica.
    pub(crate) fn route(&self, config: &RedisConfig, batch: &Batch) -> Option<(Server, bool)> {
        match self {
            Topology::Servers(_) => None,
            Topology::Sentinel(sentinel) => sentinel.route(config, batch),
            Topology::Cluster(cluster) => cluster.route(config, batch),
        }
    }

    pub(crate) fn connections(&self) -> usize {
        match self {
            Topology::Servers(servers) => servers.connections(),
            Topology::Sentinel(sentinel) => sentinel.connections(),
            Topology::Cluster(cluster) => cluster.connections(),
        }
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
        ReadFrom::Usual | ReadFrom::Replicas => 1 + below(count - 1, crate::core::random_fraction()),
        ReadFrom::Any => below(count, crate::core::random_fraction()),
    }
}

/// A number from 0 to `count`, that one excluded, for a random one from 0 to 1.
fn below(count: usize, random: f64) -> usize {
    ((random * count as f64) as usize).min(count - 1)
}

/// Nobody could be asked, and why. What a setting must mend stays what it is.
fn nobody(what: &str, causes: &[(Server, Problem)]) -> Problem {
    const SHOWN: usize = 5;
    let shown = |(server, problem): &(Server, Problem)| format!("{server}: {}", problem.told().1);
    match causes.first() {
        Some(first @ (_, Problem::Handshake(_))) => Problem::Handshake(shown(first)),
        Some((server, Problem::Tls(text))) => Problem::Tls(format!("{server}: {text}")),
        _ => {
            let shown: Vec<_> = causes.iter().take(SHOWN).map(shown).collect();
            Problem::Nobody(format!("{what}: {}", shown.join("; ")))
        }
    }
}

fn unknown(server: &Server) -> Failure {
    Failure::at(Problem::Nobody("it is none of the servers".to_owned()), server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_spread_and_writes_go_to_the_first() {
        for read_from in [ReadFrom::Usual, ReadFrom::Replicas, ReadFrom::Any, ReadFrom::Primary] {
            assert_eq!(choose(1, Effect::Read, read_from), 0);
            assert_eq!(choose(3, Effect::Idempotent, read_from), 0);
            let mut seen: Vec<_> = (0..300).map(|_| choose(3, Effect::Read, read_from)).collect();
            seen.sort_unstable();
            seen.dedup();
            match read_from {
                ReadFrom::Primary => assert_eq!(seen, [0]),
                ReadFrom::Any => assert_eq!(seen, [0, 1, 2]),
                _ => assert_eq!(seen, [1, 2]),
            }
        }
    }

    #[test]
    fn causes_are_told_with_their_servers() {
        let server = |port| Server::Tcp("a".into(), port);
        let refused = Problem::Connect("connection refused".into());
        let text = nobody("no node answers", &[(server(1), refused.clone()), (server(2), refused)]);
        assert_eq!(text.told().1, "no node answers: a:1: connection refused; a:2: connection refused");
        let wrong = nobody("no node answers", &[(server(1), Problem::Handshake("WRONGPASS".into()))]);
        assert!(matches!(wrong, Problem::Handshake(text) if text == "a:1: WRONGPASS"));
    }
}
