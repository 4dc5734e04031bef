//! SQLite: one file, no server, several processes; entries survive them all.
//!
//! Verbs are short transactions of the write-ahead log, so readers and a writer do not wait for each other
//! (`store.rs`, over one of two layouts: `own.rs`, `django.rs`). Connections are few and of this process
//! (`connections.rs`); before a fork they are closed, since what SQLite knows of locks must not cross one
//! (`forks.rs`). Limits are kept by totals that every write brings up to date, and victims are found in samples
//! (`room.rs`). Not for network file systems: the log needs shared memory.
mod backend;
mod config;
mod connections;
mod django;
mod forks;
mod own;
mod room;
mod store;
mod table;
mod upkeep;
mod words;

pub(crate) use backend::ROOM;
pub use backend::SqliteBackend;
pub use config::{Eviction, SqliteConfig, Synchronous};
pub use store::Store;
pub use words::{Found, Item, Write};

#[cfg(test)]
mod tests;
