//! One node, as it is greeted and understood.
use crate::config::Config;
use crate::reply::{Reply, Skim, parse};
use crate::request::Batch;
use hotclub_net::{Change, Effect, Greeting, Problem, Terms, Tls};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The configuration, and which protocol this node was found to speak.
#[derive(Debug)]
pub struct Peer {
    config: Arc<Config>,
    /// It knows the older protocol only.
    older: AtomicBool,
}

/// The newer protocol as it is written here: releases before had other letters for the same.
const NEW_ENOUGH: (u32, u32, u32) = (1, 6, 12);

impl Peer {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Peer { config, older: AtomicBool::new(false) }
    }

    /// Whether requests must be said in older words.
    #[inline]
    pub(crate) fn is_older(&self) -> bool {
        self.older.load(Ordering::Relaxed)
    }

    /// What the node said to the first words tells which protocol it speaks. If that is not the one that was expected,
    /// what waits to be sent must be said anew, and so this connection is of no use.
    fn found(&self, older: bool) -> Result<(), Problem> {
        let expected = self.older.swap(older, Ordering::Relaxed);
        if older && !expected {
            return Err(Problem::Handshake(
                "it is older than 1.6.12: it is asked again in older words".into(),
            ));
        }
        Ok(())
    }
}

impl Terms for Peer {
    type Role = ();
    type Skim = Skim;

    fn greeting(&self, (): ()) -> Result<Greeting, Problem> {
        let mut hello = Batch::default();
        hello.start("connect", Effect::Idempotent);
        match &self.config.login {
            // Alone: what comes behind a refused login gets no reply of its own.
            Some(login) => hello.authenticate(&login.username, &login.password),
            // A server that is too old for what follows is found out here, and not by a lost request.
            None => hello.version(),
        }
        Ok(Greeting { bytes: hello.bytes().to_vec(), replies: hello.len() })
    }

    fn agreed(&self, (): (), replies: &[u8]) -> Result<(), Problem> {
        match parse(replies, &mut 0)? {
            // To a login.
            Reply::Done(_) => Ok(()),
            Reply::Text(version) => self.found(is_too_old(version)),
            Reply::Unknown if self.config.login.is_some() => Err(refused(b"it takes no login (-Y)")),
            Reply::Unknown => self.found(true),
            Reply::ClientError(text) => Err(refused(text)),
            Reply::ServerError(text) => Err(Problem::Connect(String::from_utf8_lossy(text).into_owned())),
            other => Err(Problem::unexpected(&other)),
        }
    }

    fn tls(&self) -> Option<&Tls> {
        self.config.tls.as_ref()
    }

    fn connect_limit(&self) -> Duration {
        self.config.connect_limit
    }

    fn reply_limit(&self) -> Duration {
        self.config.reply_limit
    }

    fn pool_size(&self) -> usize {
        self.config.pool_size
    }

    fn pool_limit(&self) -> Duration {
        self.config.pool_limit
    }

    fn rest(&self) -> Duration {
        self.config.rest
    }

    fn tell(&self, change: &Change<'_>) {
        if let Some(listener) = &self.config.listener {
            listener(change);
        }
    }
}

fn refused(text: &[u8]) -> Problem {
    Problem::Handshake(String::from_utf8_lossy(text).into_owned())
}

/// What is no number is a proxy's, and taken for new.
fn is_too_old(version: &[u8]) -> bool {
    let text = String::from_utf8_lossy(version);
    let mut numbers = text.split(['.', '-', '_', ' ']).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok);
    match (next(), next(), next()) {
        (Some(major), Some(minor), patch) => (major, minor, patch.unwrap_or(0)) < NEW_ENOUGH,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotclub_net::Server;

    fn peer() -> Peer {
        let config = Config::new(vec![Server::Tcp("127.0.0.1".into(), 11211)]).unwrap();
        Peer::new(Arc::new(config))
    }

    #[test]
    fn an_older_server_is_found_out_by_its_first_words() {
        let peer = peer();
        assert_eq!(peer.greeting(()).unwrap().bytes, b"version\r\n");
        assert!(peer.agreed((), b"VERSION 1.6.18\r\n").is_ok() && !peer.is_older());
        for reply in [&b"VERSION 1.5.6\r\n"[..], b"VERSION 1.6.6\r\n", b"ERROR\r\n"] {
            let peer = self::peer();
            let first = peer.agreed((), reply);
            assert!(matches!(first, Err(Problem::Handshake(_))), "what waits is in other words");
            assert!(peer.is_older() && peer.agreed((), reply).is_ok());
            assert!(peer.agreed((), b"VERSION 1.6.38\r\n").is_ok() && !peer.is_older(), "it was replaced");
        }
    }

    #[test]
    fn versions_of_all_kinds_are_read() {
        for (version, too_old) in [("1.6.12", false), ("1.6.9", true), ("1.4.39", true), ("2.0", false)] {
            assert_eq!(is_too_old(version.as_bytes()), too_old, "{version}");
        }
        assert!(!is_too_old(b"mcrouter 41") && !is_too_old(b"1.6.21_1-debian") && is_too_old(b"1.5.22-rc1"));
    }
}
