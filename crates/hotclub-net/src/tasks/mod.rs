//! The same for tasks of tokio: sockets, the few connections of each runtime, and several futures at once.
mod node;
mod runtimes;
mod stream;
mod together;

pub use node::Node;
pub use runtimes::{Of, Runtimes};
pub use stream::{Stream, is_open, open};
pub use together::together;
