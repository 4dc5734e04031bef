//! Bytes to Python objects. Every length is checked: damaged bytes are an error, never a read beyond.
//!
//! Inside, objects are raw pointers, as in the C API: a `PyResult` a value doubled the time of a dict.
use super::{ASCII, BYTES, DEEPEST, DICT, FALSE, FLOAT, INTEGER, LIST, NONE, TEXT, TRUE, TUPLE};
use pyo3::exceptions::PyValueError;
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;
use std::ffi::c_char;
use std::ptr::null_mut;

/// Builds the value.
pub(crate) fn decode<'py>(py: Python<'py>, bytes: &[u8], keys: &mut KeyCache) -> PyResult<Bound<'py, PyAny>> {
    let mut decoder = Decoder { rest: bytes, keys, damaged: false };
    // SAFETY: the interpreter is attached (`py`); the result is a new reference, or null.
    let value = unsafe { Bound::from_owned_ptr_or_opt(py, decoder.value(0)) };
    match value {
        Some(value) if decoder.rest.is_empty() => Ok(value),
        None if !decoder.damaged => Err(PyErr::fetch(py)),
        _ => {
            Err(PyValueError::new_err("memory: get failed: undecodable entry: the encoded value is damaged"))
        }
    }
}

const PLACES: usize = 1024;
const LONGEST_KEY: usize = 64;

/// Dict keys seen lately, as objects with their hash made: equal keys become the same object.
#[derive(Default)]
pub(crate) struct KeyCache(Vec<Option<(u64, Py<PyAny>)>>);

impl KeyCache {
    /// A new reference to the text, or null with an exception set.
    ///
    /// # Safety
    /// The interpreter is attached, and `ascii` is ASCII.
    #[inline]
    unsafe fn get(&mut self, ascii: &[u8]) -> *mut PyObject {
        if ascii.len() > LONGEST_KEY || ascii.is_empty() {
            // SAFETY: what the caller promises.
            return unsafe { new_ascii(ascii) };
        }
        if self.0.is_empty() {
            self.0.resize_with(PLACES, || None);
        }
        let hash = hash(ascii);
        let place = &mut self.0[(hash >> 32) as usize % PLACES];
        if let Some((known, text)) = place {
            // SAFETY: the cache holds compact ASCII strings that it owns.
            if *known == hash && unsafe { ascii_of(text.as_ptr()) } == ascii {
                // SAFETY: attached; a new reference for the caller.
                return unsafe { ffi::Py_NewRef(text.as_ptr()) };
            }
        }
        // SAFETY: what the caller promises; `new_ascii` gives compact ASCII or null.
        unsafe {
            let text = new_ascii(ascii);
            if !text.is_null() {
                // Made once, here, and kept in the object: inserting it need not make it again.
                ffi::PyObject_Hash(text);
                let kept = Bound::from_borrowed_ptr(Python::assume_attached(), text).unbind();
                *place = Some((hash, kept));
            }
            text
        }
    }
}

/// # Safety
/// A live compact ASCII string.
unsafe fn ascii_of<'a>(text: *mut PyObject) -> &'a [u8] {
    // SAFETY: what the caller promises: the characters follow the header, one byte each.
    unsafe {
        let start = ffi::PyUnicode_DATA(text).cast::<u8>();
        std::slice::from_raw_parts(start, ffi::PyUnicode_GET_LENGTH(text) as usize)
    }
}

/// Folded multiplication, eight bytes a step; only picks a place in the cache, equality is checked.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    const SPREAD: u128 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * SPREAD;
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words
        .iter()
        .fold(bytes.len() as u64 ^ 0x243F_6A88_85A3_08D3, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, u64::from_le_bytes(last))
}

/// A new reference, or null with an exception set.
///
/// # Safety
/// The interpreter is attached, and `ascii` is ASCII.
#[inline]
unsafe fn new_ascii(ascii: &[u8]) -> *mut PyObject {
    debug_assert!(ascii.is_ascii());
    // SAFETY: attached. A new `str` of two characters or more with 127 as the largest is compact ASCII
    // and nobody else's: one byte a character at `PyUnicode_DATA`, written before anybody can see it. The
    // empty string and those of one character are shared objects, so CPython finds those itself.
    unsafe {
        if ascii.len() < 2 {
            return ffi::PyUnicode_FromStringAndSize(
                ascii.as_ptr().cast::<c_char>(),
                ascii.len() as Py_ssize_t,
            );
        }
        let text = ffi::PyUnicode_New(ascii.len() as Py_ssize_t, 127);
        if !text.is_null() {
            std::ptr::copy_nonoverlapping(
                ascii.as_ptr(),
                ffi::PyUnicode_DATA(text).cast::<u8>(),
                ascii.len(),
            );
        }
        text
    }
}

/// All its methods give a new reference, or null: with an exception set, or with `damaged`.
struct Decoder<'a> {
    rest: &'a [u8],
    keys: &'a mut KeyCache,
    damaged: bool,
}

