//! What the store holds for Python: numbers, references to immutable objects, encoded bytes.
use crate::codec::{self, KeyCache};
use hotclub::backend::memory::Weigh;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyFrozenSet, PyInt, PyString, PyTuple};
use std::cell::RefCell;

/// Sixteen bytes, so that an entry's metadata stays on one cache line.
pub(crate) enum Held {
    /// An `int` that fits; `incr` works on it without making an object.
    Integer(i64),
    /// An immutable object, shared by reference, and its weight in bytes.
    Object(u32, Py<PyAny>),
    /// Bytes of our codec, decoded afresh by each read.
    Encoded(Py<PyBytes>),
    /// A pickle, loaded afresh by each read.
    Pickled(Py<PyBytes>),
}

impl Weigh for Held {
    fn weight(&self) -> usize {
        match self {
            Held::Integer(_) => 0,
            Held::Object(weight, _) => *weight as usize,
            // Bytes objects never change, so their length may be asked again when they leave.
            Held::Encoded(bytes) | Held::Pickled(bytes) => BYTES_HEADER + length(bytes),
        }
    }
}

const BYTES_HEADER: usize = 33;

fn length(bytes: &Py<PyBytes>) -> usize {
    // SAFETY: a bytes object holds its length in its own header, for ever the same, and `bytes` keeps it
    // alive. Reading it needs no interpreter state.
    let length = unsafe { pyo3::ffi::Py_SIZE(bytes.as_ptr()) };
    usize::try_from(length).unwrap_or(0)
}

impl Held {
    /// Takes a value in. Mutable values are copied (encoded); immutable ones are kept as they are.
    ///
    /// What pickling raises comes out as it is.
    pub(crate) fn from_python(cache: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        if value.is_exact_instance_of::<PyInt>()
            && let Ok(number) = value.extract::<i64>()
        {
            return Ok(Held::Integer(number));
        }
        if let Some(weight) = immutable_weight(value) {
            let weight = u32::try_from(weight).unwrap_or(u32::MAX);
            return Ok(Held::Object(weight, value.clone().unbind()));
        }
        match codec::encode(value) {
            Some(bytes) => Ok(Held::Encoded(bytes)),
            None => pickle(cache, value).map(Held::Pickled),
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Held::Integer(number) => Held::Integer(*number),
            Held::Object(weight, object) => Held::Object(*weight, object.clone_ref(py)),
            Held::Encoded(bytes) => Held::Encoded(bytes.clone_ref(py)),
            Held::Pickled(bytes) => Held::Pickled(bytes.clone_ref(py)),
        }
    }

    /// Hands a value out: the object itself if it is immutable, else a fresh copy.
    #[inline]
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Held::Integer(number) => Ok(number.into_pyobject(py)?.into_any()),
            Held::Object(_, object) => Ok(object.into_bound(py)),
            Held::Encoded(bytes) => decode(bytes.bind(py)),
            Held::Pickled(bytes) => loads(py)?.call1((bytes,)),
        }
    }

    /// Whether two are the same stored thing: no write happened in between.
    pub(crate) fn is_same(&self, other: &Held) -> bool {
        match (self, other) {
            (Held::Integer(one), Held::Integer(other)) => one == other,
            (Held::Object(_, one), Held::Object(_, other)) => one.is(other),
            (Held::Encoded(one), Held::Encoded(other)) | (Held::Pickled(one), Held::Pickled(other)) => {
                one.is(other)
            }
            _ => false,
        }
    }
}

thread_local! {
    static KEYS: RefCell<KeyCache> = RefCell::new(KeyCache::default());
}

#[inline]
fn decode<'py>(bytes: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    // Building objects may run the collector, and with it any code: it may get here again.
    KEYS.with(|keys| match keys.try_borrow_mut() {
        Ok(mut keys) => codec::decode(bytes.py(), bytes.as_bytes(), &mut keys),
        Err(_) => codec::decode(bytes.py(), bytes.as_bytes(), &mut KeyCache::default()),
    })
}

const DEEPEST: usize = 16;
/// Tuples may hold the same tuple many times over; beyond this many steps the codec or pickle decides.
const MOST_STEPS: usize = 1000;

/// The weight of an object that may be shared by reference, close to `sys.getsizeof`; `None` if it may
/// not. Exact types only: a subclass of `str` may be mutable.
fn immutable_weight(value: &Bound<'_, PyAny>) -> Option<usize> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Some(text_weight(text));
    }
    let mut steps = MOST_STEPS;
    weigh(value, 0, &mut steps)
}

fn weigh(value: &Bound<'_, PyAny>, depth: usize, steps: &mut usize) -> Option<usize> {
    *steps = steps.checked_sub(1)?;
    if let Ok(text) = value.cast_exact::<PyString>() {
        return Some(text_weight(text));
    }
    if value.is_none() || value.is_exact_instance_of::<PyBool>() {
        return Some(0);
    }
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return Some(BYTES_HEADER + bytes.as_bytes().len());
    }
    if value.is_exact_instance_of::<PyFloat>() {
        return Some(24);
    }
    if value.is_exact_instance_of::<PyInt>() {
        // 30 bits a digit of four bytes.
        return Some(24 + 4 * (value.call_method0("bit_length").ok()?.extract::<usize>().ok()? / 30 + 1));
    }
    if depth == DEEPEST {
        return None;
    }
    if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        return weigh_all(tuple.iter(), 48 + 8 * tuple.len(), depth, steps);
    }
    if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
        return weigh_all(set.iter(), 216 + 24 * set.len(), depth, steps);
    }
    None
}

fn weigh_all<'py>(
    mut items: impl Iterator<Item = Bound<'py, PyAny>>,
    own: usize,
    depth: usize,
    steps: &mut usize,
) -> Option<usize> {
    items.try_fold(own, |sum, item| Some(sum + weigh(&item, depth + 1, steps)?))
}

fn text_weight(text: &Bound<'_, PyString>) -> usize {
    // SAFETY: an exact `str` is ready since Python 3.12 and made ready by every constructor before;
    // both macros read its header only.
    unsafe {
        let length = pyo3::ffi::PyUnicode_GET_LENGTH(text.as_ptr());
        let kind = pyo3::ffi::PyUnicode_KIND(text.as_ptr());
        56 + usize::try_from(length).unwrap_or(0) * kind as usize
    }
}

/// Finds what is needed later; see `warm` in `lib.rs`.
pub(crate) fn warm(py: Python<'_>) -> PyResult<()> {
    dumps(py)?;
    loads(py).map(drop)
}

fn dumps(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    DUMPS.import(py, "pickle", "dumps")
}

fn pickle(cache: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyBytes>> {
    let py = value.py();
    let protocol = cache.getattr("pickle_protocol")?;
    let pickled = dumps(py)?.call1((value, protocol))?;
    let pickled =
        pickled.cast_into::<PyBytes>().map_err(|_| PyRuntimeError::new_err("pickle.dumps gave no bytes"))?;
    Ok(pickled.unbind())
}

fn loads(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS.import(py, "pickle", "loads")
}
