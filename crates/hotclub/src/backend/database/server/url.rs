//! Opening by URL, and every option with its meaning.
use super::backend::ServerBackend;
use super::config::{ServerConfig, Vendor};
use crate::backend::database::layout::Layout;
use crate::backend::{Backend, Limit};
use crate::config::Options;
use crate::error::{Error, Result};
use crate::registry::Room;
use crate::remote::decoded;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The options of both, and the vendor's.
macro_rules! options {
    ($($own:expr),*) => {
        &[
            ("table", "the table, made at the first use; default `hotclub`; to be given for layout `django`"),
            ("layout", "`own` (default), or `django`: the table of Django's DatabaseCache"),
            ("username", "the user, if the URL does not say it"),
            ("password", "the password, if the URL does not say it"),
            ("max_entries", "most entries; default no limit"),
            ("cull_frequency", "one in this many entries is culled when there are too many, 0 = all; default 3"),
            ("connect_limit", "seconds to wait for a connection; default 2"),
            ("reply_limit", "seconds to wait for the answer to a statement; default 5"),
            ("pool_size", "most connections of each runtime of this process; default 16"),
            ("pool_limit", "seconds to wait for a free connection; default 5"),
            $($own),*
        ]
    };
}
/// How the registry knows the room in PostgreSQL.
#[cfg(feature = "postgres")]
pub(crate) const POSTGRES: Room = Room {
    scheme: "postgres",
    aliases: &["postgresql"],
    options: options!(
        ("socket", "directory of the unix socket, instead of host and port"),
        ("sslmode", "`disable`, `allow`, `prefer` (default), `require`, `verify-ca` or `verify-full`"),
        ("sslrootcert", "PEM file of certificates to trust, beside the system's"),
        ("sslcert", "PEM file of the client's certificate"),
        ("sslkey", "PEM file of the client's key")
    ),
    open: |url, options| open(Vendor::Postgres, url, options),
};

/// How the registry knows the room in MySQL and MariaDB.
#[cfg(feature = "mysql")]
pub(crate) const MYSQL: Room = Room {
    scheme: "mysql",
    aliases: &["mariadb"],
    options: options!(
        ("socket", "path of the unix socket, instead of host and port"),
        ("ssl-mode", "`disabled`, `preferred` (default), `required`, `verify_ca` or `verify_identity`"),
        ("ssl-ca", "PEM file of certificates to trust, beside the system's"),
        ("ssl-cert", "PEM file of the client's certificate"),
        ("ssl-key", "PEM file of the client's key")
    ),
    open: |url, options| open(Vendor::MySql, url, options),
};

fn open(vendor: Vendor, url: &Url, options: &mut Options) -> Result<Arc<dyn Backend>> {
    Ok(Arc::new(ServerBackend::new(read(vendor, url, options)?)?))
}

/// The options of TLS by the names that the vendor's clients have: mode, CA, certificate, key.
fn encryption_names(vendor: Vendor) -> [&'static str; 4] {
    match vendor {
        Vendor::Postgres => ["sslmode", "sslrootcert", "sslcert", "sslkey"],
        Vendor::MySql => ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key"],
    }
}

pub(super) fn read(vendor: Vendor, url: &Url, options: &mut Options) -> Result<ServerConfig> {
    let path = url.path().trim_matches('/');
    let mut config = ServerConfig::new(vendor, decoded(path));
    if path.contains('/') {
        return Err(Error::config(format!("the path of the URL is the name of a database, not {path:?}")));
    }
    if let Some(host) = url.host_str().filter(|host| !host.is_empty()) {
        config.host = decoded(host).trim_start_matches('[').trim_end_matches(']').to_owned();
    }
    config.port = url.port().unwrap_or(vendor.port());
    config.socket = options.take("socket").map(Into::into);
    let given = |text: &str| (!text.is_empty()).then(|| decoded(text));
    let (user, password) = (options.take("username"), options.take("password"));
    config.user = given(url.username()).or(user);
    config.password = url.password().and_then(given).or(password);
    table(&mut config, options)?;
    let [mode, ca, certificate, key] = encryption_names(vendor);
    config.encryption.mode = options.take(mode);
    config.encryption.ca = options.take(ca).map(Into::into);
    config.encryption.certificate = options.take(certificate).map(Into::into);
    config.encryption.key = options.take(key).map(Into::into);
    limits(&mut config, options)?;
    config.check()?;
    Ok(config)
}

