//! Where the nodes are, who we are to them, how long we wait.
use crate::distribution::Distribution;
use hotclub_net::{Listener, Misconfigured, Server, Tls};
use std::fmt;
use std::time::Duration;

/// Who we are to servers that were started with an authentication file (`-Y`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    /// Never shows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What becomes of the keys of a node that cannot be reached. They do not move to other nodes, unless [`Config::leave`]
/// says so: what is written there would be found again, older than what replaced it, when the node comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AbsentNodes {
    /// Reads miss, and writes of values report that they did not take place. What must not get lost (deleting,
    /// touching, adding, counting, clearing) is an error.
    #[default]
    Miss,
    /// Everything is an error.
    Raise,
    /// pymemcache's: whoever is the first to meet the failure gets an error; until the node is asked again, everything
    /// on it is silently not done. Deletions are done before the node is used again, as always.
    Silent,
    /// No verb on a key is an error: what was not done is told by what the verb returns, if at all. Removing everything is.
    Ignore,
}

/// When a node leaves the ring, so that its keys move to others. It is emptied before it is used again: what is changed
/// meanwhile is changed elsewhere. Only for the distribution of pymemcache, whose timers these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leave {
    /// So many trials after the first failure, one after each rest.
    pub attempts: u32,
    /// So long it stays away.
    pub dead: Duration,
}

/// Everything that a client is told. Start from [`Config::new`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The nodes. Never empty; their order counts for the distributions of libmemcached.
    pub servers: Vec<Server>,
    /// How keys are shared out among them.
    pub distribution: Distribution,
    /// What becomes of the keys of a node that cannot be reached.
    pub absent: AbsentNodes,
    /// When a node that cannot be reached leaves the ring. Default: never.
    pub leave: Option<Leave>,
    /// Who we are.
    pub login: Option<Login>,
    /// TLS, if it is wanted.
    pub tls: Option<Tls>,
    /// A connection that is not there after this time is an error. Default 2 s.
    pub connect_limit: Duration,
    /// A reply that is not there after this time is an error, and its connection is dropped. Default 5 s.
    pub reply_limit: Duration,
    /// At most this many connections to each node, in each process. Default 64.
    pub pool_size: usize,
    /// A connection of the pool that is not free after this time is an error. Default 5 s.
    pub pool_limit: Duration,
    /// A node that failed is asked again after at most this time; until then it is absent at once. Default 1 s.
    pub rest: Duration,
    /// So many keys of a node are remembered that could not be deleted there; if there are more, the node is flushed
    /// before it is used again. Default 10,000.
    pub most_overdue: usize,
    /// Hears of changes of state.
    pub listener: Option<Listener>,
}

impl Config {
    /// The defaults, for these nodes.
    ///
    /// # Errors
    /// There is none.
    pub fn new(servers: Vec<Server>) -> Result<Self, Misconfigured> {
        if servers.is_empty() {
            return Err(Misconfigured("a server is needed: memcached://host:port".into()));
        }
        Ok(Config {
            servers,
            distribution: Distribution::default(),
            absent: AbsentNodes::default(),
            leave: None,
            login: None,
            tls: None,
            connect_limit: Duration::from_secs(2),
            reply_limit: Duration::from_secs(5),
            pool_size: 64,
            pool_limit: Duration::from_secs(5),
            rest: Duration::from_secs(1),
            most_overdue: 10_000,
            listener: None,
        })
    }

    /// Checks what cannot go together.
    ///
    /// # Errors
    /// What, in words.
    pub fn check(&self) -> Result<(), Misconfigured> {
        let wrong = |what: &str| Err(Misconfigured(what.to_owned()));
        let sockets = self.servers.iter().filter(|server| matches!(server, Server::Unix(_))).count();
        if self.connect_limit.is_zero() || self.reply_limit.is_zero() {
            return wrong("connect_limit and reply_limit must be above 0 s: every wait has a limit");
        }
        if self.pool_size == 0 {
            return wrong("pool_size must be at least 1");
        }
        if self.leave.is_some() && self.distribution != Distribution::Rendezvous {
            return wrong("only the distribution of pymemcache lets nodes leave the ring");
        }
        if self.tls.is_some() && sockets > 0 {
            return wrong("TLS is for TCP, not for unix sockets");
        }
        if sockets > 0 && sockets < self.servers.len() && self.distribution != Distribution::Rendezvous {
            return wrong(
                "libmemcached cannot mix TCP and unix sockets, so there is no rule for where keys go",
            );
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    /// Shows where, never who.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("servers", &self.servers)
            .field("distribution", &self.distribution)
            .finish_non_exhaustive()
    }
}
