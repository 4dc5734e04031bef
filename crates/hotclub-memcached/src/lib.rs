//! A memcached client on the meta protocol, at home in fleets.
//!
//! Keys go to the node where pymemcache or libmemcached (pylibmc) puts them ([`Distribution`]), requests of one call
//! go out together, to all nodes at the same time, and every wait has a limit. A node that is not there is missed in
//! reads and seen in writes ([`AbsentNodes`]); what could not be deleted there is deleted before it is read again.
//!
//! ```no_run
//! use hotclub_memcached::{Client, Config, Server, SetOptions};
//!
//! # fn main() -> Result<(), hotclub_memcached::Error> {
//! let servers = ["10.0.0.1", "10.0.0.2"].map(|host| Server::Tcp(host.into(), 11211));
//! let client = Client::new(Config::new(servers.to_vec())?)?;
//! client.set("user:42", b"Ada", &SetOptions::lasting(300))?;
//! let found = client.get("user:42")?;
//! assert_eq!(found.map(|value| value.data), Some("Ada".into()));
//! # Ok(())
//! # }
//! ```
//!
//! The protocol itself is bytes in ([`request`]) and bytes out ([`reply`]), for doors of other kinds.
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

pub use call::Call;
pub use client::{Client, Flush, SetOptions, Value};
pub use config::{AbsentNodes, Config, Leave, Login};
pub use distribution::{DEFAULT_PORT, Distribution};
pub use error::Error;
pub use fleet::Owed;
pub use hotclub_net::problem::Sort;
pub use hotclub_net::{Change, Effect, Listener, Problem, Server, Tls, TlsFiles, Verify};
pub use key::{BadKey, Key};
pub use peer::Peer;
#[cfg(feature = "tokio")]
pub use tasks::Tasks;
pub use verb::{Stored, Verb};
