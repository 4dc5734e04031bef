//! Names of Python attributes, made once, with the import of `hotclub.django`.
//!
//! Not by pyo3's own macro for it: that makes each name at its first use, and lets the GIL go while it holds a lock.
//! The child of a fork at that moment would wait for that lock for ever.
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

macro_rules! declare {
    ($($name:ident)*) => {
        pub(crate) struct Names {
            $(pub(crate) $name: Py<PyString>,)*
        }

        /// All of them. `warm` in `lib.rs` calls it first.
        #[inline]
        pub(crate) fn names(py: Python<'_>) -> &'static Names {
            static NAMES: PyOnceLock<Names> = PyOnceLock::new();
            NAMES.get_or_init(py, || Names {
                $($name: PyString::intern(py, stringify!($name)).unbind(),)*
            })
        }
    };
}
declare! {
    __dict__ _cull_frequency _expire _flush _house_methods _max_entries _readable _writable
    add_done_callback add_reader add_writer call_later call_soon cancel decode
    default_timeout delete_many done dumps encode get get_backend_timeout get_many
    is_closed items key_func key_prefix loads make_and_validate_key remove_reader
    remove_writer result run_in_executor set_exception set_many set_result timeout
    validate_key version
}

/// `name!(py, get)`: the interned name `"get"`.
macro_rules! name {
    ($py:expr, $name:ident) => {
        $crate::names::names($py).$name.bind($py)
    };
}
pub(crate) use name;
