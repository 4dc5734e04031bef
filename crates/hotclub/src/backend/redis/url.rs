//! Opening by URL, and every option with its meaning.
use super::backend::RedisBackend;
use super::config::DEFAULT_PORT;
use super::config::{Layout, Login, ReadFrom, RedisConfig};
use crate::backend::Backend;
use crate::config::Options;
use crate::error::{Error, Result};
use crate::registry::Room;
use crate::remote::{self, decoded};
use std::sync::Arc;
use url::Url;

/// Where sentinels listen by default.
const SENTINEL_PORT: u16 = 26379;

/// How the registry knows this room.
pub(crate) const ROOM: Room = Room {
    scheme: "redis",
    aliases: &[
        "rediss",
        "redis+unix",
        "redis+sentinel",
        "rediss+sentinel",
        "redis+cluster",
        "rediss+cluster",
    ],
    options: OPTIONS,
    open,
};

const OPTIONS: &[(&str, &str)] = &[
    ("hosts", "further servers, `host:port,host:port`: replicas, sentinels or nodes of a cluster"),
    ("db", "number of the database, if the path of the URL does not say it; default 0"),
    ("username", "ACL user, if the URL does not say it"),
    ("password", "password, if the URL does not say it"),
    ("sentinel_username", "ACL user for the sentinels"),
    ("sentinel_password", "password for the sentinels"),
    ("client_name", "the name that `CLIENT LIST` shows"),
    ("protocol", "RESP `2` (default) or `3`"),
    ("read_from", "who answers reads: `replicas` (default, but not in a cluster), `primary` or `any`"),
    ("connect_limit", "seconds to wait for a connection; default 2"),
    ("reply_limit", "seconds to wait for a reply; default 5"),
    ("pool_size", "most connections to each server in this process; default 64"),
    ("pool_limit", "seconds to wait for a free connection; default 5"),
    ("rest", "a server that failed is asked again after at most this many seconds; default 1"),
    ("tls_ca", "PEM file of certificates to trust, instead of the system's"),
    ("tls_certificate", "PEM file of the client's certificate"),
    ("tls_key", "PEM file of the client's key"),
    (
        "tls_verify",
        "what of the server's certificate is checked: `full` (default), `chain` (not the name) or `nothing`",
    ),
];

fn open(url: &Url, options: &mut Options) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(RedisBackend::new(read(url, options)?)?))
}

pub(super) fn read(url: &Url, options: &mut Options) -> Result<RedisConfig> {
    let (family, secure) = match url.scheme().strip_prefix("rediss") {
        Some(rest) => (rest, true),
        None => (url.scheme().trim_start_matches("redis"), false),
    };
    let mut path: Vec<&str> = url.path().split('/').filter(|part| !part.is_empty()).collect();
    let port = if family == "+sentinel" { SENTINEL_PORT } else { DEFAULT_PORT };
    let servers = match family {
        "+unix" => {
            path.clear();
            vec![remote::unix(url)]
        }
        _ => remote::servers(url, options, port)?,
    };
    let mut config = RedisConfig::new(servers)?;
    config.layout = match family {
        "+sentinel" if path.is_empty() => {
            return Err(Error::config("the name of the primary is needed: redis+sentinel://host:26379/name"));
        }
        "+sentinel" => Layout::Sentinel(decoded(path.remove(0))),
        "+cluster" => Layout::Cluster,
        _ => Layout::Servers,
    };
    config.databases = vec![database(&path, options)?];
    config.logins = vec![login(url, options)];
    config.sentinel_login =
        Login { username: options.take("sentinel_username"), password: options.take("sentinel_password") };
    config.tls = remote::tls(secure, options)?;
    let limits = remote::Limits::take(options)?;
    limits.apply(
        &mut config.connect_limit,
        &mut config.reply_limit,
        &mut config.pool_limit,
        &mut config.rest,
        &mut config.pool_size,
    );
    config.client_name = options.take("client_name");
    if let Some(protocol) = options.take_integer("protocol")? {
        config.protocol = u8::try_from(protocol).unwrap_or(0);
    }
    if let Some(text) = options.take("read_from") {
        config.read_from = match text.as_str() {
            "replicas" => ReadFrom::Replicas,
            "primary" => ReadFrom::Primary,
            "any" => ReadFrom::Any,
            _ => {
                return Err(Error::config(format!(
                    "read_from must be replicas, primary or any, not {text:?}"
                )));
            }
        };
    }
    config.check()?;
    Ok(config)
}

