//! Full keys, composed and checked here, without a Python string, as Django composes and checks them.
use crate::names::name;
use crate::settings::Settings;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};
use std::mem::MaybeUninit;

const SHORT: usize = 256;
/// Django's MEMCACHE_MAX_KEY_LENGTH, in characters.
const LONGEST_PORTABLE: usize = 250;

/// The bytes of a full key: UTF-8, lone surrogates as they are. Short ones live on the stack.
pub(crate) struct FullKey {
    /// The first `length` bytes are initialised, as long as `long` is empty.
    short: [MaybeUninit<u8>; SHORT],
    length: usize,
    long: Vec<u8>,
}

impl FullKey {
    /// An empty key; `full_key` fills it in place, since moving it costs more than composing it.
    #[inline]
    pub(crate) fn new() -> Self {
        FullKey { short: [MaybeUninit::uninit(); SHORT], length: 0, long: Vec::new() }
    }

    fn empty(&mut self) {
        self.length = 0;
        self.long.clear();
    }

    #[inline(always)]
    fn push(&mut self, part: &[u8]) {
        let end = self.length + part.len();
        if end <= SHORT && self.long.is_empty() {
            copy(part, &mut self.short[self.length..end]);
            self.length = end;
        } else {
            self.push_long(part);
        }
    }

    #[cold]
    fn push_long(&mut self, part: &[u8]) {
        if self.long.is_empty() {
            self.long = self.as_bytes().to_vec();
        }
        self.long.extend_from_slice(part);
        self.length = self.long.len();
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        if !self.long.is_empty() {
            return &self.long;
        }
        // SAFETY: `push` writes every part behind the one before and counts it in `length`.
        unsafe { self.short[..self.length].assume_init_ref() }
    }

    /// The key as Python sees it.
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match std::str::from_utf8(self.as_bytes()) {
            Ok(text) => Ok(PyString::new(py, text).into_any()),
            Err(_) => {
                let bytes = PyBytes::new(py, self.as_bytes());
                bytes.call_method1(name!(py, decode), ("utf-8", "surrogatepass"))
            }
        }
    }

    /// Django's two questions: longer than 250 characters, or a character that memcached refuses?
    #[inline(always)]
    fn is_portable(&self) -> bool {
        let bytes = self.as_bytes();
        is_plain(bytes) && (bytes.len() <= LONGEST_PORTABLE || characters(bytes) <= LONGEST_PORTABLE)
    }
}

/// Copies a part of a key; most are so short that a call of `memcpy` takes longer than the copying.
#[inline(always)]
fn copy(part: &[u8], to: &mut [MaybeUninit<u8>]) {
    match part.len() {
        8..=16 => {
            to[..8].write_copy_of_slice(&part[..8]);
            to[part.len() - 8..].write_copy_of_slice(&part[part.len() - 8..]);
        }
        4..=7 => {
            to[..4].write_copy_of_slice(&part[..4]);
            to[part.len() - 4..].write_copy_of_slice(&part[part.len() - 4..]);
        }
        1..=3 => to.iter_mut().zip(part).for_each(|(to, byte)| {
            to.write(*byte);
        }),
        _ => {
            to.write_copy_of_slice(part);
        }
    }
}

/// No byte up to 0x20, and none that is 0x7f; eight at a time.
#[inline(always)]
fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES * 0x80;
    // The high bit of each byte that is below 0x21, and of each that is zero (here: was 0x7f). A borrow
    // can only mark a byte above one that is marked already.
    let bad = |word: u64| {
        let deletes = word ^ (ONES * 0x7f);
        (word.wrapping_sub(ONES * 0x21) & !word | deletes.wrapping_sub(ONES) & !deletes) & HIGH
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut found = words.iter().fold(0, |found, word| found | bad(u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut last = [b'x'; 8];
        last[..rest.len()].copy_from_slice(rest);
        found |= bad(u64::from_le_bytes(last));
    }
    found == 0
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
    full: &mut FullKey,
) -> PyResult<()> {
    full.empty();
    if settings.python_keys {
        return by_python(cache, key, version, full);
    }
    match (&settings.key_function, version) {
        (None, None) => full.push(&settings.head),
        (None, Some(version)) => push_head(full, settings, version)?,
        (Some(function), version) => {
            let py = cache.py();
            let version = version.unwrap_or_else(|| settings.version.bind(py));
            let made = function.bind(py).call1((key, settings.key_prefix.bind(py), version))?;
            push_text(full, &made)?;
            return check(cache, full);
        }
    }
    push_text(full, key)?;
    check(cache, full)
}

#[inline(always)]
fn check(cache: &Bound<'_, PyAny>, full: &FullKey) -> PyResult<()> {
    if full.is_portable() { Ok(()) } else { complain(cache, full) }
}

#[cold]
fn complain(cache: &Bound<'_, PyAny>, full: &FullKey) -> PyResult<()> {
    let py = cache.py();
    cache.call_method1(name!(py, validate_key), (full.to_python(py)?,)).map(drop)
}

#[cold]
fn by_python(
    cache: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
    version: Option<&Bound<'_, PyAny>>,
    full: &mut FullKey,
) -> PyResult<()> {
    let py = cache.py();
    let keywords = pyo3::types::PyDict::new(py);
    keywords.set_item(name!(py, version), version)?;
    let made = cache.call_method(name!(py, make_and_validate_key), (key,), Some(&keywords))?;
    push_text(full, &made)
}

fn push_head(full: &mut FullKey, settings: &Settings, version: &Bound<'_, PyAny>) -> PyResult<()> {
    full.push(&settings.prefix);
    full.push(b":");
    if version.is_exact_instance_of::<PyInt>()
        && let Ok(number) = version.extract::<i64>()
    {
        push_number(full, number);
        full.push(b":");
        return Ok(());
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
#[inline(always)]
fn push_text(full: &mut FullKey, object: &Bound<'_, PyAny>) -> PyResult<()> {
    match object.cast_exact::<PyString>() {
        // SAFETY: an exact `str`; compact ASCII holds its UTF-8 in the object itself, `length` bytes of it,
        // and `object` keeps it alive.
        Ok(text) if unsafe { ffi::PyUnicode_IS_COMPACT_ASCII(text.as_ptr()) } != 0 => unsafe {
            let start = ffi::PyUnicode_DATA(text.as_ptr()).cast::<u8>();
            let length = ffi::PyUnicode_GET_LENGTH(text.as_ptr()) as usize;
            full.push(std::slice::from_raw_parts(start, length));
            Ok(())
        },
        Ok(text) => push_unicode(full, text),
        Err(_) => push_unicode(full, &object.str()?),
    }
}

#[inline(never)]
fn push_unicode(full: &mut FullKey, text: &Bound<'_, PyString>) -> PyResult<()> {
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
            let bytes = text.call_method1(name!(text.py(), encode), ("utf-8", "surrogatepass"))?;
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
