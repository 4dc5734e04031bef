//! What can go wrong with files, and its one way to callers.
use crate::error::{Error, ErrorKind};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What went wrong, and at which file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Problem {
    /// The system refused: no space, no permission, a read-only file system, …
    System(PathBuf, io::ErrorKind, String),
    /// Something that is no file stands in the place of an entry: a symlink, a directory.
    Foreign(PathBuf, &'static str),
    /// The bytes are no entry.
    Corrupt(PathBuf, &'static str),
    /// An entry of so many bytes would not fit if it were the only one.
    TooLarge(PathBuf, usize, u64),
    /// Another process held the lock of the key's range for all this time.
    Locked(PathBuf, Duration),
}

impl Problem {
    pub(super) fn system(path: &Path, error: &io::Error) -> Self {
        if error.raw_os_error() == Some(libc::ELOOP) {
            return Problem::Foreign(path.to_owned(), "a symlink in the place of an entry");
        }
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        Problem::System(path.to_owned(), error.kind(), text)
    }

    /// The error of this verb.
    pub fn into_error(self, verb: &'static str) -> Error {
        let (kind, path) = match &self {
            Problem::System(path, ..) => (ErrorKind::Unavailable, path),
            Problem::Foreign(path, _) => (ErrorKind::Refused, path),
            Problem::Corrupt(path, _) => (ErrorKind::Corrupt, path),
            Problem::TooLarge(path, ..) => (ErrorKind::TooLarge, path),
            Problem::Locked(path, _) => (ErrorKind::Timeout, path),
        };
        let place = path.display().to_string();
        Error::new(kind, self.to_string()).at("file", verb).in_place(place)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::System(_, _, text) => f.write_str(text),
            Problem::Foreign(_, what) | Problem::Corrupt(_, what) => f.write_str(what),
            Problem::TooLarge(_, bytes, most) => {
                write!(f, "{bytes} bytes find no room in {most}, the limit of all entries")
            }
            Problem::Locked(_, limit) => {
                write!(f, "another process holds the lock for more than {} s", limit.as_secs_f64())
            }
        }
    }
}
