//! Why something did not get done.

use std::io;

/// Why something did not get done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A message for the person at the keyboard.
    Said(String),
    /// Ctrl-C.
    Interrupted,
}

impl Failure {
    /// A failure with this message.
    pub(crate) fn said(message: impl Into<String>) -> Self {
        Failure::Said(message.into())
    }

    /// The same failure, with a hint what to do about it.
    pub(crate) fn hint(self, hint: &str) -> Self {
        match self {
            Failure::Said(message) => Failure::Said(format!("{message}\n  {hint}")),
            Failure::Interrupted => self,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::said(error.to_string())
    }
}

/// What most functions of xtask return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;
