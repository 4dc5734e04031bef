//! Values as the servers hold them: in Django's bytes by Rust, in anybody else's by a Python codec.
use super::pickle;
use super::wire::Dialect;
use crate::names::name;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyInt, PyType};

/// How an alias writes and reads values.
pub(crate) enum Codec {
    /// Whole numbers as decimal text, everything else as a pickle of this protocol. django-redis takes more for
    /// a whole number than Django does.
    Plain { protocol: u8, subclasses_are_numbers: bool },
    /// An object with `dumps` and `loads` sees every value.
    Python { dumps: Py<PyAny>, loads: Py<PyAny> },
}

impl Codec {
    pub(crate) fn new(
        py: Python<'_>,
        codec: Option<&Bound<'_, PyAny>>,
        protocol: u8,
        dialect: Dialect,
    ) -> PyResult<Self> {
        match codec {
            None => Ok(Codec::Plain { protocol, subclasses_are_numbers: dialect == Dialect::DjangoRedis }),
            Some(codec) => Ok(Codec::Python {
                dumps: codec.getattr(name!(py, dumps))?.unbind(),
                loads: codec.getattr(name!(py, loads))?.unbind(),
            }),
        }
    }

    /// Puts the bytes of a value into `to`. What pickling raises comes out as it is.
    #[inline]
    pub(crate) fn dump(&self, value: &Bound<'_, PyAny>, to: &mut Vec<u8>) -> PyResult<()> {
        let py = value.py();
        to.clear();
        match self {
            Codec::Plain { protocol, subclasses_are_numbers } => {
                if value.is_exact_instance_of::<PyInt>() {
                    return number(value, to);
                }
                if pickle::write(value, *protocol, to) {
                    return Ok(());
                }
                if *subclasses_are_numbers && value.is_instance_of::<PyInt>() && !is_enum(value)? {
                    return number(&py.get_type::<PyInt>().call1((value,))?, to);
                }
                let pickled = dumps_of_pickle(py)?.call1((value, *protocol))?;
                to.extend_from_slice(pickled.cast::<PyBytes>()?.as_bytes());
            }
            Codec::Python { dumps, .. } => {
                let dumped = dumps.bind(py).call1((value,))?;
                if let Ok(bytes) = dumped.cast::<PyBytes>() {
                    to.extend_from_slice(bytes.as_bytes());
                } else {
                    // What redis-py sends for the int that Django's own serializer leaves an int, and the like.
                    push_text(&dumped, to)?;
                }
            }
        }
        Ok(())
    }

    /// The value of these bytes. What cannot be read raises what its reader raises.
    #[inline]
    pub(crate) fn load<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Codec::Plain { .. } => {
                if let Some(number) = digits(bytes) {
                    return Ok(number.into_pyobject(py)?.into_any());
                }
                if bytes.first() != Some(&0x80)
                    && let Some(number) = pythons_int(py, bytes)?
                {
                    return Ok(number);
                }
                if let Some(object) = pickle::read(py, bytes)? {
                    return Ok(object);
                }
                loads_of_pickle(py)?.call1((PyBytes::new(py, bytes),))
            }
            Codec::Python { loads, .. } => loads.bind(py).call1((PyBytes::new(py, bytes),)),
        }
    }
}

/// Pickles of the highest protocol, for caches that say beside the bytes that they are one.
pub(crate) mod pickled {
    use super::*;

    /// `pickle.HIGHEST_PROTOCOL` of every Python that we support.
    const PROTOCOL: u8 = 5;

    /// Puts the pickle of a value into `to`.
    pub(crate) fn dump(value: &Bound<'_, PyAny>, to: &mut Vec<u8>) -> PyResult<()> {
        if !pickle::write(value, PROTOCOL, to) {
            let pickled = dumps_of_pickle(value.py())?.call1((value, PROTOCOL))?;
            to.extend_from_slice(pickled.cast::<PyBytes>()?.as_bytes());
        }
        Ok(())
    }

    /// The value of a pickle.
    pub(crate) fn load<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        match pickle::read(py, bytes)? {
            Some(object) => Ok(object),
            None => loads_of_pickle(py)?.call1((PyBytes::new(py, bytes),)),
        }
    }
}

/// Finds what is needed later; see `wire::warm`.
pub(super) fn warm(py: Python<'_>) -> PyResult<()> {
    dumps_of_pickle(py)?;
    loads_of_pickle(py)?;
    enum_class(py).map(drop)
}

fn dumps_of_pickle(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    DUMPS.import(py, "pickle", "dumps")
}

fn loads_of_pickle(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS.import(py, "pickle", "loads")
}

fn enum_class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static ENUM: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    ENUM.import(py, "enum", "Enum")
}

fn is_enum(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_instance(enum_class(value.py())?)
}

fn number(value: &Bound<'_, PyAny>, to: &mut Vec<u8>) -> PyResult<()> {
    use std::io::Write;
    match value.extract::<i64>() {
        Ok(number) => {
            write!(to, "{number}").expect("a vector takes every byte");
            Ok(())
        }
        Err(_) => push_text(value, to),
    }
}

/// The text of an object, as redis-py sends it.
pub(crate) fn push_text(value: &Bound<'_, PyAny>, to: &mut Vec<u8>) -> PyResult<()> {
    let text = value.str()?;
    to.extend_from_slice(text.to_str()?.as_bytes());
    Ok(())
}

/// The number that plain digits say: most of what lies in counters.
#[inline]
fn digits(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    Some(if negative { -number } else { number })
}

/// What `int()` makes of the bytes: it takes blanks, `+`, `_` and any length up to a limit. `None` if it refuses.
fn pythons_int<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    let number: &Bound<'py, PyType> = &py.get_type::<PyInt>();
    match number.call1((PyBytes::new(py, bytes),)) {
        Ok(number) => Ok(Some(number)),
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyValueError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}
