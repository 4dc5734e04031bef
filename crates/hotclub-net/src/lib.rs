//! What hotclub's clients of servers share: everything between a request's bytes and its replies' bytes.
//!
//! A room (Redis, Memcached) says by [`Terms`] what is said first on a connection, how whole replies are told, how
//! long is waited, and who hears of changes. Here are sockets with limits ([`stream`], [`tls`]), the few connections
//! that a process keeps to each server ([`node`]), the rest that a failed server gets ([`breaker`]), and what a fork
//! does to all that ([`fork`]). Nothing here knows a protocol, and nothing needs a runtime.
//!
//! An internal crate of hotclub: its interface follows hotclub's needs, also in minor versions.
#[cfg(feature = "sockets")]
pub mod breaker;
#[cfg(feature = "sockets")]
mod connection;
pub mod fork;
pub mod locks;
#[cfg(feature = "sockets")]
pub mod node;
#[cfg(feature = "sockets")]
mod pool;
#[cfg(feature = "sockets")]
pub mod problem;
#[cfg(feature = "sockets")]
mod received;
#[cfg(feature = "sockets")]
pub mod server;
#[cfg(feature = "sockets")]
pub mod stream;
#[cfg(feature = "tokio")]
pub mod tasks;
#[cfg(feature = "sockets")]
mod terms;
#[cfg(feature = "sockets")]
pub mod tls;

#[cfg(feature = "sockets")]
pub use breaker::{Breaker, Pass};
#[cfg(feature = "sockets")]
pub use node::Node;
#[cfg(feature = "sockets")]
pub use problem::{Malformed, Misconfigured, Problem};
#[cfg(feature = "sockets")]
pub use received::Received;
#[cfg(feature = "sockets")]
pub use server::Server;
#[cfg(feature = "sockets")]
pub use stream::Stream;
#[cfg(feature = "sockets")]
pub use terms::{Change, Effect, Greeting, Listener, Skimmed, Terms};
#[cfg(feature = "sockets")]
pub use tls::{Tls, TlsFiles, Verify};
