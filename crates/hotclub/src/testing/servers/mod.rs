//! Real servers on loopback, for tests: started on free ports, killed and forgotten when dropped.
//!
//! | piece | what it is |
//! | --- | --- |
//! | [`Server`] | one server of whatever kind; killed, paused, restarted at will |
//! | [`RedisServer`] | one redis-server, with the [`RedisOptions`] of the test |
//! | [`RedisCluster`] | three primaries that share all slots, and a slot that wanders ([`SlotMigration`]) |
//! | [`RedisSentinels`] | a primary, its replica, and three sentinels that watch them |
//! | [`MemcachedServer`] | one memcached, with its [`MemcachedOptions`]; or a fleet of three |
//! | [`PostgresServer`], [`MariaDbServer`] | one database server with an empty database |
//! | [`FaultProxy`] | what stands between a client and a server and spoils replies ([`Fault`]) |
//! | [`Certificates`] | an authority, a server's certificate and a client's, made once per process |
//!
//! Everything here panics when it does not work, with the log of the server in the message, and every wait has
//! a limit. Methods take `&self`: a server may stand in a `static` and serve all tests of a process. Servers end
//! with the process that started them, however that ends.
//!
//! A machine without the program is no failure: ask first.
//!
//! ```
//! # fn a_value_comes_back() {
//! use hotclub::testing::servers::{RedisOptions, RedisServer, redis_or_skip};
//!
//! if !redis_or_skip("a_value_comes_back") {
//!     return;
//! }
//! let server = RedisServer::start(RedisOptions::new().password("secret"));
//! assert_eq!(server.command(&["SET", "key", "value"]), "OK");
//! assert_eq!(server.command(&["GET", "key"]), "value");
//! # }
//! # a_value_comes_back();
//! ```
mod admin;
mod certificates;
mod cluster;
mod folder;
mod mariadb;
mod memcached;
mod options;
mod ports;
mod postgres;
mod process;
mod proxy;
mod redis;
mod sentinel;
mod server;
mod skip;
mod users;
mod wait;
mod warden;

pub use admin::Reply;
pub use certificates::Certificates;
pub use cluster::{RedisCluster, SlotMigration};
pub use mariadb::{MariaDbOptions, MariaDbServer};
pub use memcached::{MemcachedOptions, MemcachedServer};
pub use options::{ClientCertificate, RedisOptions};
pub use postgres::{PostgresOptions, PostgresServer};
pub use proxy::{Fault, FaultProxy};
pub use redis::RedisServer;
pub use sentinel::RedisSentinels;
pub use server::Server;
pub use skip::{
    mariadb_or_skip, memcached_or_skip, postgres_or_skip, redis_or_skip, tls_certificates_or_skip,
    tls_or_skip,
};
