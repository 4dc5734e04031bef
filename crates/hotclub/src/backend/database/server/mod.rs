//! PostgreSQL, and MySQL or MariaDB: entries in a table of a server that is there anyway.
//!
//! Choose it where several machines share a cache and there is a database but no Redis, or to share entries with a
//! Django site that keeps them in a table. Each verb is written once ([`verbs`](self)), over statements whose few
//! differences between vendors and layouts are in `table/`; `link/` alone knows sqlx. `door.rs` has the blocking
//! door: a runtime of the process' own, since there is no client without one.
mod backend;
mod config;
mod door;
mod error;
mod link;
mod pool;
mod room;
mod session;
mod statement;
mod store;
mod table;
mod url;
mod verbs;

pub use backend::ServerBackend;
pub use config::{Encryption, ServerConfig, Vendor};
#[cfg(feature = "mysql")]
pub(crate) use url::MYSQL;
#[cfg(feature = "postgres")]
pub(crate) use url::POSTGRES;

#[cfg(all(test, feature = "postgres", feature = "mysql"))]
mod tests;
