//! The example site, driven once from start to end on every backend.

use crate::demo;
use crate::shell::Result;
use crate::test::{Context, Done, python};

/// Runs the demo in the environment of the newest pair. A backend whose server is not installed is skipped, and
/// is a failure only where `CI` is set.
pub(crate) fn run(context: &Context) -> Result<Done> {
    let venv = python::newest_venv(context)?;
    let options = demo::Options { once: true, on: Some("all".to_owned()), ..demo::Options::default() };
    demo::command(&venv, &options)?.minutes(5).show()?;
    Ok(Done::default())
}
