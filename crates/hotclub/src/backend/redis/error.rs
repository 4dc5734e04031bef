//! What can go wrong between here and a server, and its one way into [`Error`].
use super::batch::Effect;
use super::resp::Malformed;
use crate::error::{Error, ErrorKind};
use std::fmt;
use std::io;
use std::time::Duration;

/// What went wrong on the way to a server and back.
#[derive(Debug, Clone)]
pub enum Problem {
    /// No connection: refused, unknown host, no such socket, …
    Connect(String),
    /// No connection within the limit.
    ConnectLimit(Duration),
    /// The TLS handshake failed, or its files cannot be used.
    Tls(String),
    /// The server refused the password, the database or the name of the client.
    Handshake(String),
    /// The connection broke while a request was under way.
    Lost(String),
    /// No whole reply within the limit.
    ReplyLimit(Duration),
    /// All connections of the pool were in use for this long.
    PoolLimit(Duration, usize),
    /// The server failed a moment ago and is not asked again before this time has passed.
    Resting(Box<Problem>, Duration),
    /// Bytes that are no RESP, or a reply of the wrong shape.
    Malformed(String),
    /// The server's own words.
    Refused(String),
    /// No server is there to ask: no primary, no node for a slot.
    Nobody(String),
    /// The verb needs an entry under this key, and there is none.
    Missing(String),
    /// The async door was used outside of a tokio runtime.
    NoRuntime,
}

/// A problem, and the server where it was met.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub problem: Problem,
    /// Where: servers, a slot, a service.
    pub place: String,
}

impl Failure {
    /// This problem, there.
    pub fn at(problem: Problem, place: &impl fmt::Display) -> Self {
        Failure { problem, place: place.to_string() }
    }

    /// The same where part of a batch was refused and the rest may have been done.
    pub(crate) fn ambiguous(self) -> Self {
        if self.problem.is_ambiguous() {
            return self;
        }
        Failure { problem: Problem::Lost(self.problem.told().1), ..self }
    }

    /// The error for callers, as [`Problem::into_error`] makes it.
    pub fn into_error(self, verb: &'static str, effect: Effect) -> Error {
        self.problem.into_error(verb, effect, &self.place)
    }
}

