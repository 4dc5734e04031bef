//! Memcached: entries shared by every machine that reaches the nodes, in the bytes and flags that Django writes.
//!
//! Choose it where memcached runs already, or where many nodes shall hold one cache without a cluster to tend. The
//! client is a crate of its own, [`hotclub_memcached`]; here are only the contract ([`MemcachedBackend`]), what a
//! life is there (`expiry.rs`), what flags of other clients mean (`value.rs`), and opening by URL.
mod backend;
mod expiry;
mod url;
mod value;

pub use backend::MemcachedBackend;
pub use hotclub_memcached::{AbsentNodes, Config as MemcachedConfig, Distribution};
pub(crate) use url::ROOM;

// Through both doors: with `memcached-blocking` alone there is only one.
#[cfg(all(test, feature = "memcached"))]
mod tests;