fn table(config: &mut ServerConfig, options: &mut Options) -> Result<()> {
    if let Some(layout) = options.take("layout") {
        config.layout = layout.parse()?;
    }
    match options.take("table") {
        Some(table) => config.table = table,
        None if config.layout == Layout::Django => {
            return Err(Error::config("table is needed for layout `django`: the LOCATION of Django's cache"));
        }
        None => {}
    }
    let cull_frequency = options.take_integer("cull_frequency")?.unwrap_or(3);
    config.limit =
        options.take_integer("max_entries")?.map(|max_entries| Limit { max_entries, cull_frequency });
    Ok(())
}

fn limits(config: &mut ServerConfig, options: &mut Options) -> Result<()> {
    for (name, into) in [
        ("connect_limit", &mut config.connect_limit),
        ("reply_limit", &mut config.reply_limit),
        ("pool_limit", &mut config.pool_limit),
    ] {
        if let Some(seconds) = options.take_number(name)? {
            *into = Duration::try_from_secs_f64(seconds)
                .map_err(|_| Error::config(format!("{name} must be a number of seconds, not {seconds}")))?;
        }
    }
    if let Some(size) = options.take_integer("pool_size")? {
        config.pool_size = usize::try_from(size).unwrap_or(0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<ServerConfig> {
        let url = Url::parse(text).unwrap();
        let mut options = Options::from_query(&url)?;
        let vendor = if url.scheme() == "mysql" { Vendor::MySql } else { Vendor::Postgres };
        let config = read(vendor, &url, &mut options)?;
        options.finish(["table"].into_iter())?;
        Ok(config)
    }

    #[test]
    fn urls_say_who_where_and_which_table() {
        let read =
            config("postgres://us%40er:p%2Bw+d@db:7000/my%20site?table=cache&reply_limit=0.5").unwrap();
        assert_eq!(read.place(), "db:7000/my site");
        assert_eq!((read.user.as_deref(), read.password.as_deref()), (Some("us@er"), Some("p+w+d")));
        assert_eq!((read.table.as_str(), read.layout), ("cache", Layout::Own));
        assert_eq!(read.reply_limit, Duration::from_millis(500));
        assert_eq!(config("mysql://[::1]/site").unwrap().place(), "[::1]:3306/site");
        let read = config("postgres:///site?socket=/run/postgresql&username=me&password=secret").unwrap();
        assert_eq!((read.place().as_str(), read.user.as_deref()), ("/run/postgresql/site", Some("me")));
        assert!(!format!("{read:?}").contains("secret"), "{read:?}");
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        for (url, word) in [
            ("postgres://db", "name of the database"),
            ("postgres://db/a/b", "a/b"),
            ("postgres://db/a?layout=django", "table is needed"),
            ("postgres://db/a?layout=mine", "layout"),
            ("postgres://db/a?table=", "table"),
            ("postgres://db/a?reply_limit=0", "reply_limit"),
            ("mysql://db/a?connect_limit=-1", "connect_limit"),
            ("mysql://db/a?pool_size=0", "pool_size"),
            ("mysql://db/a?ssl-cert=x", "belong together"),
            ("mysql://db/a?sslmode=require", "sslmode"),
            ("postgres://db/a?rest=1", "rest"),
        ] {
            let error = config(url).unwrap_err().to_string();
            assert!(error.contains(word), "{url}: {error}");
        }
    }
}
