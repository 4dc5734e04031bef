//! The verbs as data: random sequences of them, run against a backend and a plain map.
//!
//! The property tests and the fuzz target share this: both make bytes, [`decode`] makes verbs of them, and
//! [`run`] names the first verb whose answer differs from the [`Model`]'s.
use crate::backend::{Backend, GetOptions};
use crate::clock::ManualClock;
use crate::entry::Flags;
use std::time::Duration;

mod decode;
mod run;

pub use super::model::{Kept, Model};
pub use decode::decode;

/// Bytes with their flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The bytes.
    pub value: Vec<u8>,
    /// What the codec wrote.
    pub flags: Flags,
}

/// When a write takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// Without an entry.
    IfAbsent,
    /// Over an entry.
    IfPresent,
    /// With the entry's own token.
    IfUnchanged,
    /// With a token that was the entry's before it was written again.
    IfChanged,
}

/// A life in milliseconds: `None` is never, zero is gone.
pub type LifeMs = Option<u64>;

/// One verb with its arguments. Keys are small numbers, see [`key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Reads; peeking or counting as use.
    Get(u8, bool),
    /// Reads and touches in one step.
    GetAndTouch(u8, LifeMs),
    /// Writes.
    Set(u8, Written, LifeMs, When),
    /// Removes.
    Delete(u8),
    /// Counts.
    Incr(u8, i64),
    /// Gives a new life.
    Touch(u8, LifeMs),
    /// Reads many.
    GetMany(Vec<u8>),
    /// Writes many.
    SetMany(Vec<(u8, Written)>, LifeMs),
    /// Removes many.
    DeleteMany(Vec<u8>),
    /// Removes all.
    Clear,
    /// Removes the keys that start with one of the prefixes.
    ClearPrefix(u8),
    /// Lets time pass.
    Advance(Duration),
}

/// Prefixes of the keys: one starts with another.
pub const PREFIXES: [&str; 3] = ["a:", "a:b:", "é:"];

/// The key of a number: few enough that sequences meet the same key often.
pub fn key(number: u8) -> String {
    format!("{}{}", PREFIXES[usize::from(number) % PREFIXES.len()], number % 15)
}

/// How strictly answers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The backend has room for everything: every answer must be the model's.
    Exact,
    /// The backend may have lost entries: it may miss what the model has, but a hit must be the model's.
    OneSided,
}

/// Runs verbs against a backend, whose clock is `hand`, and the model; the first difference.
///
/// Verbs that the backend does not claim are left out. The model starts empty, so the backend must too.
///
/// # Errors
/// A text that names the step, the verb, and both answers.
pub fn run(ops: &[Op], backend: &dyn Backend, hand: &ManualClock, check: Check) -> Result<(), String> {
    let mut run = run::Run::new(backend, hand, check);
    for (step, op) in ops.iter().enumerate() {
        run.step(op).map_err(|difference| format!("step {step}, {op:?}: {difference}"))?;
    }
    for number in 0..30 {
        run.step(&Op::Get(number, true))
            .map_err(|difference| format!("at the end, {:?}: {difference}", key(number)))?;
    }
    Ok(())
}

/// How to read everything that the backend can tell.
fn reading(backend: &dyn Backend, peek: bool) -> GetOptions {
    GetOptions { peek, want_deadline: backend.capability().ttl_readable, ..GetOptions::default() }
}
