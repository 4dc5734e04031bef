//! Bytes to Python objects. Every length is checked: damaged bytes are an error, never a read beyond.
use super::{ASCII, BYTES, DEEPEST, DICT, FALSE, FLOAT, INTEGER, LIST, NONE, TEXT, TRUE, TUPLE};
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyString};

/// Builds the value.
pub(crate) fn decode<'py>(py: Python<'py>, bytes: &[u8], keys: &mut KeyCache) -> PyResult<Bound<'py, PyAny>> {
    let mut decoder = Decoder { py, rest: bytes, keys };
    let value = decoder.value(0)?;
    if decoder.rest.is_empty() { Ok(value) } else { Err(damaged()) }
}

#[cold]
fn damaged() -> PyErr {
    PyValueError::new_err("memory: get failed: undecodable entry: the encoded value is damaged")
}

const PLACES: usize = 512;
const LONGEST_KEY: usize = 64;

/// Dict keys seen lately, as objects with their hash made: equal keys become the same object.
pub(crate) struct KeyCache(Vec<Option<(u64, Py<PyString>)>>);

impl Default for KeyCache {
    fn default() -> Self {
        KeyCache(Vec::new())
    }
}

impl KeyCache {
    fn get<'py>(&mut self, py: Python<'py>, ascii: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        if ascii.len() > LONGEST_KEY || ascii.is_empty() {
            return new_ascii(py, ascii);
        }
        if self.0.is_empty() {
            self.0.resize_with(PLACES, || None);
        }
        let hash = hash(ascii);
        let place = &mut self.0[(hash >> 32) as usize % PLACES];
        if let Some((known, text)) = place {
            if *known == hash && text.bind(py).to_str().is_ok_and(|text| text.as_bytes() == ascii) {
                return Ok(text.bind(py).clone().into_any());
            }
        }
        let text = new_ascii(py, ascii)?;
        if let Ok(text) = text.cast_exact::<PyString>() {
            *place = Some((hash, text.clone().unbind()));
        }
        Ok(text)
    }
}

/// Eight bytes a step; only picks a place in the cache, equality is checked.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(SPREAD);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = (hash.rotate_left(23) ^ u64::from_le_bytes(last)).wrapping_mul(SPREAD);
    hash ^ hash >> 29
}

#[inline]
fn new_ascii<'py>(py: Python<'py>, ascii: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    debug_assert!(ascii.is_ascii());
    // SAFETY: a new `str` of that many characters with 127 as the largest is compact ASCII: one byte a
    // character, at `PyUnicode_DATA`, written here before anybody else can see the object. The bytes are
    // ASCII: the encoder writes this tag for such text only, and the bytes never leave the process.
    unsafe {
        let text = ffi::PyUnicode_New(ascii.len() as ffi::Py_ssize_t, 127);
        if text.is_null() {
            return Err(PyErr::fetch(py));
        }
        // The empty string and those of one character are shared objects: they are right already or
        // must not be written to.
        if ascii.len() < 2 {
            ffi::Py_DECREF(text);
            return Ok(PyString::new(py, std::str::from_utf8_unchecked(ascii)).into_any());
        }
        std::ptr::copy_nonoverlapping(ascii.as_ptr(), ffi::PyUnicode_DATA(text).cast::<u8>(), ascii.len());
        Ok(Bound::from_owned_ptr(py, text))
    }
}

struct Decoder<'a, 'py> {
    py: Python<'py>,
    rest: &'a [u8],
    keys: &'a mut KeyCache,
}

