//! Full keys, composed and checked here, without a Python string, as Django composes and checks them.
use crate::settings::Settings;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

const SHORT: usize = 256;
/// Django's MEMCACHE_MAX_KEY_LENGTH, in characters.
const LONGEST_PORTABLE: usize = 250;

/// The bytes of a full key: UTF-8, lone surrogates as they are. Short ones live on the stack.
pub(crate) struct FullKey {
    short: [u8; SHORT],
    length: usize,
    long: Vec<u8>,
}

impl FullKey {
    #[inline]
    fn new() -> Self {
        FullKey { short: [0; SHORT], length: 0, long: Vec::new() }
    }

    #[inline]
    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        if end <= SHORT && self.long.is_empty() {
            self.short[self.length..end].copy_from_slice(part);
        } else {
            if self.long.is_empty() {
                self.long.extend_from_slice(&self.short[..self.length]);
            }
            self.long.extend_from_slice(part);
        }
        self.length = end;
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.length] } else { &self.long }
    }

    /// The key as Python sees it.
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match std::str::from_utf8(self.as_bytes()) {
            Ok(text) => Ok(PyString::new(py, text).into_any()),
            Err(_) => {
                let bytes = PyBytes::new(py, self.as_bytes());
                bytes.call_method1(intern!(py, "decode"), ("utf-8", "surrogatepass"))
            }
        }
    }

    /// Django's two questions: longer than 250 characters, or a character that memcached refuses?
    #[inline]
    fn is_portable(&self) -> bool {
        let bytes = self.as_bytes();
        let plain = !bytes.iter().any(|&byte| byte <= 0x20 || byte == 0x7f);
        plain && (bytes.len() <= LONGEST_PORTABLE || characters(bytes) <= LONGEST_PORTABLE)
    }
}

fn characters(utf8: &[u8]) -> usize {
    utf8.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// The full key of what the caller typed, checked: Django's `make_and_validate_key`.
///
/// Python is called only for an overridden method, a custom KEY_FUNCTION, a key or version that is no
/// plain `str` or `int`, and a key that fails the check (to warn exactly as Django does).
#[inline]
pub(crate) fn full_key(
    cache: &Bound<'_, PyAny>,
    settings: &Settings,
    key: &Bound<'_, PyAny>,
    version: Option<&Bound<'_, PyAny>>,
) -> PyResult<FullKey> {
    if settings.python_keys {
        return by_python(cache, key, version);
    }
    let mut full = FullKey::new();
    match (&settings.key_function, version) {
        (None, None) => full.push(&settings.head),
        (None, Some(version)) => push_head(&mut full, settings, version)?,
        (Some(function), version) => {
            let py = cache.py();
            let version = version.unwrap_or_else(|| settings.version.bind(py));
            let made = function.bind(py).call1((key, settings.key_prefix.bind(py), version))?;
            push_text(&mut full, &made)?;
            return check(cache, full);
        }
    }
    push_text(&mut full, key)?;
    check(cache, full)
}

#[inline]
fn check(cache: &Bound<'_, PyAny>, full: FullKey) -> PyResult<FullKey> {
    if !full.is_portable() {
        let py = cache.py();
        cache.call_method1(intern!(py, "validate_key"), (full.to_python(py)?,))?;
    }
    Ok(full)
}

#[cold]
fn by_python(
    cache: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
    version: Option<&Bound<'_, PyAny>>,
) -> PyResult<FullKey> {
    let py = cache.py();
    let keywords = pyo3::types::PyDict::new(py);
    keywords.set_item(intern!(py, "version"), version)?;
    let made = cache.call_method(intern!(py, "make_and_validate_key"), (key,), Some(&keywords))?;
    let mut full = FullKey::new();
    push_text(&mut full, &made)?;
    Ok(full)
}

fn push_head(full: &mut FullKey, settings: &Settings, version: &Bound<'_, PyAny>) -> PyResult<()> {
    full.push(&settings.prefix);
    full.push(b":");
    if version.is_exact_instance_of::<PyInt>() {
        if let Ok(number) = version.extract::<i64>() {
            push_number(full, number);
            full.push(b":");
            return Ok(());
        }
    }
    push_text(full, version)?;
    full.push(b":");
    Ok(())
}

fn push_number(full: &mut FullKey, number: i64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        full.push(b"-");
    }
    full.push(&digits[start..]);
}

/// `str(object)`, as `%s` gives it.
#[inline]
fn push_text(full: &mut FullKey, object: &Bound<'_, PyAny>) -> PyResult<()> {
    match object.cast_exact::<PyString>() {
        Ok(text) => push_str(full, text),
        Err(_) => {
            let text = object.str()?;
            push_str(full, &text)
        }
    }
}

#[inline]
fn push_str(full: &mut FullKey, text: &Bound<'_, PyString>) -> PyResult<()> {
    let mut length = 0;
    // SAFETY: `text` is a str; the bytes belong to it and it is alive until they are copied.
    let utf8 = unsafe {
        let start = ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &mut length);
        (!start.is_null()).then(|| std::slice::from_raw_parts(start.cast::<u8>(), length as usize))
    };
    match utf8 {
        Some(utf8) => full.push(utf8),
        None => {
            // Lone surrogates: the pending error is taken back, the bytes pass as they are.
            drop(PyErr::take(text.py()));
            let bytes = text.call_method1(intern!(text.py(), "encode"), ("utf-8", "surrogatepass"))?;
            full.push(bytes.cast_into::<PyBytes>()?.as_bytes());
        }
    }
    Ok(())
}

/// The bytes of any object's text: for prefix and version, which are made ready once.
pub(crate) fn text_bytes(object: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut full = FullKey::new();
    push_text(&mut full, object)?;
    Ok(full.as_bytes().to_vec())
}
