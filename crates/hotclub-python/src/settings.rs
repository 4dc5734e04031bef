//! What a cache object's attributes say, made ready for the hot path.
//!
//! Django's users reassign `key_prefix`, `version`, `key_func`, `default_timeout`, `_max_entries` and
//! `_cull_frequency`, patch methods on instances and classes, and override them in subclasses. All of it
//! holds at the next call: setting an attribute drops the settings of that object, and the version tag
//! that CPython gives to a class's content tells when the class, or a base, has changed.
use crate::cache::Cache;
use crate::key::text_bytes;
use crate::life;
use crate::memcached::Memcached;
use crate::names::name;
use crate::remote::Remote;
use hotclub::Life;
use hotclub::backend::Limit;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyFloat, PyInt, PyString, PyType};

/// What Django's base module defines, as it was at the first use.
pub(crate) struct Django {
    base_cache: Py<PyAny>,
    default_key_func: Py<PyAny>,
    pub(crate) default_timeout: Py<PyAny>,
    /// The methods of `BaseCache` that the hot path takes the place of.
    originals: Vec<(&'static str, Py<PyAny>)>,
}

const REPLACED: [&str; 4] = ["make_key", "validate_key", "make_and_validate_key", "get_backend_timeout"];

pub(crate) fn django(py: Python<'_>) -> PyResult<&'static Django> {
    static DJANGO: PyOnceLock<Django> = PyOnceLock::new();
    DJANGO.get_or_try_init(py, || {
        let module = py.import("django.core.cache.backends.base")?;
        let base_cache = module.getattr("BaseCache")?;
        let original = |&name: &&'static str| Ok((name, as_defined(&module, &base_cache.getattr(name)?)?));
        Ok(Django {
            originals: REPLACED.iter().map(original).collect::<PyResult<_>>()?,
            base_cache: base_cache.unbind(),
            default_key_func: as_defined(&module, &module.getattr("default_key_func")?)?,
            default_timeout: module.getattr("DEFAULT_TIMEOUT")?.unbind(),
        })
    })
}

/// The same for remote caches, whose own class has some of these methods.
pub(crate) fn of_remote(py: Python<'_>) -> PyResult<&'static Vec<(&'static str, Py<PyAny>)>> {
    static ORIGINALS: PyOnceLock<Vec<(&'static str, Py<PyAny>)>> = PyOnceLock::new();
    ORIGINALS.get_or_try_init(py, || of_house(py, "hotclub.django.redis", "RedisCache"))
}

/// The same for caches of Memcached.
pub(crate) fn of_memcached(py: Python<'_>) -> PyResult<&'static Vec<(&'static str, Py<PyAny>)>> {
    static ORIGINALS: PyOnceLock<Vec<(&'static str, Py<PyAny>)>> = PyOnceLock::new();
    ORIGINALS.get_or_try_init(py, || of_house(py, "hotclub.django.memcached", "MemcachedCache"))
}

fn of_house(py: Python<'_>, module: &str, class: &str) -> PyResult<Vec<(&'static str, Py<PyAny>)>> {
    let own = py.import(module)?.getattr(class)?.getattr(name!(py, _house_methods))?;
    let of_django = &django(py)?.originals;
    let original = |(name, original): &(&'static str, Py<PyAny>)| {
        let own = own.get_item(*name).map(Bound::unbind);
        (*name, own.unwrap_or_else(|_| original.clone_ref(py)))
    };
    Ok(of_django.iter().map(original).collect())
}

/// The function, if it is the one that Django's module defines. If somebody patched it before the first
/// use, an object that equals no function: then Python's way is always taken.
fn as_defined(module: &Bound<'_, PyModule>, function: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    let code = function.getattr_opt("__code__")?;
    let file = code.map(|code| code.getattr("co_filename")).transpose()?;
    let defined_here = match file {
        Some(file) => file.eq(module.getattr("__file__")?)?,
        None => false,
    };
    Ok(if defined_here { function.clone().unbind() } else { PyDict::new(module.py()).into_any().unbind() })
}

/// `BaseCache`: what a verb falls back to when a subclass has overridden the verb below it.
pub(crate) fn base_cache(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    Ok(django(py)?.base_cache.bind(py))
}

/// One object's attributes at one moment.
pub(crate) struct Settings {
    pub(crate) key_prefix: Py<PyAny>,
    pub(crate) version: Py<PyAny>,
    /// The prefix as bytes, and `prefix:version:`.
    pub(crate) prefix: Vec<u8>,
    pub(crate) head: Vec<u8>,
    /// A KEY_FUNCTION that is not Django's default.
    pub(crate) key_function: Option<Py<PyAny>>,
    /// Keys go through `make_and_validate_key`, because a method on that road is overridden.
    pub(crate) python_keys: bool,
    /// Timeouts go through `get_backend_timeout`.
    pub(crate) python_timeouts: bool,
    pub(crate) default_life: Option<Life>,
    pub(crate) limit: Option<Limit>,
    /// Verbs of ours that nobody has overridden, so that the many-verbs need not call them one by one.
    pub(crate) own_get: bool,
    pub(crate) own_set: bool,
    pub(crate) own_delete: bool,
    /// The content of the class when this was made; 0 means that the attributes must be read anew by
    /// each call: CPython has no tag for the class, or what they say can change by itself.
    class_tag: u32,
}

impl Settings {
    #[inline]
    pub(crate) fn is_current(&self, cache: &Bound<'_, Cache>) -> bool {
        self.class_tag != 0 && self.class_tag == class_tag(cache)
    }

    /// Reads the attributes.
    #[cold]
    pub(crate) fn read(cache: &Bound<'_, Cache>) -> PyResult<Self> {
        let py = cache.py();
        let django = django(py)?;
        let key_prefix = cache.getattr(name!(py, key_prefix))?;
        let version = cache.getattr(name!(py, version))?;
        let key_function = cache.getattr(name!(py, key_func))?;
        let prefix = text_bytes(&key_prefix)?;
        let head = [&prefix[..], b":", &text_bytes(&version)?, b":"].concat();
        let methods = Methods::of(cache)?;
        let mut replaced = [false; REPLACED.len()];
        let originals = if cache.is_instance_of::<Remote>() {
            of_remote(py)?
        } else if cache.is_instance_of::<Memcached>() {
            of_memcached(py)?
        } else {
            &django.originals
        };
        for (overridden, (name, original)) in replaced.iter_mut().zip(originals) {
            *overridden = methods.is_overridden(name, original.bind(py))?;
        }
        // Methods of our own classes end in Django's: one that was patched there is asked too.
        for (overridden, (name, original)) in replaced.iter_mut().zip(&django.originals) {
            *overridden |= !django.base_cache.bind(py).getattr(*name)?.is(original.bind(py));
        }
        let [make_key, validate_key, make_and_validate_key, get_backend_timeout] = replaced;
        let ours = py.get_type::<Cache>();
        let own = |name: &str| Ok::<_, PyErr>(!methods.is_overridden(name, &ours.getattr(name)?)?);
        let fixed = is_fixed(&key_prefix) && is_fixed(&version) && !methods.has_properties()?;
        Ok(Settings {
            prefix,
            head,
            key_function: (!key_function.is(django.default_key_func.bind(py))).then(|| key_function.unbind()),
            python_keys: make_key || validate_key || make_and_validate_key,
            python_timeouts: get_backend_timeout,
            default_life: life::of_default(&cache.getattr(name!(py, default_timeout))?),
            limit: limit(cache)?,
            own_get: own("get")?,
            own_set: own("set")?,
            own_delete: own("delete")?,
            key_prefix: key_prefix.unbind(),
            version: version.unbind(),
            class_tag: if fixed { class_tag(cache) } else { 0 },
        })
    }
}

/// MAX_ENTRIES and CULL_FREQUENCY of this object; none where MAX_ENTRIES is `None`.
fn limit(cache: &Bound<'_, Cache>) -> PyResult<Option<Limit>> {
    let py = cache.py();
    let max_entries = cache.getattr(name!(py, _max_entries))?;
    if max_entries.is_none() {
        return Ok(None);
    }
    let cull_frequency = cache.getattr(name!(py, _cull_frequency))?;
    if let Ok(most) = max_entries.cast::<PyFloat>() {
        // Django compares: never true of NaN and infinity. The conversion saturates.
        let most = if most.value().is_nan() { f64::INFINITY } else { most.value().ceil() };
        return Ok(Some(Limit { max_entries: most as i64, cull_frequency: clamped(&cull_frequency)? }));
    }
    Ok(Some(Limit { max_entries: clamped(&max_entries)?, cull_frequency: clamped(&cull_frequency)? }))
}

fn clamped(number: &Bound<'_, PyAny>) -> PyResult<i64> {
    match number.extract::<i64>() {
        Ok(number) => Ok(number),
        Err(_) if number.is_instance_of::<PyInt>() => Ok(if number.lt(0)? { i64::MIN } else { i64::MAX }),
        Err(error) => Err(error),
    }
}

fn class_tag(cache: &Bound<'_, Cache>) -> u32 {
    // SAFETY: every object has a live type. CPython sets the tag to 0 when the class or a base changes and
    // gives a number never used before at the next lookup, both while holding the GIL (`gil_used`).
    unsafe { (*ffi::Py_TYPE(cache.as_ptr())).tp_version_tag }
}

/// What settings are made of.
const ATTRIBUTES: [&str; 6] =
    ["key_prefix", "version", "key_func", "default_timeout", "_max_entries", "_cull_frequency"];

/// Whether the text of a prefix or version is the same for ever.
fn is_fixed(part: &Bound<'_, PyAny>) -> bool {
    part.is_exact_instance_of::<PyString>() || part.is_exact_instance_of::<PyInt>() || part.is_none()
}

/// Where an object's methods come from.
struct Methods<'py> {
    class: Bound<'py, PyType>,
    own: Option<Bound<'py, PyDict>>,
}

impl<'py> Methods<'py> {
    fn of(cache: &Bound<'py, Cache>) -> PyResult<Self> {
        let class = cache.get_type();
        // Asking for the dict would make it; before a verb is patched there is nothing in it to see.
        if !cache.get().is_patched() {
            return Ok(Methods { class, own: None });
        }
        let own = cache.getattr_opt(name!(cache.py(), __dict__))?;
        Ok(Methods { class, own: own.and_then(|own| own.cast_into::<PyDict>().ok()) })
    }

    /// Whether the class computes one of the attributes that settings are made of.
    fn has_properties(&self) -> PyResult<bool> {
        for name in ATTRIBUTES {
            let Some(attribute) = self.class.getattr_opt(name)? else { continue };
            // A slot holds what was set, and nothing else.
            let class = attribute.get_type();
            if class.hasattr("__get__")? && class.name()? != "member_descriptor" {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_overridden(&self, name: &str, original: &Bound<'py, PyAny>) -> PyResult<bool> {
        if let Some(own) = &self.own
            && own.contains(name)?
        {
            return Ok(true);
        }
        Ok(!self.class.getattr(name)?.is(original))
    }
}
