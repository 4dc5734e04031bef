//! The Python door of hotclub: the extension module `hotclub._hotclub`.
//!
//! One class, `cache::Cache`, holds the verbs of a Django cache backend; thin Python classes with Django's
//! names put it before Django's base class. Values of common types never pass through `pickle`; immutable
//! ones are kept as the objects they are. Nothing here starts a thread or opens a socket at import.
use pyo3::prelude::*;

mod bell;
mod cache;
mod codec;
mod door;
mod held;
mod incr;
mod key;
mod life;
mod memcached;
mod method;
mod names;
mod persistent;
mod remote;
mod settings;
mod stores;
mod trace;
mod verbs;

/// Imports what verbs will need, so that none of them does it: a thread that imports holds locks, and the child of
/// a fork at that moment would wait for it for ever. Called once, at the end of the import of `hotclub.django`.
#[pyfunction]
fn warm(py: Python<'_>) -> PyResult<()> {
    names::names(py);
    settings::django(py)?;
    held::warm(py)?;
    trace::warm(py)?;
    remote::warm(py)?;
    memcached::warm(py)?;
    settings::of_memcached(py).map(drop)
}

/// `gil_used`: the memory safety of this module does not lean on the GIL, but no free-threaded interpreter
/// has run its tests yet; until one has, importing it there turns the GIL on.
#[pymodule(gil_used = true)]
mod _hotclub {
    use super::*;

    #[pymodule_export]
    use super::cache::Cache;
    #[pymodule_export]
    use super::memcached::{Memcached, MemcachedLink};
    #[pymodule_export]
    use super::persistent::{Files, PersistentCache, Sqlite};
    #[pymodule_export]
    use super::remote::{Link, Remote};
    #[pymodule_export]
    use super::trace::Trace;

    #[pymodule_export]
    use super::method::instance_method;
    #[pymodule_export]
    use super::warm;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        hotclub::fork::watch();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("DEBUG_BUILD", cfg!(debug_assertions))
    }
}
