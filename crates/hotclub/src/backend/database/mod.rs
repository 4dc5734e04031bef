//! SQL databases: entries that survive the process, where a database is there already or a file is enough.
//!
//! `sqlite://` is one file with no server behind it, shared by the processes of a machine: for those who want a
//! persistent cache and have nothing to run. `postgres://` and `mysql://` keep entries in a table of a server that
//! is there anyway.
//!
//! Two [layouts](Layout): `own`, with flags, size, last use and deadlines in milliseconds; and `django`, exactly the
//! table of Django's `DatabaseCache`, to share entries with a site. What is of one layout is refused as the other.
mod error;
mod layout;
mod row;
#[cfg(feature = "database-server")]
pub mod server;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "mysql")]
pub(crate) use server::MYSQL;
#[cfg(feature = "postgres")]
pub(crate) use server::POSTGRES;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::ROOM as SQLITE;

pub use layout::Layout;
