//! What the rooms behind a network share above their sockets: how what goes wrong becomes an [`Error`], and what
//! their URLs say alike.
use crate::error::{Error, ErrorKind};
use hotclub_net::problem::Sort;
use hotclub_net::{Effect, Misconfigured, Problem};

#[cfg(any(feature = "redis-blocking", feature = "memcached-blocking"))]
mod sockets;

#[cfg(any(feature = "redis-blocking", feature = "memcached-blocking"))]
pub(crate) use sockets::{Limits, servers, tls, unix};

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
