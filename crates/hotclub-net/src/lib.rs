//! What hotclub's clients of servers share: everything between a request's bytes and its replies' bytes.
//!
//! A room (Redis, Memcached) says by [`Terms`] what is said first on a connection, how whole replies are told, how
//! long is waited, and who hears of changes. Here are sockets with limits ([`stream`], [`tls`]), the few connections
//! that a process keeps to each server ([`node`]), the rest that a failed server gets ([`breaker`]), and what a fork
//! does to all that ([`fork`]). Nothing here knows a protocol, and nothing needs a runtime.
//!
//! An internal crate of hotclub: its interface follows hotclub's needs, also in minor versions.
pub mod breaker;
mod connection;
pub mod fork;
pub mod node;
mod pool;
pub mod problem;
mod received;
pub mod server;
pub mod stream;
#[cfg(feature = "tokio")]
pub mod tasks;
mod terms;
pub mod tls;

pub use breaker::{Breaker, Pass};
pub use node::Node;
pub use problem::{Malformed, Misconfigured, Problem};
pub use received::Received;
pub use server::Server;
pub use stream::Stream;
pub use terms::{Change, Effect, Greeting, Listener, Skimmed, Terms};
pub use tls::{Tls, TlsFiles, Verify};
