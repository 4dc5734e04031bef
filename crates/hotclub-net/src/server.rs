//! Where a server is.
use crate::problem::Misconfigured;
use std::fmt;
use std::path::PathBuf;

/// The address of one server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Server {
    /// Host (name or number, IPv6 without brackets) and port.
    Tcp(String, u16),
    /// The path of a unix socket.
    Unix(PathBuf),
}

impl Server {
    /// Reads `host`, `host:port`, `[::1]:port`, `:port` or the path of a socket.
    ///
    /// # Errors
    /// It is none of these.
    pub fn parse(text: &str, default_port: u16) -> Result<Server, Misconfigured> {
        let wrong = || Misconfigured(format!("{text:?} is no address of a server: host:port is expected"));
        if text.starts_with('/') {
            return Ok(Server::Unix(text.into()));
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            (host, rest.strip_prefix(':'))
        } else if text.matches(':').count() > 1 {
            (text, None)
        } else {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        };
        let port = match port {
            None | Some("") => default_port,
            Some(port) => port.parse().map_err(|_| wrong())?,
        };
        let host = if host.is_empty() { "localhost" } else { host };
        if host.chars().any(|letter| letter.is_whitespace() || "/@?#".contains(letter)) {
            return Err(wrong());
        }
        Ok(Server::Tcp(host.to_owned(), port))
    }

    /// A server that this one names: without a host, or with one that it does not know (`?`), it is on the same.
    pub fn beside(&self, host: &str, port: u16) -> Server {
        match (host, self) {
            ("" | "?", Server::Tcp(same, _)) => Server::Tcp(same.clone(), port),
            ("" | "?", Server::Unix(_)) => Server::Tcp("localhost".to_owned(), port),
            (host, _) => Server::Tcp(host.to_owned(), port),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Server::Tcp(host, port) => write!(f, "{host}:{port}"),
            Server::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let tcp = |host: &str, port| Server::Tcp(host.to_owned(), port);
        let read = |text| Server::parse(text, 6379).unwrap();
        assert_eq!(read("cache"), tcp("cache", 6379));
        assert_eq!(read("cache:7000"), tcp("cache", 7000));
        assert_eq!(read(":7000"), tcp("localhost", 7000));
        assert_eq!(read("[::1]:7000"), tcp("::1", 7000));
        assert_eq!(read("::1"), tcp("::1", 6379));
        assert_eq!(read("/run/redis.sock"), Server::Unix("/run/redis.sock".into()));
        assert_eq!(read("[::1]:7000").to_string(), "[::1]:7000");
        for wrong in ["cache:port", "cache:99999", "a b", "user@cache"] {
            assert!(Server::parse(wrong, 6379).is_err(), "{wrong}");
        }
    }
}
