//! Where the server is, who we are to it, which table, and how long we wait: each option with its default and doc.
use crate::backend::Limit;
use crate::backend::database::layout::{Layout, check_table};
use crate::error::{Error, Result};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vendor {
    /// PostgreSQL, 12 or newer.
    Postgres,
    /// MySQL 5.7 or newer, MariaDB 10.3 or newer.
    MySql,
}

impl Vendor {
    /// The bare name of the room.
    pub fn scheme(self) -> &'static str {
        match self {
            Vendor::Postgres => "postgres",
            Vendor::MySql => "mysql",
        }
    }

    /// The port where it listens by default.
    pub fn port(self) -> u16 {
        match self {
            Vendor::Postgres => 5432,
            Vendor::MySql => 3306,
        }
    }
}

/// TLS as the vendors' own clients are told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encryption {
    /// Whether it is used and what is checked, in the vendor's words: `prefer`, `require`, `verify-full`, …
    pub mode: Option<String>,
    /// PEM file of certificates to trust, beside the system's.
    pub ca: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub certificate: Option<PathBuf>,
    /// PEM file of the client's key.
    pub key: Option<PathBuf>,
}

/// Everything that a room in a database server is told. Start from [`ServerConfig::new`].
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Whose SQL it is.
    pub vendor: Vendor,
    /// The host. Default `localhost`.
    pub host: String,
    /// The port. Default: the vendor's.
    pub port: u16,
    /// The unix socket, instead of host and port: for PostgreSQL the directory that it is in.
    pub socket: Option<PathBuf>,
    /// The user. Default: PGUSER or the name of this process' user for PostgreSQL, `root` for MySQL.
    pub user: Option<String>,
    /// The password. Default: PGPASSWORD for PostgreSQL, none for MySQL.
    pub password: Option<String>,
    /// The database.
    pub database: String,
    /// The table. Default `hotclub`.
    pub table: String,
    /// Which columns it has. Default [`Layout::Own`].
    pub layout: Layout,
    /// The store's own limit of entries; callers may bring another. Default: none.
    pub limit: Option<Limit>,
    /// TLS. Default: if the server can, with whatever certificate it has.
    pub encryption: Encryption,
    /// A connection that is not there after this time is an error. Default 2 s.
    pub connect_limit: Duration,
    /// A statement that is not answered after this time is an error, and its connection is dropped. The server is told
    /// nine tenths of it, so that it gives up first what waits for a lock, and does nothing late: PostgreSQL by
    /// `statement_timeout`, MySQL and MariaDB by `innodb_lock_wait_timeout` (whole seconds, at least one), MariaDB also
    /// by `max_statement_time`. Default 5 s.
    pub reply_limit: Duration,
    /// At most this many connections, in each tokio runtime of each process. Default 16.
    pub pool_size: usize,
    /// A connection of the pool that is not free after this time is an error. Default 5 s.
    pub pool_limit: Duration,
}

impl ServerConfig {
    /// The defaults, for this database on `localhost`.
    pub fn new(vendor: Vendor, database: impl Into<String>) -> Self {
        ServerConfig {
            vendor,
            host: "localhost".to_owned(),
            port: vendor.port(),
            socket: None,
            user: None,
            password: None,
            database: database.into(),
            table: "hotclub".to_owned(),
            layout: Layout::Own,
            limit: None,
            encryption: Encryption::default(),
            connect_limit: Duration::from_secs(2),
            reply_limit: Duration::from_secs(5),
            pool_size: 16,
            pool_limit: Duration::from_secs(5),
        }
    }

    /// Checks what cannot be followed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), in words.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::config(what));
        check_table(&self.table)?;
        if self.database.is_empty() {
            return wrong("the name of the database is needed: scheme://user:password@host/database");
        }
        if self.host.is_empty() && self.socket.is_none() {
            return wrong("a host is needed: scheme://user:password@host/database");
        }
        if self.connect_limit.is_zero() || self.reply_limit.is_zero() {
            return wrong("connect_limit and reply_limit must be above 0 s: every wait has a limit");
        }
        if self.pool_size == 0 {
            return wrong("pool_size must be at least 1");
        }
        if self.encryption.certificate.is_some() != self.encryption.key.is_some() {
            return wrong("a client's certificate and its key belong together");
        }
        Ok(())
    }

    /// Where it is, for messages: `host:port/database`.
    pub(super) fn place(&self) -> String {
        match &self.socket {
            Some(path) => format!("{}/{}", path.display(), self.database),
            None if self.host.contains(':') => format!("[{}]:{}/{}", self.host, self.port, self.database),
            None => format!("{}:{}/{}", self.host, self.port, self.database),
        }
    }
}

impl fmt::Debug for ServerConfig {
    /// Shows where, never who.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("vendor", &self.vendor)
            .field("place", &self.place())
            .field("table", &self.table)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}
