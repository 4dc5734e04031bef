//! What can go wrong between here and a server.
use crate::terms::Effect;
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
    /// The server refused the first words on a connection.
    Handshake(String),
    /// The connection broke while a request was under way.
    Lost(String),
    /// No whole reply within the limit.
    ReplyLimit(Duration),
    /// All connections of the pool were in use for this long.
    PoolLimit(Duration, usize),
    /// The server failed a moment ago and is not asked again before this time has passed.
    Resting(Box<Problem>, Duration),
    /// Bytes that are no reply, or a reply of the wrong shape.
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

/// What a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The server cannot be used now.
    Unavailable,
    /// A limit passed.
    Timeout,
    /// Nobody knows whether it was done.
    Ambiguous,
    /// The server understood, and said no.
    Refused,
    /// The server does not speak the protocol.
    Protocol,
    /// The value is no whole number, or the sum is none that fits.
    NotAnInteger,
    /// There is no such entry.
    KeyNotFound,
    /// It cannot be done here.
    Unsupported,
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
    pub fn tls(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Problem::Tls(error.to_string()),
            io::ErrorKind::UnexpectedEof => {
                Problem::Tls("the server closed the connection: does it speak TLS on this port?".into())
            }
            _ => Problem::lost(error),
        }
    }

    /// A reply of the wrong shape.
    pub fn unexpected(reply: &impl fmt::Debug) -> Self {
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

    /// What a caller can do about it, and the cause in words.
    pub fn told(&self) -> (Sort, String) {
        match self {
            Problem::Connect(cause) => (Sort::Unavailable, cause.clone()),
            Problem::ConnectLimit(limit) => {
                (Sort::Timeout, format!("no connection within {} s", limit.as_secs_f64()))
            }
            Problem::Tls(cause) => (Sort::Unavailable, format!("TLS: {cause}")),
            Problem::Handshake(text) => (Sort::Refused, text.clone()),
            Problem::Lost(cause) => (Sort::Unavailable, cause.clone()),
            Problem::ReplyLimit(limit) => {
                (Sort::Timeout, format!("no reply within {} s", limit.as_secs_f64()))
            }
            Problem::PoolLimit(limit, size) => {
                let all = format!("all {size} connections were in use for {} s", limit.as_secs_f64());
                (Sort::Timeout, all)
            }
            Problem::Resting(cause, left) => {
                let (sort, cause) = cause.told();
                (sort, format!("{cause} (asked again in {:.1} s)", left.as_secs_f64().max(0.1)))
            }
            Problem::Malformed(what) => (Sort::Protocol, what.clone()),
            Problem::Refused(text) if is_no_integer(text) => (Sort::NotAnInteger, text.clone()),
            Problem::Refused(text) if may_pass(text) => (Sort::Unavailable, text.clone()),
            Problem::Refused(text) => (Sort::Refused, text.clone()),
            Problem::Nobody(text) => (Sort::Unavailable, text.clone()),
            Problem::NoRuntime => {
                let text = "the async door needs a tokio runtime, and there is none here";
                (Sort::Unsupported, text.to_owned())
            }
            Problem::Missing(key) => (Sort::KeyNotFound, format!("'{key}'")),
        }
    }

    /// The same for a request with this effect.
    pub fn told_of(&self, effect: Effect) -> (Sort, String) {
        let (sort, text) = self.told();
        (if effect == Effect::Once && self.is_ambiguous() { Sort::Ambiguous } else { sort }, text)
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

/// Bytes that are no reply: after them a connection cannot be used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reply makes no sense: {}", self.0)
    }
}

/// Settings that cannot be followed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfigured(pub String);

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misconfigured {}

/// The cause in words: without "os error 111".
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

// The words of a server are words of its protocol; that of Redis has a code in front of them.

fn is_no_integer(text: &str) -> bool {
    text.starts_with("ERR value is not an integer")
        || text.starts_with("ERR increment or decrement would overflow")
        || text.starts_with("cannot increment or decrement non-numeric value")
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
    fn what_may_have_been_done_is_told_apart() {
        let lost = Problem::Lost("connection reset by peer".into());
        assert_eq!(lost.told_of(Effect::Idempotent).0, Sort::Unavailable);
        assert_eq!(lost.told_of(Effect::Once).0, Sort::Ambiguous);
        let never_sent = Problem::Connect("connection refused".into());
        assert_eq!(never_sent.told_of(Effect::Once).0, Sort::Unavailable);
    }

    #[test]
    fn a_value_that_cannot_be_counted_is_no_fault_of_the_server() {
        for text in [
            &b"ERR value is not an integer or out of range script: 1, on @user_script:1."[..],
            b"cannot increment or decrement non-numeric value",
        ] {
            assert_eq!(Problem::from(text).told().0, Sort::NotAnInteger);
        }
    }
}