fn database(path: &[&str], options: &mut Options) -> Result<u32> {
    let wrong = |text: &str| Error::config(format!("the database must be a number, not {text:?}"));
    let from_path = match path {
        [] => None,
        [number] => Some((*number).to_owned()),
        more => return Err(wrong(&more.join("/"))),
    };
    // As redis-py reads it: `?db=` wins over the path.
    match options.take("db").or(from_path) {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| wrong(&text)),
    }
}

fn login(url: &Url, options: &mut Options) -> Login {
    let given = |text: &str| (!text.is_empty()).then(|| decoded(text));
    let (username, password) = (options.take("username"), options.take("password"));
    Login {
        username: given(url.username()).or(username),
        password: url.password().and_then(given).or(password),
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::Server;
    use super::*;

    fn config(text: &str) -> Result<RedisConfig> {
        let url = Url::parse(text).unwrap();
        let mut options = Options::from_query(&url)?;
        let config = read(&url, &mut options)?;
        options.finish(OPTIONS.iter().map(|(name, _)| *name))?;
        Ok(config)
    }

    #[test]
    fn urls_are_read_as_redis_py_reads_them() {
        let read = config("redis://us%40er:p%2Bw+d@cache:7000/3").unwrap();
        assert_eq!(read.servers, [Server::Tcp("cache".into(), 7000)]);
        assert_eq!(
            (read.login(0).username.as_deref(), read.login(0).password.as_deref()),
            (Some("us@er"), Some("p+w+d"))
        );
        assert_eq!(read.database(0), 3);
        assert_eq!(config("redis://cache/1?db=2").unwrap().database(0), 2);
        assert_eq!(config("redis://[::1]:7000").unwrap().servers, [Server::Tcp("::1".into(), 7000)]);
        let read = config("redis+unix:///run/re%20dis.sock?db=4").unwrap();
        assert_eq!(
            (read.servers.clone(), read.database(0)),
            (vec![Server::Unix("/run/re dis.sock".into())], 4)
        );
    }

    #[test]
    fn sentinels_and_clusters_have_several_hosts() {
        let read = config("redis+sentinel://a/main/2?hosts=b:1,c").unwrap();
        assert_eq!(read.layout, Layout::Sentinel("main".into()));
        let tcp = |host: &str, port| Server::Tcp(host.into(), port);
        assert_eq!(read.servers, [tcp("a", 26379), tcp("b", 1), tcp("c", 26379)]);
        assert_eq!(read.database(0), 2);
        assert_eq!(config("redis+cluster://a").unwrap().layout, Layout::Cluster);
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (url, word) in [
            ("redis://a/x", "database"),
            ("redis://a?reply_limit=0", "reply_limit"),
            ("redis://a?pool_size=0", "pool_size"),
            ("redis://a?read_from=nobody", "read_from"),
            ("redis://a?protocol=4", "protocol"),
            ("redis://a?tls_ca=x", "rediss"),
            ("rediss://a?tls_ca=/no/such/file", "/no/such/file"),
            ("redis+sentinel://a", "name of the primary"),
            ("redis+cluster://a/1", "cluster"),
            ("redis://a?conect_limit=1", "conect_limit"),
        ] {
            let error = config(url).unwrap_err().to_string();
            assert!(error.contains(word), "{url}: {error}");
        }
    }
}
