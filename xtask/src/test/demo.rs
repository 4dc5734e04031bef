//! The example site, driven once from start to end.

use crate::demo;
use crate::shell::Result;
use crate::test::{Context, Done, python};

/// Runs the demo in the environment of the newest pair.
pub(crate) fn run(context: &Context) -> Result<Done> {
    let venv = python::newest_venv(context)?;
    let options = demo::Options { once: true, ..demo::Options::default() };
    demo::command(&venv, &options)?.minutes(5).show()?;
    Ok(Done::default())
}
