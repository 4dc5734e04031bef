//! Pickles of one simple object, written and read without `pickle`: byte for byte what CPython writes.
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyString};

const PROTO: u8 = 0x80;
const FRAME: u8 = 0x95;
const STOP: u8 = b'.';
const MEMOIZE: u8 = 0x94;
const NONE: u8 = b'N';
const NEWTRUE: u8 = 0x88;
const NEWFALSE: u8 = 0x89;
const BINFLOAT: u8 = b'G';
const BININT: u8 = b'J';
const BININT1: u8 = b'K';
const BININT2: u8 = b'M';
const SHORT_BINUNICODE: u8 = 0x8c;
const BINUNICODE: u8 = b'X';
const SHORT_BINBYTES: u8 = b'C';
const BINBYTES: u8 = b'B';
/// CPython writes longer texts and bytes outside of frames; they are left to it.
const LONGEST: usize = 65_535;
/// A frame is written for four bytes and more.
const SHORTEST_FRAME: usize = 4;

/// Writes the pickle of a `str`, `bytes`, `float`, `bool` or `None`; `false` if it is anything else.
///
/// Protocols 4 and 5 are the same for these, but for the number.
#[inline]
pub(crate) fn write(value: &Bound<'_, PyAny>, protocol: u8, to: &mut Vec<u8>) -> bool {
    if let Ok(text) = value.cast_exact::<PyString>() {
        // Lone surrogates have no UTF-8: left to pickle.
        let Ok(text) = text.to_str() else { return false };
        return counted(to, protocol, (SHORT_BINUNICODE, BINUNICODE), text.as_bytes());
    }
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return counted(to, protocol, (SHORT_BINBYTES, BINBYTES), bytes.as_bytes());
    }
    if value.is_none() {
        to.extend_from_slice(&[PROTO, protocol, NONE, STOP]);
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        to.extend_from_slice(&[PROTO, protocol, if truth.is_true() { NEWTRUE } else { NEWFALSE }, STOP]);
    } else if let Ok(number) = value.cast_exact::<PyFloat>() {
        frame(to, protocol, 10);
        to.push(BINFLOAT);
        to.extend_from_slice(&number.value().to_be_bytes());
        to.push(STOP);
    } else {
        return false;
    }
    true
}

fn counted(to: &mut Vec<u8>, protocol: u8, (short, long): (u8, u8), bytes: &[u8]) -> bool {
    let Ok(length) = u32::try_from(bytes.len()) else { return false };
    if bytes.len() > LONGEST {
        return false;
    }
    to.reserve(bytes.len() + 18);
    match u8::try_from(length) {
        Ok(length) => {
            frame(to, protocol, bytes.len() + 4);
            to.extend_from_slice(&[short, length]);
        }
        Err(_) => {
            frame(to, protocol, bytes.len() + 7);
            to.push(long);
            to.extend_from_slice(&length.to_le_bytes());
        }
    }
    to.extend_from_slice(bytes);
    to.extend_from_slice(&[MEMOIZE, STOP]);
    true
}

#[inline]
fn frame(to: &mut Vec<u8>, protocol: u8, length: usize) {
    to.extend_from_slice(&[PROTO, protocol]);
    if length >= SHORTEST_FRAME {
        to.push(FRAME);
        to.extend_from_slice(&(length as u64).to_le_bytes());
    }
}

/// Reads a pickle that is nothing but one simple object; `None` if it is, or may be, anything else.
#[inline]
pub(crate) fn read<'py>(py: Python<'py>, pickle: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    let body = match pickle {
        [PROTO, 2..=5, FRAME, rest @ ..] if rest.len() > 8 => {
            let (length, body) = rest.split_at(8);
            if u64::from_le_bytes(length.try_into().expect("eight bytes were cut off")) != body.len() as u64 {
                return Ok(None);
            }
            body
        }
        [PROTO, 2..=5, body @ ..] => body,
        _ => return Ok(None),
    };
    let Some((&STOP, object)) = body.split_last() else { return Ok(None) };
    Ok(match object {
        [NONE] => Some(py.None().into_bound(py)),
        [NEWTRUE] => Some(PyBool::new(py, true).to_owned().into_any()),
        [NEWFALSE] => Some(PyBool::new(py, false).to_owned().into_any()),
        [SHORT_BINUNICODE, length, rest @ ..] => {
            memoized(rest, usize::from(*length)).map(|text| unicode(py, text)).transpose()?
        }
        [BINUNICODE, a, b, c, d, rest @ ..] => {
            memoized(rest, long([*a, *b, *c, *d])).map(|text| unicode(py, text)).transpose()?
        }
        [SHORT_BINBYTES, length, rest @ ..] => {
            memoized(rest, usize::from(*length)).map(|bytes| PyBytes::new(py, bytes).into_any())
        }
        [BINBYTES, a, b, c, d, rest @ ..] => {
            memoized(rest, long([*a, *b, *c, *d])).map(|bytes| PyBytes::new(py, bytes).into_any())
        }
        [BINFLOAT, number @ ..] => <[u8; 8]>::try_from(number)
            .ok()
            .map(|number| PyFloat::new(py, f64::from_be_bytes(number)).into_any()),
        [BININT1, number] => Some(number.into_pyobject(py)?.into_any()),
        [BININT2, a, b] => Some(u16::from_le_bytes([*a, *b]).into_pyobject(py)?.into_any()),
        [BININT, a, b, c, d] => Some(i32::from_le_bytes([*a, *b, *c, *d]).into_pyobject(py)?.into_any()),
        _ => None,
    })
}

fn long(length: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX)
}

/// The payload, if nothing but its memo mark follows it (protocols 4 and 5), or nothing.
fn memoized(rest: &[u8], length: usize) -> Option<&[u8]> {
    let (payload, mark) = rest.split_at_checked(length)?;
    matches!(mark, [MEMOIZE] | []).then_some(payload)
}

/// CPython pickles text as UTF-8 with lone surrogates as they are.
fn unicode<'py>(py: Python<'py>, utf8: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: pointer and length are those of a live slice, the name of the error handler is a C string,
    // and the result is a new reference or null with an exception.
    unsafe {
        let text = ffi::PyUnicode_DecodeUTF8(
            utf8.as_ptr().cast(),
            ffi::Py_ssize_t::try_from(utf8.len())?,
            c"surrogatepass".as_ptr(),
        );
        Bound::from_owned_ptr_or_err(py, text)
    }
}
