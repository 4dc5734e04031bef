//! Errors of the core as exceptions of Python: `hotclub.errors` makes them, also as those of a client library.
use hotclub::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// The exception for an error; `client` names the library whose exceptions people catch.
#[cold]
pub(crate) fn exception(py: Python<'_>, error: &Error, client: &str) -> PyErr {
    let made = make(py).and_then(|make| make.call1((kind(error.kind()), error.to_string(), client)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// Whether a server, or the way to it, is to blame: what IGNORE_EXCEPTIONS means.
pub(crate) fn is_of_a_server(py: Python<'_>, error: &PyErr) -> bool {
    server_errors(py).is_ok_and(|ours| error.matches(py, ours).unwrap_or(false))
}

/// Finds what is needed later; see `wire::warm`.
pub(super) fn warm(py: Python<'_>) -> PyResult<()> {
    make(py)?;
    server_errors(py).map(drop)
}

fn make(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    MAKE.import(py, "hotclub.errors", "make")
}

fn server_errors(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static OURS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    OURS.import(py, "hotclub.errors", "SERVER_ERRORS")
}

/// Tells a logger of an error that callers do not hear of.
pub(crate) fn log_ignored(py: Python<'_>, logger: &str, error: &PyErr) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", (logger,))?;
    let keywords = PyDict::new(py);
    keywords.set_item("exc_info", error.value(py))?;
    logger.call_method(
        "error",
        ("Exception ignored, as others will be until one call succeeds",),
        Some(&keywords),
    )?;
    Ok(())
}

fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Ambiguous => "ambiguous",
        ErrorKind::Protocol => "protocol",
        ErrorKind::Refused => "refused",
        ErrorKind::Config => "config",
        ErrorKind::Corrupt => "corrupt",
        ErrorKind::Encode => "encode",
        ErrorKind::KeyNotFound => "key_not_found",
        ErrorKind::NotAnInteger => "not_an_integer",
        ErrorKind::InvalidKey => "invalid_key",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Loader => "loader",
        _ => "unavailable",
    }
}
