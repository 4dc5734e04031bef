//! The one public error: what kind, whether it may pass by itself, and where it happened.
use std::fmt;
use std::sync::Arc;

/// What a fallible call of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, boxed: what loaders and codecs of callers may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a caller can *do* about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server or file cannot be reached: try later, or serve without the cache.
    Unavailable,
    /// A limit of time passed before the answer came.
    Timeout,
    /// Sent, outcome unknown: never retried by a layer.
    Ambiguous,
    /// The other side broke the protocol.
    Protocol,
    /// The server understood and refused: wrong password, no permission, wrong type, full.
    Refused,
    /// A setting is wrong: mend the configuration.
    Config,
    /// Stored bytes cannot be decoded as what was asked for.
    Corrupt,
    /// A value cannot be encoded by this cache's codec.
    Encode,
    /// `incr`, `decr` or a version move met a miss (Django's `ValueError`).
    KeyNotFound,
    /// `incr` or `decr` met a value that is no integer, or the result does not fit.
    NotAnInteger,
    /// The key cannot be used with this backend.
    InvalidKey,
    /// The value is larger than the backend can hold.
    TooLarge,
    /// This backend cannot do that; see [`Capability`](crate::backend::Capability).
    Unsupported,
    /// A loader of `get_or_set` failed; the source is its own error.
    Loader,
}

impl ErrorKind {
    const fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Timeout => "timed out",
            ErrorKind::Ambiguous => "outcome unknown",
            ErrorKind::Protocol => "protocol error",
            ErrorKind::Refused => "refused",
            ErrorKind::Config => "configuration error",
            ErrorKind::Corrupt => "undecodable entry",
            ErrorKind::Encode => "value cannot be encoded",
            ErrorKind::KeyNotFound => "key not found",
            ErrorKind::NotAnInteger => "not an integer",
            ErrorKind::InvalidKey => "invalid key",
            ErrorKind::TooLarge => "too large",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Loader => "loader failed",
        }
    }
}

/// What went wrong, in which backend, at which action and place, and why.
///
/// A miss is never an error: it is `Ok(None)`. Cloning is cheap; callers who waited for one
/// loader all get the same error.
///
/// ```
/// use hotclub::{ErrorKind, blocking::Cache};
/// let cache = Cache::memory();
/// let error = cache.incr("missing", 1).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::KeyNotFound);
/// assert_eq!(error.to_string(), "memory: incr failed: key not found: ':1:missing'");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    backend: Option<&'static str>,
    action: Option<&'static str>,
    place: Option<String>,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind with a cause in words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Arc::new(Inner {
            kind,
            backend: None,
            action: None,
            place: None,
            message: message.into(),
            source: None,
        }))
    }

    /// A wrong setting.
    pub fn config(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config, message)
    }

    /// `backend` cannot do `action`.
    pub fn unsupported(backend: &'static str, action: &'static str) -> Self {
        Error::new(ErrorKind::Unsupported, "this backend cannot do that").at(backend, action)
    }

    /// Names the backend and the action, unless a deeper layer has done so.
    #[must_use]
    pub fn at(self, backend: &'static str, action: &'static str) -> Self {
        self.change(|inner| {
            inner.backend.get_or_insert(backend);
            inner.action.get_or_insert(action);
        })
    }

    /// Names the place (alias, address, path), unless a deeper layer has done so.
    #[must_use]
    pub fn in_place(self, place: impl Into<String>) -> Self {
        self.change(|inner| {
            inner.place.get_or_insert_with(|| place.into());
        })
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(self, source: impl Into<BoxError>) -> Self {
        let source = Arc::from(source.into());
        self.change(|inner| inner.source = Some(source))
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Error(Arc::new(inner))
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_temporary(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Ambiguous)
    }

    /// The backend that failed, by its scheme.
    pub fn backend(&self) -> Option<&'static str> {
        self.0.backend
    }

    /// The verb that failed.
    pub fn action(&self) -> Option<&'static str> {
        self.0.action
    }

    /// Alias, address or path, where known. Never holds a secret.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// The cause in words, without backend, action and place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error below this one as a shared pointer: what followers of a failed loader get too.
    pub fn shared_source(&self) -> Option<Arc<dyn std::error::Error + Send + Sync>> {
        self.0.source.clone()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        if let Some(backend) = inner.backend {
            write!(f, "{backend}: ")?;
        }
        if let Some(action) = inner.action {
            write!(f, "{action} failed")?;
            if let Some(place) = &inner.place {
                write!(f, " ({place})")?;
            }
            f.write_str(": ")?;
        } else if let Some(place) = &inner.place {
            write!(f, "({place}) ")?;
        }
        f.write_str(inner.kind.as_str())?;
        if !inner.message.is_empty() {
            write!(f, ": {}", inner.message)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Error");
        text.field("kind", &self.0.kind).field("message", &self.to_string());
        if let Some(source) = &self.0.source {
            text.field("source", source);
        }
        text.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_backend_action_place_and_cause() {
        let error = Error::new(ErrorKind::Unavailable, "connection refused")
            .at("redis", "get_many")
            .in_place("alias \"default\", 127.0.0.1:6379");
        assert_eq!(
            error.to_string(),
            "redis: get_many failed (alias \"default\", 127.0.0.1:6379): unavailable: connection refused"
        );
        assert!(error.is_temporary());
    }

    #[test]
    fn the_deepest_layer_names_the_backend() {
        let error = Error::config("no such option").at("memory", "open").at("tiered", "get");
        assert_eq!(error.backend(), Some("memory"));
        assert_eq!(error.action(), Some("open"));
        assert!(!error.is_temporary());
    }

    #[test]
    fn the_cause_stays_reachable() {
        let error = Error::new(ErrorKind::Loader, "row 7").caused_by("no such row");
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "no such row");
        assert_eq!(error.clone().shared_source().unwrap().to_string(), "no such row");
    }
}
