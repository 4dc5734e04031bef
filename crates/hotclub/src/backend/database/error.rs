//! What can go wrong with a database, and its one way to callers.
use crate::error::{Error, ErrorKind};

/// What went wrong, and where.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    kind: ErrorKind,
    /// The file, or the server and its database; never a password.
    place: String,
    message: String,
}

impl Problem {
    pub(super) fn new(kind: ErrorKind, place: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { kind, place: place.into(), message: message.into() }
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error of this verb.
    pub(super) fn into_error(self, backend: &'static str, verb: &'static str) -> Error {
        Error::new(self.kind, self.message).at(backend, verb).in_place(self.place)
    }
}