impl<'a, 'py> Decoder<'a, 'py> {
    #[inline]
    fn byte(&mut self) -> PyResult<u8> {
        let (&byte, rest) = self.rest.split_first().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    fn number(&mut self) -> PyResult<u64> {
        let byte = self.byte()?;
        if byte < 0x80 {
            return Ok(byte.into());
        }
        let mut number = u64::from(byte & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(damaged())
    }

    #[inline]
    fn block(&mut self) -> PyResult<&'a [u8]> {
        let length = usize::try_from(self.number()?).map_err(|_| damaged())?;
        let (block, rest) = self.rest.split_at_checked(length).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(block)
    }

    /// The length of a container: every item takes at least a byte, so it cannot be more than is left.
    fn length(&mut self, depth: usize) -> PyResult<usize> {
        let length = usize::try_from(self.number()?).map_err(|_| damaged())?;
        if length > self.rest.len() || depth >= DEEPEST {
            return Err(damaged());
        }
        Ok(length)
    }

    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        match self.byte()? {
            ASCII => {
                let ascii = self.block()?;
                new_ascii(self.py, ascii)
            }
            INTEGER => {
                let zigzag = self.number()?;
                let number = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                Ok(number.into_pyobject(self.py)?.into_any())
            }
            NONE => Ok(self.py.None().into_bound(self.py)),
            TRUE => Ok(true.into_pyobject(self.py)?.to_owned().into_any()),
            FALSE => Ok(false.into_pyobject(self.py)?.to_owned().into_any()),
            DICT => self.dict(depth),
            LIST => self.list(depth),
            TEXT => self.text(),
            FLOAT => {
                let (word, rest) = self.rest.split_first_chunk::<8>().ok_or_else(damaged)?;
                self.rest = rest;
                Ok(PyFloat::new(self.py, f64::from_le_bytes(*word)).into_any())
            }
            TUPLE => self.tuple(depth),
            BYTES => Ok(PyBytes::new(self.py, self.block()?).into_any()),
            _ => Err(damaged()),
        }
    }

    fn text(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let text = std::str::from_utf8(self.block()?).map_err(|_| damaged())?;
        Ok(PyString::new(self.py, text).into_any())
    }

    fn list(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let length = self.length(depth)?;
        // SAFETY: a new list of `length` empty places, each filled once below with a reference that it
        // takes over; should an item fail, dropping a list with empty places is allowed.
        unsafe {
            let list = Bound::from_owned_ptr_or_err(self.py, ffi::PyList_New(length as ffi::Py_ssize_t))?;
            for index in 0..length {
                let item = self.value(depth + 1)?;
                ffi::PyList_SET_ITEM(list.as_ptr(), index as ffi::Py_ssize_t, item.into_ptr());
            }
            Ok(list)
        }
    }

    fn tuple(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let length = self.length(depth)?;
        if length == 0 {
            return Ok(pyo3::types::PyTuple::empty(self.py).into_any());
        }
        // SAFETY: a new tuple of `length` > 0 empty places that nobody else sees, each filled once below
        // with a reference that it takes over; dropping a tuple with empty places is allowed.
        unsafe {
            let tuple = Bound::from_owned_ptr_or_err(self.py, ffi::PyTuple_New(length as ffi::Py_ssize_t))?;
            for index in 0..length {
                let item = self.value(depth + 1)?;
                ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index as ffi::Py_ssize_t, item.into_ptr());
            }
            Ok(tuple)
        }
    }

    fn dict(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let length = self.length(depth)?;
        // SAFETY: `PyDict_New` gives a new reference or raises.
        let dict = unsafe { Bound::from_owned_ptr_or_err(self.py, ffi::PyDict_New())? };
        for _ in 0..length {
            let key = self.key(depth + 1)?;
            let value = self.value(depth + 1)?;
            // SAFETY: all three are live; `PyDict_SetItem` takes references of its own.
            if unsafe { ffi::PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()) } != 0 {
                return Err(PyErr::fetch(self.py));
            }
        }
        Ok(dict)
    }

    #[inline]
    fn key(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        if self.rest.first() == Some(&ASCII) {
            self.byte()?;
            let ascii = self.block()?;
            return self.keys.get(self.py, ascii);
        }
        self.value(depth)
    }
}
