//! Where the servers are, who we are to them, and how long we wait.
use super::batch::Batch;
use super::batch::Replies;
use super::error::Problem;
use super::handshake::{self, Role};
use super::resp::Skim;
use crate::error::{Error, Result};
pub use hotclub_net::{Change, Listener};
use hotclub_net::{Greeting, Server, Terms, Tls};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The port where Redis listens by default.
pub const DEFAULT_PORT: u16 = 6379;

/// How the servers belong together.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// The first is the primary, the others are its replicas.
    #[default]
    Servers,
    /// They are sentinels that watch a primary of this name.
    Sentinel(String),
    /// They are nodes of a cluster; those not named are found.
    Cluster,
}

/// Who answers reads, where there are replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReadFrom {
    /// Replicas, as Django does; in a cluster the primary, as its clients do.
    #[default]
    Usual,
    /// A replica chosen at random: what was just written may not be there yet. The primary if there is none.
    Replicas,
    /// The primary only.
    Primary,
    /// Any of them.
    Any,
}

/// What a server is told about us.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Login {
    /// The ACL user; without one a password means the default user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    /// Never shows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Gives the login for a new connection; called for each, so that passwords can rotate.
pub type Credentials = Arc<dyn Fn() -> Result<Login, String> + Send + Sync>;

/// Everything that a client of Redis or Valkey is told. Start from [`RedisConfig::new`].
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisConfig {
    /// Where to begin. Never empty.
    pub servers: Vec<Server>,
    /// How they belong together.
    pub layout: Layout,
    /// The number of the database, one for all servers or one for each; a cluster has only 0.
    pub databases: Vec<u32>,
    /// Who we are, to all servers or to each.
    pub logins: Vec<Login>,
    /// Who we are to the sentinels.
    pub sentinel_login: Login,
    /// Asked for a login at each new connection, instead of [`RedisConfig::logins`].
    pub credentials: Option<Credentials>,
    /// TLS, if it is wanted.
    pub tls: Option<Tls>,
    /// The name that `CLIENT LIST` shows.
    pub client_name: Option<String>,
    /// RESP 2 or 3.
    pub protocol: u8,
    /// Who answers reads.
    pub read_from: ReadFrom,
    /// A connection that is not there after this time is an error. Default 2 s.
    pub connect_limit: Duration,
    /// A reply that is not there after this time is an error, and its connection is dropped. Default 5 s.
    pub reply_limit: Duration,
    /// At most this many connections to each server, in each process. Default 64.
    pub pool_size: usize,
    /// A connection of the pool that is not free after this time is an error. Default 5 s.
    pub pool_limit: Duration,
    /// A server that failed is asked again after at most this time; until then calls fail at once. Default 1 s.
    pub rest: Duration,
    /// Hears of changes of state.
    pub listener: Option<Listener>,
}

impl RedisConfig {
    /// The defaults, for these servers.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if there is none.
    pub fn new(servers: Vec<Server>) -> Result<Self> {
        if servers.is_empty() {
            return Err(Error::config("a server is needed: redis://host:port"));
        }
        Ok(RedisConfig {
            servers,
            layout: Layout::Servers,
            databases: vec![0],
            logins: vec![Login::default()],
            sentinel_login: Login::default(),
            credentials: None,
            tls: None,
            client_name: None,
            protocol: 2,
            read_from: ReadFrom::Usual,
            connect_limit: Duration::from_secs(2),
            reply_limit: Duration::from_secs(5),
            pool_size: 64,
            pool_limit: Duration::from_secs(5),
            rest: Duration::from_secs(1),
            listener: None,
        })
    }

    /// Checks what cannot go together.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), in words.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::config(what));
        if self.layout == Layout::Cluster && self.databases.iter().any(|&number| number != 0) {
            return wrong("a cluster has only the database 0");
        }
        if !matches!(self.protocol, 2 | 3) {
            return wrong("protocol must be 2 or 3");
        }
        if self.connect_limit.is_zero() || self.reply_limit.is_zero() {
            return wrong("connect_limit and reply_limit must be above 0 s: every wait has a limit");
        }
        if self.pool_size == 0 {
            return wrong("pool_size must be at least 1");
        }
        if self.tls.is_some() && self.servers.iter().any(|server| matches!(server, Server::Unix(_))) {
            return wrong("TLS is for TCP, not for unix sockets");
        }
        Ok(())
    }

    /// The database on the server of this number.
    pub(crate) fn database(&self, server: usize) -> u32 {
        self.databases.get(server).or(self.databases.first()).copied().unwrap_or(0)
    }

    /// Who we are to the server of this number.
    pub(crate) fn login(&self, server: usize) -> Login {
        self.logins.get(server).or(self.logins.first()).cloned().unwrap_or_default()
    }

    /// The servers, for messages.
    pub(crate) fn place(&self) -> String {
        let servers: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        let servers = servers.join(", ");
        match &self.layout {
            Layout::Servers => servers,
            Layout::Sentinel(name) => format!("{name:?} of sentinels {servers}"),
            Layout::Cluster => format!("cluster {servers}"),
        }
    }
}

impl Terms for RedisConfig {
    type Role = Role;
    type Skim = Skim;

    fn greeting(&self, role: Role) -> Result<Greeting, Problem> {
        let mut hello = Batch::default();
        handshake::greet(&mut hello, self, role)?;
        Ok(Greeting { bytes: hello.bytes().to_vec(), replies: hello.len() })
    }

    fn agreed(&self, _role: Role, replies: &[u8]) -> Result<Option<Greeting>, Problem> {
        handshake::check_replies(Replies::over(replies)).map(|()| None)
    }

    fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    fn connect_limit(&self) -> Duration {
        self.connect_limit
    }

    fn reply_limit(&self) -> Duration {
        self.reply_limit
    }

    fn pool_size(&self) -> usize {
        self.pool_size
    }

    fn pool_limit(&self) -> Duration {
        self.pool_limit
    }

    fn rest(&self) -> Duration {
        self.rest
    }

    fn tell(&self, change: &Change<'_>) {
        if let Some(listener) = &self.listener {
            listener(change);
        }
    }
}

impl fmt::Debug for RedisConfig {
    /// Shows where, never who.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("servers", &self.servers)
            .field("layout", &self.layout)
            .field("databases", &self.databases)
            .finish_non_exhaustive()
    }
}
