//! One node, as it is greeted and understood.
use crate::config::Config;
use crate::reply::{Reply, Skim, parse};
use crate::request::Batch;
use hotclub_net::{Change, Effect, Greeting, Problem, Terms, Tls};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The configuration, and which protocol this node was last found to speak.
#[derive(Debug)]
pub struct Peer {
    config: Arc<Config>,
    /// It knows the older protocol only.
    older: AtomicBool,
}

/// In which words requests are said over a connection. Those for one kind of words are never used for the other: what
/// an older server does not understand, it would take for other requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Words {
    /// The meta protocol.
    #[default]
    Newer,
    /// The text protocol, which every server understands.
    Older,
}

/// Why a connection for newer words is none.
const TOO_OLD: &str = "it is older than 1.6.12: it is asked again in older words";

/// Whether a problem says that requests must be said in older words.
pub(crate) fn is_too_old_for(problem: &Problem) -> bool {
    matches!(problem, Problem::Handshake(text) if text == TOO_OLD)
}

/// The newer protocol as it is written here: releases before had other letters for the same.
const NEW_ENOUGH: (u32, u32, u32) = (1, 6, 12);

impl Peer {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Peer { config, older: AtomicBool::new(false) }
    }

    /// The words to begin with, by what the node was last found to be.
    #[inline]
    pub(crate) fn words(&self) -> Words {
        if self.older.load(Ordering::Relaxed) { Words::Older } else { Words::Newer }
    }

    /// What the node is. A connection for newer words to an older one is of no use.
    fn found(&self, older: bool, words: Words) -> Result<Option<Greeting>, Problem> {
        self.older.store(older, Ordering::Relaxed);
        if older && words == Words::Newer { Err(Problem::Handshake(TOO_OLD.to_owned())) } else { Ok(None) }
    }
}

impl Terms for Peer {
    type Role = Words;
    type Skim = Skim;

    fn greeting(&self, _words: Words) -> Result<Greeting, Problem> {
        Ok(match &self.config.login {
            // Alone: what comes behind a refused login gets no reply of its own.
            Some(login) => said(|hello| hello.authenticate(&login.username, &login.password)),
            None => said(Batch::version),
        })
    }

    fn agreed(&self, words: Words, replies: &[u8]) -> Result<Option<Greeting>, Problem> {
        match parse(replies, &mut 0)? {
            // To a login. A server that is too old for what follows is found out now, and not by a lost request.
            Reply::Done(_) => Ok(Some(said(Batch::version))),
            Reply::Text(version) => self.found(is_too_old(version), words),
            Reply::Unknown if self.config.login.is_some() => Err(refused(b"it takes no login (-Y)")),
            Reply::Unknown => self.found(true, words),
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

fn said(what: impl FnOnce(&mut Batch)) -> Greeting {
    let mut hello = Batch::default();
    hello.start("connect", Effect::Idempotent);
    what(&mut hello);
    Greeting { bytes: hello.bytes().to_vec(), replies: hello.len() }
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
    use crate::config::Login;
    use hotclub_net::Server;

    fn peer(login: Option<Login>) -> Peer {
        let mut config = Config::new(vec![Server::Tcp("127.0.0.1".into(), 11211)]).unwrap();
        config.login = login;
        Peer::new(Arc::new(config))
    }

    #[test]
    fn an_older_server_is_found_out_by_its_first_words() {
        let peer = peer(None);
        assert_eq!(peer.greeting(Words::Newer).unwrap().bytes, b"version\r\n");
        assert!(peer.agreed(Words::Newer, b"VERSION 1.6.18\r\n").is_ok() && peer.words() == Words::Newer);
        for reply in [&b"VERSION 1.5.6\r\n"[..], b"VERSION 1.6.6\r\n", b"ERROR\r\n"] {
            // However often it was found out before: nothing in newer words goes over such a connection.
            for _ in 0..2 {
                let newer = peer.agreed(Words::Newer, reply).unwrap_err();
                assert!(is_too_old_for(&newer) && peer.words() == Words::Older);
            }
            assert!(peer.agreed(Words::Older, reply).is_ok());
        }
        assert!(peer.agreed(Words::Older, b"VERSION 1.6.38\r\n").is_ok(), "which knows older words too");
        assert_eq!(peer.words(), Words::Newer, "it was replaced");
    }

    #[test]
    fn who_must_say_who_they_are_ask_for_the_version_then() {
        let peer = peer(Some(Login { username: "u".into(), password: "p".into() }));
        assert_eq!(peer.greeting(Words::Newer).unwrap().bytes, b"set auth 0 0 3\r\nu p\r\n");
        let next = peer.agreed(Words::Newer, b"STORED\r\n").unwrap().unwrap();
        assert_eq!((next.bytes.as_slice(), next.replies), (&b"version\r\n"[..], 1));
        assert!(is_too_old_for(&peer.agreed(Words::Newer, b"VERSION 1.5.22\r\n").unwrap_err()));
        assert!(matches!(peer.agreed(Words::Newer, b"CLIENT_ERROR no\r\n"), Err(Problem::Handshake(_))));
    }

    #[test]
    fn versions_of_all_kinds_are_read() {
        for (version, too_old) in [("1.6.12", false), ("1.6.9", true), ("1.4.39", true), ("2.0", false)] {
            assert_eq!(is_too_old(version.as_bytes()), too_old, "{version}");
        }
        assert!(!is_too_old(b"mcrouter 41") && !is_too_old(b"1.6.21_1-debian") && is_too_old(b"1.5.22-rc1"));
    }
}
