#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! | where | what |
//! | --- | --- |
//! | [`Cache`], [`blocking::Cache`] | the verbs, for tasks and for threads |
//! | [`Builder`], [`Registry`], [`Caches`], [`CacheConfig`] | opening caches: by hand, by URL, by table |
//! | [`Timeout`], [`Ttl`], [`Codec`], [`Error`] | the small words |
//! | [`backend`] | the contract of a backend, and the rooms |
//! | [`codec`] | values to bytes: MessagePack, JSON, Django's pickle, raw |
//! | [`trace`], [`Stats`] | what happened, step by step and counted |
//! | `testing` (feature) | the conformance suite for backends, ours and yours |

pub mod backend;
pub mod blocking;
mod cache;
pub mod clock;
pub mod codec;
mod config;
mod core;
mod entry;
mod error;
mod fill;
mod key;
mod registry;
#[cfg(feature = "network")]
pub mod remote;
mod stats;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(feature = "file", feature = "sqlite"))]
pub mod threads;
mod timeout;
pub mod trace;
mod verbs;

pub use crate::cache::{Builder, Cache};
pub use crate::codec::Codec;
pub use crate::config::{CacheConfig, Options};
pub use crate::core::Ttl;
pub use crate::entry::{Entry, Flags};
pub use crate::error::{BoxError, Error, ErrorKind, Result};
pub use crate::fill::{FillOptions, Load};
pub use crate::key::KeyFunction;
pub use crate::registry::{COMMON_OPTIONS, Caches, Opener, Registry, Room};
pub use crate::stats::Stats;
pub use crate::timeout::{Life, Timeout};
#[cfg(any(feature = "network", feature = "file", feature = "sqlite"))]
pub use hotclub_net::fork;
