//! Python objects to bytes.
use super::{ASCII, BYTES, DEEPEST, DICT, FALSE, FLOAT, INTEGER, LIST, NONE, TEXT, TRUE, TUPLE};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::cell::RefCell;
use std::collections::HashSet;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A buffer larger than this is given back after use.
const KEPT_BUFFER: usize = 1 << 20;

/// The value's bytes; `None` if it is for `pickle`.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> Option<Py<PyBytes>> {
    BUFFER.with(|buffer| {
        // Encoding runs no Python code; should it get here again all the same, pickle does the work.
        let mut buffer = buffer.try_borrow_mut().ok()?;
        buffer.clear();
        let mut encoder = Encoder { out: &mut buffer, seen: Seen::default() };
        encoder.value(value, 0)?;
        let bytes = PyBytes::new(value.py(), &buffer).unbind();
        if buffer.capacity() > KEPT_BUFFER {
            *buffer = Vec::new();
        }
        Some(bytes)
    })
}

/// Containers met so far that somebody else refers to as well: only those can appear twice.
#[derive(Default)]
struct Seen(Vec<usize>, HashSet<usize>);

/// Up to this many a walk through the list is quicker than a hash.
const FEW: usize = 16;

impl Seen {
    /// Whether the object is new here.
    fn insert(&mut self, object: usize) -> bool {
        if self.0.len() < FEW {
            let new = !self.0.contains(&object);
            self.0.push(object);
            return new;
        }
        if self.1.is_empty() {
            self.1.extend(&self.0);
        }
        self.1.insert(object)
    }
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    seen: Seen,
}

impl Encoder<'_> {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    fn block(&mut self, tag: u8, bytes: &[u8]) {
        self.out.push(tag);
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn container(&mut self, object: &Bound<'_, PyAny>, tag: u8, length: usize, depth: usize) -> Option<()> {
        if depth >= DEEPEST {
            return None;
        }
        // SAFETY: the object is alive. A container that only its parent refers to cannot appear again;
        // where the count says nothing (free-threaded builds) it is above one, and the set decides.
        let shared = unsafe { ffi::Py_REFCNT(object.as_ptr()) } > 1;
        // Depth 0: the caller's own references say nothing, but a cycle comes back to it.
        if (shared || depth == 0) && !self.seen.insert(object.as_ptr() as usize) {
            return None;
        }
        self.out.push(tag);
        self.number(length as u64);
        Some(())
    }

    #[inline]
    fn value(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> Option<()> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text)
        } else if value.is_exact_instance_of::<PyInt>() {
            self.integer(value)
        } else if value.is_none() {
            self.out.push(NONE);
            Some(())
        } else if let Ok(truth) = value.cast_exact::<PyBool>() {
            self.out.push(if truth.is_true() { TRUE } else { FALSE });
            Some(())
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(dict, depth)
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.container(value, LIST, list.len(), depth)?;
            list.iter().try_for_each(|item| self.value(&item, depth + 1))
        } else if let Ok(float) = value.cast_exact::<PyFloat>() {
            self.out.push(FLOAT);
            self.out.extend_from_slice(&float.value().to_le_bytes());
            Some(())
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            if tuple.is_empty() {
                self.out.extend_from_slice(&[TUPLE, 0]);
                return Some(());
            }
            self.container(value, TUPLE, tuple.len(), depth)?;
            tuple.iter().try_for_each(|item| self.value(&item, depth + 1))
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            self.block(BYTES, bytes.as_bytes());
            Some(())
        } else {
            None
        }
    }

    #[inline]
    fn text(&mut self, text: &Bound<'_, PyString>) -> Option<()> {
        // SAFETY: an exact `str`. Compact ASCII holds its UTF-8 in the object itself, `length` bytes of
        // it, which stay as they are while `text` is alive.
        unsafe {
            let object = text.as_ptr();
            if ffi::PyUnicode_IS_COMPACT_ASCII(object) != 0 {
                let start = ffi::PyUnicode_DATA(object).cast::<u8>();
                let length = ffi::PyUnicode_GET_LENGTH(object) as usize;
                self.block(ASCII, std::slice::from_raw_parts(start, length));
                return Some(());
            }
        }
        // Lone surrogates have no UTF-8: pickle knows how to write them.
        self.block(TEXT, text.to_str().ok()?.as_bytes());
        Some(())
    }

    #[inline]
    fn integer(&mut self, value: &Bound<'_, PyAny>) -> Option<()> {
        let mut overflow = 0;
        // SAFETY: `value` is an exact int, so this converts without running Python code, and reports
        // numbers that do not fit through `overflow` without raising.
        let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &mut overflow) };
        if overflow != 0 {
            return None;
        }
        self.out.push(INTEGER);
        self.number(((number << 1) ^ (number >> 63)) as u64);
        Some(())
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>, depth: usize) -> Option<()> {
        self.container(dict, DICT, dict.len(), depth)?;
        let py = dict.py();
        let (mut position, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: encoding runs no Python code that could change the dict (exact types, no hashing, no
        // allocation of tracked objects), the GIL is held throughout (see `gil_used`), so the borrowed
        // references stay valid while they are encoded.
        while unsafe { ffi::PyDict_Next(dict.as_ptr(), &mut position, &mut key, &mut value) } != 0 {
            // SAFETY: as above; `PyDict_Next` has set both to live objects.
            let (key, value) = unsafe { (Borrowed::from_ptr(py, key), Borrowed::from_ptr(py, value)) };
            self.value(&key, depth + 1)?;
            self.value(&value, depth + 1)?;
        }
        Some(())
    }
}
