#![doc = include_str!("../README.md")]
mod absence;
mod call;
mod client;
mod config;
pub mod distribution;
mod error;
mod fleet;
pub mod hash;
pub mod key;
mod overdue;
mod peer;
pub mod reply;
pub mod request;
#[cfg(feature = "tokio")]
mod tasks;
mod text;
pub mod verb;
mod verbs;

pub use call::Call;
pub use client::{Client, Flush, SetOptions, Value};
pub use config::{AbsentNodes, Config, Leave, Login};
pub use distribution::{DEFAULT_PORT, Distribution};
pub use error::Error;
pub use fleet::Owed;
pub use hotclub_net::problem::Sort;
pub use hotclub_net::{Change, Effect, Listener, Problem, Server, Tls, TlsFiles, Verify};
pub use key::{BadKey, Key};
pub use peer::{Peer, Words};
#[cfg(feature = "tokio")]
pub use tasks::Tasks;
pub use verb::{Stored, Verb};
