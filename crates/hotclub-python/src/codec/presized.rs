//! Dicts made with room for what will come.
//!
//! Growing a dict of 40 keys copies it four times: half the time of decoding it (measured). CPython has no
//! public call that avoids this, so its own `_PyDict_NewPresized` is looked up by name, once; where an
//! interpreter does not export it, dicts grow.
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::OnceLock;

type NewPresized = unsafe extern "C" fn(Py_ssize_t) -> *mut PyObject;

/// Up to this many keys a new dict has room anyway.
const FITS_ANYWAY: Py_ssize_t = 5;

/// A new dict, or null with an exception set.
///
/// # Safety
/// The interpreter is attached.
#[inline]
pub(super) unsafe fn new_dict(length: Py_ssize_t) -> *mut PyObject {
    if length > FITS_ANYWAY
        && let Some(new_presized) = new_presized()
    {
        // SAFETY: attached, as the caller promises; signature as in every CPython since 3.3.
        return unsafe { new_presized(length) };
    }
    // SAFETY: attached, as the caller promises.
    unsafe { ffi::PyDict_New() }
}

/// A new dict with room for this many keys.
#[inline]
pub(crate) fn sized_dict(py: Python<'_>, length: usize) -> PyResult<Bound<'_, PyDict>> {
    let length = Py_ssize_t::try_from(length).unwrap_or(0);
    // SAFETY: attached, as `py` shows; the result is a new reference or null with an exception, and a dict.
    let dict = unsafe { Bound::from_owned_ptr_or_err(py, new_dict(length))? };
    Ok(dict.cast_into::<PyDict>()?)
}

fn new_presized() -> Option<NewPresized> {
    static FOUND: OnceLock<Option<NewPresized>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: looks a name up in what is loaded; the interpreter is, and stays so.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_PyDict_NewPresized".as_ptr()) };
        // SAFETY: the symbol of this name is this function in all supported versions (3.11 to 3.14).
        (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut libc::c_void, NewPresized>(found) })
    })
}
