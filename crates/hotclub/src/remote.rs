//! What the rooms behind a network share above their sockets: how what goes wrong becomes an [`Error`], and what
//! their URLs say alike.
use crate::config::Options;
use crate::error::{Error, ErrorKind, Result};
use hotclub_net::problem::Sort;
use hotclub_net::{Effect, Misconfigured, Problem, Server, Tls, TlsFiles, Verify};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// A problem's one way to callers.
pub trait IntoError {
    /// The error of this room, this verb with its effect, this place.
    fn into_error(self, room: &'static str, verb: &'static str, effect: Effect, place: &str) -> Error;
}

impl IntoError for Problem {
    fn into_error(self, room: &'static str, verb: &'static str, effect: Effect, place: &str) -> Error {
        let (sort, message) = self.told_of(effect);
        let kind = match sort {
            Sort::Unavailable => ErrorKind::Unavailable,
            Sort::Timeout => ErrorKind::Timeout,
            Sort::Ambiguous => ErrorKind::Ambiguous,
            Sort::Refused => ErrorKind::Refused,
            Sort::Protocol => ErrorKind::Protocol,
            Sort::NotAnInteger => ErrorKind::NotAnInteger,
            Sort::KeyNotFound => ErrorKind::KeyNotFound,
            Sort::Unsupported => ErrorKind::Unsupported,
        };
        let error = Error::new(kind, message).at(room, verb);
        // It is the caller's key that matters there, not the server.
        if matches!(self, Problem::Missing(_)) { error } else { error.in_place(place) }
    }
}

impl From<Misconfigured> for Error {
    fn from(wrong: Misconfigured) -> Self {
        Error::config(wrong.0)
    }
}

/// The servers that a URL and the option `hosts` name.
///
/// # Errors
/// What is no address.
pub(crate) fn servers(url: &Url, options: &mut Options, default_port: u16) -> Result<Vec<Server>> {
    let host = decoded(url.host_str().unwrap_or("localhost"));
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut servers = vec![Server::Tcp(host, url.port().unwrap_or(default_port))];
    for text in options.take("hosts").unwrap_or_default().split(',').filter(|text| !text.is_empty()) {
        servers.push(Server::parse(text.trim(), default_port)?);
    }
    Ok(servers)
}

/// The unix socket that is the path of a URL.
pub(crate) fn unix(url: &Url) -> Server {
    let parts = url.path().split('/').filter(|part| !part.is_empty());
    Server::Unix(parts.fold("/".into(), |whole: PathBuf, part| whole.join(decoded(part))))
}

/// TLS as `tls_…` options say it; `secure`: the scheme of the URL asks for it.
///
/// # Errors
/// Options that mean nothing, or files that cannot be used.
pub(crate) fn tls(secure: bool, options: &mut Options) -> Result<Option<Tls>> {
    let verify = match options.take("tls_verify").as_deref() {
        None | Some("full") => Verify::Full,
        Some("chain") => Verify::Chain,
        Some("nothing") => Verify::Nothing,
        Some(text) => {
            return Err(Error::config(format!("tls_verify must be full, chain or nothing, not {text:?}")));
        }
    };
    let mut file = |name: &str| options.take(name).map(Into::into);
    let files =
        TlsFiles { ca: file("tls_ca"), certificate: file("tls_certificate"), key: file("tls_key"), verify };
    if secure {
        return Ok(Some(Tls::new(&files)?));
    }
    if files == TlsFiles::default() {
        return Ok(None);
    }
    Err(Error::config("tls_… options need a URL whose scheme asks for TLS: rediss, memcacheds"))
}

/// Limits that a URL gives; what it does not give stays as it was.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    times: [Option<Duration>; 4],
    pool_size: Option<usize>,
}

const TIMES: [&str; 4] = ["connect_limit", "reply_limit", "pool_limit", "rest"];

impl Limits {
    pub(crate) fn take(options: &mut Options) -> Result<Limits> {
        let mut limits = Limits::default();
        for (name, into) in TIMES.into_iter().zip(&mut limits.times) {
            let Some(number) = options.take_number(name)? else { continue };
            let time = Duration::try_from_secs_f64(number)
                .map_err(|_| Error::config(format!("{name} must be a number of seconds, not {number}")))?;
            *into = Some(time);
        }
        let size = options.take_integer("pool_size")?;
        limits.pool_size = size.map(|size| usize::try_from(size).unwrap_or(0));
        Ok(limits)
    }

    pub(crate) fn apply(
        &self,
        connect: &mut Duration,
        reply: &mut Duration,
        pool: &mut Duration,
        rest: &mut Duration,
        pool_size: &mut usize,
    ) {
        for (given, into) in self.times.iter().zip([connect, reply, pool, rest]) {
            if let Some(given) = given {
                *into = *given;
            }
        }
        if let Some(size) = self.pool_size {
            *pool_size = size;
        }
    }
}

/// Text of a URL with its `%xx` undone.
pub(crate) fn decoded(text: &str) -> String {
    let with_plus = text.replace('+', "%2B");
    let query = format!("a={with_plus}");
    url::form_urlencoded::parse(query.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_server_verb_and_cause() {
        let problem = Problem::Connect("connection refused".into());
        let error = problem.into_error("redis", "get", Effect::Read, "127.0.0.1:6379");
        let text = "redis: get failed (127.0.0.1:6379): unavailable: connection refused";
        assert_eq!(error.to_string(), text);
    }
}
