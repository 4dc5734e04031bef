//! Opening by URL, and every option with its meaning.
use super::backend::MemcachedBackend;
use super::{AbsentNodes, MemcachedConfig};
use crate::backend::Backend;
use crate::config::Options;
use crate::error::{Error, Result};
use crate::registry::Room;
use crate::remote::{self, decoded};
use ::url::Url;
use hotclub_memcached::{DEFAULT_PORT, Leave, Login};
use std::sync::Arc;
use std::time::Duration;

/// How the registry knows this room.
pub(crate) const ROOM: Room =
    Room { scheme: "memcached", aliases: &["memcacheds", "memcached+unix"], options: OPTIONS, open };

const OPTIONS: &[(&str, &str)] = &[
    ("hosts", "further nodes, `host:port,host:port`; `memcached://a,b` says the same"),
    ("distribution", "whose a key is: `pymemcache` (default), `modula`, `ketama` or `ketama_weighted`"),
    ("absent", "nodes that cannot be reached: `miss` (default), `raise`, `silent` or `ignore`"),
    ("retry_attempts", "with `dead_timeout`: trials after which a node leaves the ring; default 2, or never"),
    ("dead_timeout", "with `retry_attempts`: seconds that it stays away; default 60, or never"),
    ("username", "user of a server with an authentication file, if the URL does not say it"),
    ("password", "password, if the URL does not say it"),
    ("connect_limit", "seconds to wait for a connection; default 2"),
    ("reply_limit", "seconds to wait for a reply; default 5"),
    ("pool_size", "most connections to each node in this process; default 64"),
    ("pool_limit", "seconds to wait for a free connection; default 5"),
    ("rest", "a node that failed is asked again after at most this many seconds; default 1"),
    ("tls_ca", "PEM file of certificates to trust, instead of the system's"),
    ("tls_certificate", "PEM file of the client's certificate"),
    ("tls_key", "PEM file of the client's key"),
    (
        "tls_verify",
        "what of a node's certificate is checked: `full` (default), `chain` (not the name) or `nothing`",
    ),
];

fn open(url: &Url, options: &mut Options) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(MemcachedBackend::new(read(url, options)?)?))
}

pub(super) fn read(url: &Url, options: &mut Options) -> Result<MemcachedConfig> {
    let is_unix = url.scheme() == "memcached+unix";
    let servers =
        if is_unix { vec![remote::unix(url)] } else { remote::servers(url, options, DEFAULT_PORT)? };
    if !is_unix && !matches!(url.path(), "" | "/") {
        return Err(Error::config(format!("memcached has no databases, so {:?} means nothing", url.path())));
    }
    let mut config = MemcachedConfig::new(servers)?;
    if let Some(name) = options.take("distribution") {
        config.distribution = name.parse().map_err(Error::config)?;
    }
    if let Some(name) = options.take("absent") {
        config.absent = match name.as_str() {
            "miss" => AbsentNodes::Miss,
            "raise" => AbsentNodes::Raise,
            "silent" => AbsentNodes::Silent,
            "ignore" => AbsentNodes::Ignore,
            _ => {
                let known = "miss, raise, silent or ignore";
                return Err(Error::config(format!("absent must be {known}, not {name:?}")));
            }
        };
    }
    config.leave = leave(options)?;
    config.login = login(url, options)?;
    config.tls = remote::tls(url.scheme() == "memcacheds", options)?;
    remote::Limits::take(options)?.apply(
        &mut config.connect_limit,
        &mut config.reply_limit,
        &mut config.pool_limit,
        &mut config.rest,
        &mut config.pool_size,
    );
    config.check()?;
    Ok(config)
}

/// pymemcache's timers, if one of them is given.
fn leave(options: &mut Options) -> Result<Option<Leave>> {
    let (attempts, dead) = (options.take_integer("retry_attempts")?, options.take_number("dead_timeout")?);
    if attempts.is_none() && dead.is_none() {
        return Ok(None);
    }
    let attempts = u32::try_from(attempts.unwrap_or(2));
    let attempts =
        attempts.map_err(|_| Error::config("retry_attempts must be a whole number, 0 or above"))?;
    let dead = Duration::try_from_secs_f64(dead.unwrap_or(60.0));
    let dead = dead.map_err(|_| Error::config("dead_timeout must be a number of seconds"))?;
    Ok(Some(Leave { attempts, dead }))
}

fn login(url: &Url, options: &mut Options) -> Result<Option<Login>> {
    let (username, password) = (options.take("username"), options.take("password"));
    let username = Some(decoded(url.username())).filter(|name| !name.is_empty()).or(username);
    let password = url.password().map(decoded).or(password);
    match (username, password) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => Ok(Some(Login { username, password })),
        _ => Err(Error::config("memcached's logins need a user and a password")),
    }
}