impl<'a> Decoder<'a> {
    #[cold]
    fn damage(&mut self) -> *mut PyObject {
        self.damaged = true;
        null_mut()
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    #[inline]
    fn number(&mut self) -> Option<u64> {
        let byte = self.byte()?;
        if byte < 0x80 {
            return Some(byte.into());
        }
        let mut number = u64::from(byte & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    #[inline]
    fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (block, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(block)
    }

    /// The length of a container: every item takes at least a byte, so it cannot be more than is left.
    fn length(&mut self, depth: usize) -> Option<Py_ssize_t> {
        let length = usize::try_from(self.number()?).ok()?;
        (length <= self.rest.len() && depth < DEEPEST).then_some(length as Py_ssize_t)
    }

    /// # Safety
    /// The interpreter is attached. So for all that follow.
    unsafe fn value(&mut self, depth: usize) -> *mut PyObject {
        // SAFETY: attached, as the caller promises. Text tagged ASCII is ASCII: the encoder writes the tag
        // for such text only, and the bytes never leave the process.
        unsafe {
            let value = match self.byte() {
                Some(ASCII) => self.block().map(|ascii| new_ascii(ascii)),
                Some(INTEGER) => self
                    .number()
                    .map(|zigzag| ffi::PyLong_FromLongLong((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))),
                Some(NONE) => Some(ffi::Py_NewRef(ffi::Py_None())),
                Some(TRUE) => Some(ffi::Py_NewRef(ffi::Py_True())),
                Some(FALSE) => Some(ffi::Py_NewRef(ffi::Py_False())),
                Some(DICT) => self.length(depth).map(|length| self.dict(length, depth)),
                Some(LIST) => self.length(depth).map(|length| self.list(length, depth)),
                Some(TUPLE) => self.length(depth).map(|length| self.tuple(length, depth)),
                Some(TEXT) => self.block().map(|utf8| {
                    ffi::PyUnicode_FromStringAndSize(utf8.as_ptr().cast::<c_char>(), utf8.len() as Py_ssize_t)
                }),
                Some(FLOAT) => self.rest.split_first_chunk::<8>().map(|(word, rest)| {
                    self.rest = rest;
                    ffi::PyFloat_FromDouble(f64::from_le_bytes(*word))
                }),
                Some(BYTES) => self.block().map(|bytes| {
                    ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast::<c_char>(), bytes.len() as Py_ssize_t)
                }),
                _ => None,
            };
            value.unwrap_or_else(|| self.damage())
        }
    }

    unsafe fn list(&mut self, length: Py_ssize_t, depth: usize) -> *mut PyObject {
        // SAFETY: attached. A new list of empty places, each filled once with a reference that it takes
        // over; dropping a list with empty places is allowed.
        unsafe {
            let list = ffi::PyList_New(length);
            for index in 0..if list.is_null() { 0 } else { length } {
                let item = self.value(depth + 1);
                if item.is_null() {
                    ffi::Py_DECREF(list);
                    return null_mut();
                }
                ffi::PyList_SET_ITEM(list, index, item);
            }
            list
        }
    }

    unsafe fn tuple(&mut self, length: Py_ssize_t, depth: usize) -> *mut PyObject {
        // SAFETY: attached. A new tuple of empty places (the empty tuple is a shared object and has none),
        // each filled once with a reference that it takes over; dropping one with empty places is allowed.
        unsafe {
            let tuple = ffi::PyTuple_New(length);
            for index in 0..if tuple.is_null() { 0 } else { length } {
                let item = self.value(depth + 1);
                if item.is_null() {
                    ffi::Py_DECREF(tuple);
                    return null_mut();
                }
                ffi::PyTuple_SET_ITEM(tuple, index, item);
            }
            tuple
        }
    }

    unsafe fn dict(&mut self, length: Py_ssize_t, depth: usize) -> *mut PyObject {
        // SAFETY: attached; `PyDict_SetItem` takes references of its own, so ours are given back.
        unsafe {
            let dict = super::presized::new_dict(length);
            for _ in 0..if dict.is_null() { 0 } else { length } {
                let key = self.key(depth + 1);
                let value = if key.is_null() { null_mut() } else { self.value(depth + 1) };
                let failed = value.is_null() || ffi::PyDict_SetItem(dict, key, value) != 0;
                ffi::Py_XDECREF(key);
                ffi::Py_XDECREF(value);
                if failed {
                    ffi::Py_DECREF(dict);
                    return null_mut();
                }
            }
            dict
        }
    }

    #[inline]
    unsafe fn key(&mut self, depth: usize) -> *mut PyObject {
        // SAFETY: attached; tagged ASCII is ASCII (see `value`).
        unsafe {
            if self.rest.first() != Some(&ASCII) {
                return self.value(depth);
            }
            self.rest = &self.rest[1..];
            match self.block() {
                Some(ascii) => self.keys.get(ascii),
                None => self.damage(),
            }
        }
    }
}
