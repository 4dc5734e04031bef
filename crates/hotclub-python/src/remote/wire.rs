//! What all cache objects of one configuration share in this process: a client with its pools, and the codec.
use super::errors;
use super::news;
use super::speech::Resp;
use super::value::Codec;
use crate::door::{self, Doors};
use crate::settings::of_remote;
use hotclub::backend::redis::batch::{Answers, Batch};
use hotclub::backend::redis::config::{DEFAULT_PORT, Layout, Login, ReadFrom};
use hotclub::backend::redis::server::Server;
use hotclub::backend::redis::tls::{Tls, TlsFiles, Verify};
use hotclub::backend::redis::{Client, RedisConfig};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Whose habits an alias has: bytes, units of time and return values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Django,
    DjangoRedis,
    Vcache,
}

/// What an alias does differently from its dialect.
pub(crate) struct Habits {
    pub(crate) dialect: Dialect,
    /// Deadlines in milliseconds instead of whole seconds.
    pub(crate) milliseconds: bool,
    /// An entry that cannot be read is a miss.
    pub(crate) undecodable_is_miss: bool,
    /// `incr` makes a missing key.
    pub(crate) incr_creates: bool,
    /// Errors of the server become misses and `None`.
    pub(crate) ignore_errors: bool,
    /// The logger that is told of the first error that is ignored, if one is.
    pub(crate) log_ignored: Option<String>,
    /// The library whose exceptions people catch.
    pub(crate) client: &'static str,
}

/// One configuration: its client, its codec, and the sockets of event loops.
pub(crate) struct Wire {
    pub(crate) client: Arc<Client>,
    pub(crate) codec: Codec,
    pub(crate) habits: Habits,
    pub(crate) doors: Doors<Resp>,
    pub(crate) counts: Counts,
    /// The objects of the settings. The name of a wire tells them apart by where they are, so they must stay there.
    _given: Py<PyDict>,
    /// The last answer was an error that was ignored.
    pub(crate) ignoring: AtomicBool,
}

/// What happened since the process began.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) undecodable: AtomicU64,
    pub(crate) ignored: AtomicU64,
}

impl Counts {
    pub(crate) fn rows(&self) -> [(&'static str, u64); 5] {
        let Counts { hits, misses, errors, undecodable, ignored } = self;
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        [
            ("hits", count(hits)),
            ("misses", count(misses)),
            ("errors", count(errors)),
            ("undecodable", count(undecodable)),
            ("ignored_errors", count(ignored)),
        ]
    }
}

/// Buffers of one exchange. Taken out of the thread while in use: pickling may run code that uses a cache.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) batch: Batch,
    pub(crate) answers: Answers,
    pub(crate) value: Vec<u8>,
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

impl Scratch {
    #[inline]
    pub(crate) fn take() -> Box<Scratch> {
        SCRATCH.take().unwrap_or_default()
    }

    #[inline]
    pub(crate) fn put_back(mut self: Box<Self>) {
        if self.value.capacity() > 1 << 20 {
            self.value = Vec::new();
        }
        SCRATCH.set(Some(self));
    }
}

impl Wire {
    /// Sends the batch and waits, without the GIL.
    #[inline]
    pub(crate) fn exchange(&self, py: Python<'_>, batch: &Batch, answers: &mut Answers) -> PyResult<()> {
        let client = &*self.client;
        py.detach(|| client.exchange(batch, answers)).map_err(|error| self.exception(py, &error))
    }

    #[cold]
    pub(crate) fn exception(&self, py: Python<'_>, error: &hotclub::Error) -> PyErr {
        errors::exception(py, error, self.habits.client)
    }
}

static WIRES: Mutex<BTreeMap<String, Arc<Wire>>> = Mutex::new(BTreeMap::new());
/// Configurations that nobody uses any more are kept up to this number: in threaded servers the objects that
/// use one come and go with the requests.
const MOST_KEPT: usize = 64;

/// Finds what remote verbs will need; see `warm` in `lib.rs`.
pub(crate) fn warm(py: Python<'_>) -> PyResult<()> {
    of_remote(py)?;
    super::value::warm(py)?;
    door::warm(py)?;
    errors::warm(py)?;
    news::warm(py)
}

/// The wire of this configuration; made if there is none. `name` tells configurations apart.
pub(crate) fn open(py: Python<'_>, name: &str, options: &Bound<'_, PyDict>) -> PyResult<Arc<Wire>> {
    let known = || WIRES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(wire) = known().get(name) {
        return Ok(wire.clone());
    }
    let made = Arc::new(make(py, options)?);
    let mut dropped = Vec::new();
    // Short, and no Python code runs in here: wires that are dropped are so after it.
    let mut wires = known();
    if wires.len() >= MOST_KEPT {
        let unused: Vec<String> = wires
            .iter()
            .filter(|(_, wire)| Arc::strong_count(wire) == 1)
            .map(|(name, _)| name.clone())
            .collect();
        dropped.extend(unused.iter().map(|name| wires.remove(name)));
    }
    let wire = wires.entry(name.to_owned()).or_insert(made).clone();
    drop(wires);
    drop(dropped);
    Ok(wire)
}

fn wrong(error: &hotclub::Error) -> PyErr {
    PyValueError::new_err(error.message().to_owned())
}

struct Given<'a, 'py>(&'a Bound<'py, PyDict>);

impl<'py> Given<'_, 'py> {
    fn get<T>(&self, name: &str) -> PyResult<T>
    where
        T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
    {
        let value =
            self.0.get_item(name)?.ok_or_else(|| PyValueError::new_err(format!("{name} is missing")))?;
        value.extract()
    }

