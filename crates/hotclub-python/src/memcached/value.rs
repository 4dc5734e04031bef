//! Values as pymemcache and pylibmc write them: a flag says what the bytes are.
use crate::names::name;
use crate::remote::pickled;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyInt, PyString};

const TEXT: u32 = 16;
const COMPRESSED: u32 = 8;
const PYLIBMC_INTEGER: u32 = 4;
const INTEGER: u32 = 2;
const PICKLE: u32 = 1;

/// Whose flags an alias writes. Both are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Library {
    Pymemcache,
    Pylibmc,
}

/// How an alias writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writer {
    pub(crate) library: Library,
    /// Values of more bytes are compressed, if that makes them smaller; 0: none are.
    pub(crate) compress_min_length: usize,
}

/// Finds what is needed later; see `warm` in `lib.rs`.
pub(crate) fn warm(py: Python<'_>) -> PyResult<()> {
    compress(py)?;
    decompress(py).map(drop)
}

fn compress(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static COMPRESS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    COMPRESS.import(py, "zlib", "compress")
}

fn decompress(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static DECOMPRESS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    DECOMPRESS.import(py, "zlib", "decompress")
}

/// Puts the bytes of a value behind what is in `to`; its flags. What pickling raises comes out as it is.
pub(crate) fn dump(value: &Bound<'_, PyAny>, writer: Writer, to: &mut Vec<u8>) -> PyResult<u32> {
    let start = to.len();
    let flags = plain(value, writer.library == Library::Pylibmc, to)?;
    if writer.compress_min_length == 0 || to.len() - start <= writer.compress_min_length {
        return Ok(flags);
    }
    let py = value.py();
    let compressed = compress(py)?.call1((PyBytes::new(py, &to[start..]),))?;
    let compressed = compressed.cast::<PyBytes>()?.as_bytes();
    // pymemcache keeps what did not get smaller as it was, and of two equals takes the compressed one.
    if compressed.len() > to.len() - start {
        return Ok(flags);
    }
    to.truncate(start);
    to.extend_from_slice(compressed);
    Ok(flags | COMPRESSED)
}

fn plain(value: &Bound<'_, PyAny>, pylibmc: bool, to: &mut Vec<u8>) -> PyResult<u32> {
    if let Some(text) = cast::<PyString>(value, pylibmc) {
        match text.to_str() {
            Ok(utf8) => to.extend_from_slice(utf8.as_bytes()),
            // Lone surrogates raise here what `str.encode` raises.
            Err(_) => to.extend_from_slice(
                text.call_method0(name!(value.py(), encode))?.cast::<PyBytes>()?.as_bytes(),
            ),
        }
        return Ok(TEXT);
    }
    if let Some(bytes) = cast::<PyBytes>(value, pylibmc) {
        to.extend_from_slice(bytes.as_bytes());
        return Ok(0);
    }
    if let Ok(truth) = value.cast_exact::<PyBool>()
        && pylibmc
    {
        to.push(if truth.is_true() { b'1' } else { b'0' });
        return Ok(INTEGER);
    }
    if let Some(number) = cast::<PyInt>(value, pylibmc) {
        let int = value.py().get_type::<PyInt>();
        let plain = if number.is_exact_instance_of::<PyInt>() {
            number.clone().into_any()
        } else {
            int.call1((number,))?
        };
        to.extend_from_slice(plain.str()?.to_str()?.as_bytes());
        return Ok(if pylibmc { PYLIBMC_INTEGER } else { INTEGER });
    }
    pickled::dump(value, to)?;
    Ok(PICKLE)
}

/// The C library takes subclasses for what they derive from; the Python one pickles them.
fn cast<'a, 'py, T: PyTypeCheckOf<'py>>(
    value: &'a Bound<'py, PyAny>,
    subclasses: bool,
) -> Option<&'a Bound<'py, T>> {
    if subclasses { value.cast::<T>().ok() } else { value.cast_exact::<T>().ok() }
}

use pyo3::type_object::PyTypeInfo;
/// A built-in type.
trait PyTypeCheckOf<'py>: PyTypeInfo + pyo3::PyTypeCheck {}
impl<T: PyTypeInfo + pyo3::PyTypeCheck> PyTypeCheckOf<'_> for T {}

/// The value of these bytes, whoever wrote them. What cannot be read raises what its reader raises.
pub(crate) fn load<'py>(py: Python<'py>, flags: u32, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if flags & COMPRESSED != 0 {
        let inflated = decompress(py)?.call1((PyBytes::new(py, bytes),))?;
        return load(py, flags & !COMPRESSED, inflated.cast::<PyBytes>()?.as_bytes());
    }
    if flags & TEXT != 0 {
        // CPython's own decoder, which raises what `bytes.decode` raises.
        return PyString::from_bytes(py, bytes).map(Bound::into_any);
    }
    if flags & (INTEGER | PYLIBMC_INTEGER) != 0 {
        // A number that became shorter is padded with blanks by the server; `int` strips them.
        let plain =
            std::str::from_utf8(bytes).ok().and_then(|digits| digits.trim_ascii().parse::<i64>().ok());
        return match plain {
            Some(number) => Ok(number.into_pyobject(py)?.into_any()),
            None => py.get_type::<PyInt>().call1((PyBytes::new(py, bytes),)),
        };
    }
    if flags & PICKLE != 0 {
        return pickled::load(py, bytes);
    }
    Ok(PyBytes::new(py, bytes).into_any())
}
