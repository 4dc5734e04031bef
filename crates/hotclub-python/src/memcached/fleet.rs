//! What all cache objects of one configuration share in this process: a client with its pools, and habits.
use super::speech::Meta;
use super::value::{Library, Writer};
use crate::door::Doors;
use crate::remote::{errors, news};
use hotclub::remote::IntoError;
use hotclub_memcached::{
    AbsentNodes, BadKey, Client, Config, DEFAULT_PORT, Error, Leave, Login, Server, Tls, TlsFiles, Verify,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One configuration.
pub(crate) struct Fleet {
    pub(crate) client: Client,
    pub(crate) doors: Doors<Meta>,
    pub(crate) writer: Writer,
    /// The library whose exceptions people catch.
    pub(crate) library: &'static str,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

static FLEETS: Mutex<BTreeMap<String, Arc<Fleet>>> = Mutex::new(BTreeMap::new());
/// Configurations that nobody uses any more are kept up to this number.
const MOST_KEPT: usize = 64;

/// The fleet of this configuration; made if there is none. `name` tells configurations apart.
pub(crate) fn open(name: &str, options: &Bound<'_, PyDict>) -> PyResult<Arc<Fleet>> {
    let known = || FLEETS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(fleet) = known().get(name) {
        return Ok(fleet.clone());
    }
    let made = Arc::new(make(options)?);
    let mut dropped = Vec::new();
    // Short, and no Python code runs in here: fleets that are dropped are so after it.
    let mut fleets = known();
    if fleets.len() >= MOST_KEPT {
        let unused =
            |(name, fleet): (&String, &Arc<Fleet>)| (Arc::strong_count(fleet) == 1).then(|| name.clone());
        let unused: Vec<String> = fleets.iter().filter_map(unused).collect();
        dropped.extend(unused.iter().map(|name| fleets.remove(name)));
    }
    let fleet = fleets.entry(name.to_owned()).or_insert(made).clone();
    drop(fleets);
    drop(dropped);
    Ok(fleet)
}

fn make(options: &Bound<'_, PyDict>) -> PyResult<Fleet> {
    let wrong = |error: &dyn std::fmt::Display| PyValueError::new_err(error.to_string());
    let addresses: Vec<String> = get(options, "servers")?;
    let servers =
        addresses.iter().map(|address| Server::parse(address, DEFAULT_PORT)).collect::<Result<_, _>>();
    let mut config = Config::new(servers.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    let distribution: String = get(options, "distribution")?;
    config.distribution = distribution.parse().map_err(PyValueError::new_err)?;
    config.absent = match get::<String>(options, "absent")?.as_str() {
        "raise" => AbsentNodes::Raise,
        "silent" => AbsentNodes::Silent,
        "ignore" => AbsentNodes::Ignore,
        _ => AbsentNodes::Miss,
    };
    let leave: Option<(u32, f64)> = get(options, "leave")?;
    config.leave = leave
        .map(|(attempts, dead)| {
            let dead = Duration::try_from_secs_f64(dead).map_err(|error| wrong(&error))?;
            Ok::<_, PyErr>(Leave { attempts, dead })
        })
        .transpose()?;
    config.tls = get::<Option<TlsGiven>>(options, "tls")?.map(tls).transpose()?;
    let login: Option<(String, String)> = get(options, "login")?;
    config.login = login.map(|(username, password)| Login { username, password });
    config.connect_limit = seconds(options, "connect_limit")?;
    config.reply_limit = seconds(options, "reply_limit")?;
    config.pool_limit = seconds(options, "pool_limit")?;
    config.pool_size = get(options, "pool_size")?;
    config.rest = seconds(options, "rest")?;
    config.listener = Some(news::listener("memcached"));
    let pylibmc = get::<String>(options, "writer")? == "pylibmc";
    let library = if pylibmc { Library::Pylibmc } else { Library::Pymemcache };
    let compress_min_length = get(options, "compress_min_length")?;
    Ok(Fleet {
        client: Client::new(config).map_err(|error| match error {
            Error::Config(error) => wrong(&error),
            error => wrong(&error),
        })?,
        doors: Doors::default(),
        writer: Writer { library, compress_min_length },
        library: if pylibmc { "pylibmc" } else { "pymemcache" },
        hits: AtomicU64::new(0),
        misses: AtomicU64::new(0),
    })
}

/// Files: of authorities, of our certificate, of its key; and how much is verified.
type TlsGiven = (Option<String>, Option<String>, Option<String>, String);

fn tls((ca, certificate, key, verify): TlsGiven) -> PyResult<Tls> {
    let verify = match verify.as_str() {
        "nothing" => Verify::Nothing,
        "chain" => Verify::Chain,
        _ => Verify::Full,
    };
    let file = |name: Option<String>| name.map(Into::into);
    let files = TlsFiles { ca: file(ca), certificate: file(certificate), key: file(key), verify };
    Tls::new(&files).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn get<'py, T>(options: &Bound<'py, PyDict>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let value = options.get_item(name)?;
    value.ok_or_else(|| PyValueError::new_err(format!("{name} is missing")))?.extract()
}

fn seconds(options: &Bound<'_, PyDict>, name: &str) -> PyResult<Duration> {
    let error = |error| PyValueError::new_err(format!("{name}: {error}"));
    Duration::try_from_secs_f64(get(options, name)?).map_err(error)
}

impl Fleet {
    pub(crate) fn count(&self, found: usize, missed: usize) {
        self.hits.fetch_add(found as u64, Relaxed);
        self.misses.fetch_add(missed as u64, Relaxed);
    }

    #[cold]
    pub(crate) fn bad_key(&self, py: Python<'_>, key: &str, bad: BadKey) -> PyErr {
        let error = hotclub::Error::new(hotclub::ErrorKind::InvalidKey, format!("{key:?}: {bad}"));
        errors::exception(py, &error.at("memcached", "key"), self.library)
    }

    #[cold]
    pub(crate) fn exception(&self, py: Python<'_>, error: Error) -> PyErr {
        let told = match error {
            Error::Server { problem, verb, effect, place } => {
                problem.into_error("memcached", verb, effect, &place)
            }
            Error::Key(bad) => {
                hotclub::Error::new(hotclub::ErrorKind::InvalidKey, bad.to_string()).at("memcached", "key")
            }
            other => return PyValueError::new_err(other.to_string()),
        };
        errors::exception(py, &told, self.library)
    }
}