impl Problem {
    /// The connection broke with this error.
    pub fn lost(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Problem::Lost("the server closed the connection".to_owned());
        }
        Problem::Lost(reason(error))
    }

    /// What broke off a TLS handshake.
    #[cfg(feature = "redis")]
    pub(crate) fn tls(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Problem::Tls(error.to_string()),
            io::ErrorKind::UnexpectedEof => {
                Problem::Tls("the server closed the connection: does it speak TLS on this port?".into())
            }
            _ => Problem::lost(error),
        }
    }

    /// A reply of the wrong shape.
    pub fn unexpected(reply: &super::resp::Reply<'_>) -> Self {
        let mut shown = format!("{reply:?}");
        if shown.len() > 100 {
            let end = (0..=100).rev().find(|&end| shown.is_char_boundary(end)).unwrap_or(0);
            shown.truncate(end);
            shown.push('…');
        }
        Problem::Malformed(format!("an unexpected reply: {shown}"))
    }

    /// The connection is gone, and the request may be sent again if its effect allows.
    pub fn is_disconnect(&self) -> bool {
        matches!(self, Problem::Lost(_))
    }

    /// The server could not be reached or did not answer: what a circuit breaker counts.
    pub fn is_server_down(&self) -> bool {
        matches!(
            self,
            Problem::Connect(_)
                | Problem::ConnectLimit(_)
                | Problem::Lost(_)
                | Problem::ReplyLimit(_)
                | Problem::Resting(..)
        ) || matches!(self, Problem::Refused(text) | Problem::Handshake(text) if is_starting(text))
    }

    /// The request may have arrived: with an effect of [`Effect::Once`] nobody knows whether it was done.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Problem::Lost(_) | Problem::ReplyLimit(_) | Problem::Malformed(_))
    }

    /// The error for callers: backend `redis`, this verb, this place.
    pub fn into_error(self, verb: &'static str, effect: Effect, place: &str) -> Error {
        let (kind, message) = self.told();
        let kind = if effect == Effect::Once && self.is_ambiguous() { ErrorKind::Ambiguous } else { kind };
        let error = Error::new(kind, message).at("redis", verb);
        // It is the caller's key that matters there, not the server.
        if matches!(self, Problem::Missing(_)) { error } else { error.in_place(place) }
    }

    pub(crate) fn told(&self) -> (ErrorKind, String) {
        match self {
            Problem::Connect(cause) => (ErrorKind::Unavailable, cause.clone()),
            Problem::ConnectLimit(limit) => {
                (ErrorKind::Timeout, format!("no connection within {} s", limit.as_secs_f64()))
            }
            Problem::Tls(cause) => (ErrorKind::Unavailable, format!("TLS: {cause}")),
            Problem::Handshake(text) => (ErrorKind::Refused, text.clone()),
            Problem::Lost(cause) => (ErrorKind::Unavailable, cause.clone()),
            Problem::ReplyLimit(limit) => {
                (ErrorKind::Timeout, format!("no reply within {} s", limit.as_secs_f64()))
            }
            Problem::PoolLimit(limit, size) => {
                let all = format!("all {size} connections were in use for {} s", limit.as_secs_f64());
                (ErrorKind::Timeout, all)
            }
            Problem::Resting(cause, left) => {
                let (kind, cause) = cause.told();
                (kind, format!("{cause} (asked again in {:.1} s)", left.as_secs_f64().max(0.1)))
            }
            Problem::Malformed(what) => (ErrorKind::Protocol, what.clone()),
            Problem::Refused(text) if is_no_integer(text) => (ErrorKind::NotAnInteger, text.clone()),
            Problem::Refused(text) if may_pass(text) => (ErrorKind::Unavailable, text.clone()),
            Problem::Refused(text) => (ErrorKind::Refused, text.clone()),
            Problem::Nobody(text) => (ErrorKind::Unavailable, text.clone()),
            Problem::NoRuntime => {
                let text = "the async door needs a tokio runtime, and there is none here";
                (ErrorKind::Unsupported, text.to_owned())
            }
            Problem::Missing(key) => (ErrorKind::KeyNotFound, format!("'{key}'")),
        }
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Problem::Malformed(malformed.to_string())
    }
}

impl From<&[u8]> for Problem {
    /// An error reply.
    fn from(text: &[u8]) -> Self {
        Problem::Refused(String::from_utf8_lossy(text).into_owned())
    }
}

/// The cause in words: without "os error 111".
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn is_no_integer(text: &str) -> bool {
    text.starts_with("ERR value is not an integer")
        || text.starts_with("ERR increment or decrement would overflow")
}

/// The server is there and cannot serve yet.
fn is_starting(text: &str) -> bool {
    ["LOADING", "MASTERDOWN", "CLUSTERDOWN"].iter().any(|code| text.starts_with(code))
}

/// Nothing was done, and the same request may succeed later or elsewhere.
fn may_pass(text: &str) -> bool {
    is_starting(text) || ["READONLY", "TRYAGAIN"].iter().any(|code| text.starts_with(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_server_verb_and_cause() {
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        let error = Problem::Connect(reason(&refused)).into_error("get", Effect::Read, "127.0.0.1:6379");
        let text = "redis: get failed (127.0.0.1:6379): unavailable: connection refused";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn what_may_have_been_done_is_told_apart() {
        let lost = || Problem::Lost("connection reset by peer".into());
        assert_eq!(lost().into_error("set", Effect::Idempotent, "").kind(), ErrorKind::Unavailable);
        assert_eq!(lost().into_error("incr", Effect::Once, "").kind(), ErrorKind::Ambiguous);
        let never_sent = Problem::Connect("connection refused".into());
        assert_eq!(never_sent.into_error("incr", Effect::Once, "").kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn a_value_that_cannot_be_counted_is_no_fault_of_the_server() {
        let text = &b"ERR value is not an integer or out of range script: 1, on @user_script:1."[..];
        let error = Problem::from(text).into_error("incr", Effect::Once, "");
        assert_eq!(error.kind(), ErrorKind::NotAnInteger);
    }
}