    fn object(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.0.get_item(name)?.filter(|object| !object.is_none()))
    }

    fn seconds(&self, name: &str) -> PyResult<Duration> {
        Duration::try_from_secs_f64(self.get(name)?)
            .map_err(|error| PyValueError::new_err(format!("{name}: {error}")))
    }
}

fn make(py: Python<'_>, options: &Bound<'_, PyDict>) -> PyResult<Wire> {
    let given = Given(options);
    let codec = given.object("codec")?;
    let dialect = match given.get::<String>("dialect")?.as_str() {
        "django-redis" => Dialect::DjangoRedis,
        "vcache" => Dialect::Vcache,
        _ => Dialect::Django,
    };
    let habits = Habits {
        dialect,
        milliseconds: given.get("milliseconds")?,
        undecodable_is_miss: given.get("undecodable_is_miss")?,
        incr_creates: given.get("incr_creates")?,
        ignore_errors: given.get("ignore_errors")?,
        log_ignored: given.get("log_ignored")?,
        client: if dialect == Dialect::DjangoRedis { "django-redis" } else { "redis" },
    };
    Ok(Wire {
        client: Arc::new(Client::new(config(&given)?).map_err(|error| wrong(&error))?),
        codec: Codec::new(py, codec.as_ref(), given.get("pickle_protocol")?, dialect)?,
        habits,
        doors: Doors::default(),
        counts: Counts::default(),
        _given: options.clone().unbind(),
        ignoring: AtomicBool::new(false),
    })
}

fn config(given: &Given<'_, '_>) -> PyResult<RedisConfig> {
    let addresses: Vec<String> = given.get("addresses")?;
    let servers = addresses.iter().map(|address| Server::parse(address, DEFAULT_PORT));
    let servers = servers.collect::<Result<_, _>>().map_err(|error| wrong(&error.into()))?;
    let mut config = RedisConfig::new(servers).map_err(|error| wrong(&error))?;
    config.layout = match given.get::<String>("topology")?.as_str() {
        "cluster" => Layout::Cluster,
        "sentinel" => Layout::Sentinel(given.get("service")?),
        _ => Layout::Servers,
    };
    config.databases = vec![given.get("db")?];
    let (names, passwords): (Vec<Option<String>>, Vec<Option<String>>) =
        (given.get("usernames")?, given.get("passwords")?);
    let login = |(username, password)| Login { username, password };
    config.logins = names.into_iter().zip(passwords).map(login).collect();
    config.sentinel_login =
        Login { username: given.get("sentinel_username")?, password: given.get("sentinel_password")? };
    if let Some(callable) = given.object("credentials")? {
        let callable = callable.unbind();
        config.credentials = Some(Arc::new(move || Python::attach(|py| credentials(callable.bind(py)))));
    }
    config.tls = tls(given)?;
    config.client_name = given.get("client_name")?;
    config.protocol = given.get("protocol")?;
    config.read_from = match given.get::<String>("read_from")?.as_str() {
        "primary" => ReadFrom::Primary,
        "any" => ReadFrom::Any,
        _ => ReadFrom::Replicas,
    };
    config.connect_limit = given.seconds("connect_limit")?;
    config.reply_limit = given.seconds("reply_limit")?;
    config.pool_limit = given.seconds("pool_limit")?;
    config.pool_size = given.get("pool_size")?;
    config.rest = given.seconds("breaker")?;
    config.listener = Some(news::listener("redis"));
    Ok(config)
}

/// `(user, password)`, or as redis-py has it for the default user `(password,)`.
fn credentials(callable: &Bound<'_, PyAny>) -> Result<Login, String> {
    let given = callable.call0().and_then(|login| match login.len()? {
        1 => Ok((None, login.extract::<(Option<String>,)>()?.0)),
        _ => login.extract::<(Option<String>, Option<String>)>(),
    });
    let (username, password) = given.map_err(|error| error.to_string())?;
    Ok(Login { username, password })
}

fn tls(given: &Given<'_, '_>) -> PyResult<Option<Tls>> {
    let Some(tls) = given.object("tls")? else { return Ok(None) };
    let tls = tls.cast_into::<PyDict>()?;
    let given = Given(&tls);
    let file = |name: &str| Ok::<_, PyErr>(given.get::<Option<String>>(name)?.map(Into::into));
    let verify = match given.get::<String>("verify")?.as_str() {
        "nothing" => Verify::Nothing,
        "chain" => Verify::Chain,
        _ => Verify::Full,
    };
    let files = TlsFiles { ca: file("ca")?, certificate: file("certificate")?, key: file("key")?, verify };
    Tls::new(&files).map(Some).map_err(|error| wrong(&error.into()))
}
