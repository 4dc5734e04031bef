//! The wheel that every other part tests: its profile is quick to build and fast enough.

use std::path::PathBuf;

use crate::python::Interpreter;
use crate::shell::Result;
use crate::test::{Context, Done};
use crate::wheel;

const KEPT: &str = "wheels";
const PROFILE: [&str; 2] = ["--profile", "wheel"];

/// One wheel for each interpreter that is tested.
pub(crate) fn build(context: &Context) -> Result<Done> {
    let maturin = wheel::maturin(context.interpreters()?.newest())?;
    for interpreter in context.tested()? {
        wheel::build(&maturin, interpreter, &PROFILE, KEPT)?;
    }
    Ok(Done::default())
}

/// Only one, for the newest interpreter.
pub(crate) fn build_newest(context: &Context) -> Result<Done> {
    let newest = context.interpreters()?.newest();
    wheel::build(&wheel::maturin(newest)?, newest, &PROFILE, KEPT)?;
    Ok(Done::default())
}

/// The wheel that was built for an interpreter.
pub(crate) fn find(interpreter: &Interpreter) -> Result<PathBuf> {
    wheel::find(interpreter, KEPT)
}
