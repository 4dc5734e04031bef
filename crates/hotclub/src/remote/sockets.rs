//! What URLs say of servers whose sockets are ours.
use super::decoded;
use crate::config::Options;
use crate::error::{Error, Result};
use hotclub_net::{Server, Tls, TlsFiles, Verify};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

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
