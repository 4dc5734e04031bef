//! A problem and its place.
use super::batch::Effect;
use crate::error::Error;
use crate::remote::IntoError;
pub use hotclub_net::Problem;
#[cfg(feature = "redis")]
pub(crate) use hotclub_net::problem::reason;
use std::fmt;

/// What went wrong, and the server where it was met.
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

    /// The error for callers.
    pub fn into_error(self, verb: &'static str, effect: Effect) -> Error {
        self.problem.into_error("redis", verb, effect, &self.place)
    }
}
