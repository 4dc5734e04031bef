//! Files in a directory, in the bytes of Django's `FileBasedCache`: entries that survive the process and are shared by
//! all processes of the machine, with no server to run.
//!
//! Choose it where there is no Redis, values are costly to make, and the disk is local. One file an entry
//! ([`format`](self)): its deadline and its value, compressed. A write makes a new file and renames it over the old
//! one, so a reader sees the old entry, the new one, or none, whenever a process ends. What must be one step for all
//! processes (adding, counting, touching, comparing) is done under a lock of the key's range (`locks.rs`). Limits
//! are kept by a count that is exact for one process and found anew now and then (`room.rs`); nothing lists the
//! directory on each write.
mod backend;
mod config;
mod directory;
mod error;
mod format;
mod locks;
mod room;
mod store;

pub use backend::FileBackend;
pub(crate) use backend::ROOM;
pub use config::FileConfig;
pub use error::Problem;
pub use store::{Found, Store, Write};

#[cfg(test)]
mod tests;
