//! Redis and Valkey: entries shared by every machine that reaches the server, in the bytes that Django writes.
//!
//! Choose it when several machines, or several languages, share one cache. The protocol is pure bytes
//! ([`batch`], [`resp`], [`command`]), carried by thin doors: the blocking [`client`] here, a socket owned by
//! the event loop in the Python door, and tokio for async Rust. Which server a command goes to, and what is done
//! when it was the wrong one, is in [`topology`].
mod backend;
pub mod batch;
pub mod client;
pub mod command;
pub mod config;
mod decode;
pub mod error;
pub mod handshake;
mod node;
pub mod resp;
pub mod slot;
#[cfg(feature = "redis")]
mod tokio_door;
pub mod topology;
mod url;
mod verbs;

pub use backend::RedisBackend;
pub use client::Client;
pub use config::RedisConfig;
pub use hotclub_net::{Server, breaker, server, stream, tls};
pub(crate) use url::ROOM;

// Through both doors: with `redis-blocking` alone there is only one.
#[cfg(all(test, feature = "redis"))]
mod tests;
