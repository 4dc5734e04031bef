//! What judges a backend, ours or yours: the conformance suite, a model to compare with, a clock moved by hand.
//!
//! [`conformance!`] expands to one named test per case. A case is a public function over a [`Fixture`]; it
//! asks [`Capability`](crate::backend::Capability) which promises apply, and panics where one is broken.
//! [`op`] holds the verbs as data: random sequences of them run against a backend and a plain map.
//! [`fuzz`] holds the bodies of the fuzz targets, so that every test run exercises them a little.
//!
//! ```no_run
//! mod tests {
//!     use hotclub::backend::memory::{MemoryBackend, MemoryConfig};
//!     use hotclub::testing::conformance;
//!
//!     conformance!(memory, |clock| MemoryBackend::with_clock(MemoryConfig::bytes(1 << 20), clock));
//!     // A backend whose clock cannot be moved by hand: the cases about time wait for real.
//!     conformance!(memory_in_real_time, no_clock, || MemoryBackend::default());
//! }
//! ```
mod fixture;
mod list;
mod model;
mod random;

pub mod async_door;
pub mod clear;
pub mod conditions;
pub mod counters;
pub mod facts;
pub mod flags;
#[cfg(target_os = "linux")]
pub mod fork;
pub mod fuzz;
pub mod get_set;
pub mod leases;
pub mod limits;
pub mod many;
pub mod op;
#[cfg(unix)]
pub mod servers;
#[cfg(all(test, shuttle))]
pub(crate) mod shuttle;
pub mod threads;
pub mod timeouts;
pub mod touch;

#[doc(inline)]
pub use crate::__hotclub_conformance as conformance;
pub use crate::clock::ManualClock;
pub use fixture::{Fixture, block_on};
pub use random::Random;
