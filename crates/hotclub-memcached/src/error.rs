//! The one error of this crate.
use crate::key::BadKey;
use hotclub_net::problem::{Misconfigured, Sort};
use hotclub_net::{Effect, Problem};
use std::fmt;

/// What went wrong, in which verb, and where.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// On the way to a server and back.
    Server {
        /// What.
        problem: Problem,
        /// In which verb.
        verb: &'static str,
        /// What the verb does.
        effect: Effect,
        /// At which server.
        place: String,
    },
    /// A key that no server takes.
    Key(BadKey),
    /// Settings that cannot be followed.
    Config(Misconfigured),
}

impl Error {
    /// What a caller can do about it; `None`: mend the key or the settings.
    pub fn sort(&self) -> Option<Sort> {
        match self {
            Error::Server { problem, effect, .. } => Some(problem.told_of(*effect).0),
            Error::Key(_) | Error::Config(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Server { problem, verb, place, .. } => {
                write!(f, "memcached: {verb} failed ({place}): {}", problem.told().1)
            }
            Error::Key(bad) => write!(f, "memcached: {bad}"),
            Error::Config(wrong) => write!(f, "memcached: {wrong}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<BadKey> for Error {
    fn from(bad: BadKey) -> Self {
        Error::Key(bad)
    }
}

impl From<Misconfigured> for Error {
    fn from(wrong: Misconfigured) -> Self {
        Error::Config(wrong)
    }
}
