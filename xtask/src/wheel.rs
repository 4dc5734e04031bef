//! Building wheels with maturin.

use std::fs;
use std::path::PathBuf;

use crate::places;
use crate::python::Interpreter;
use crate::shell::{Failure, Result, Run};
use crate::venv::Venv;

/// What builds them; pyproject.toml asks for the same range.
const MATURIN: &str = "maturin>=1.16,<2";

/// maturin, in an environment for tools.
pub(crate) fn maturin(interpreter: &Interpreter) -> Result<Run> {
    let tools = Venv::tools(interpreter)?;
    tools.require(&[MATURIN], None)?;
    Ok(Run::new(tools.program("maturin")).minutes(20))
}

/// Builds a wheel with these arguments, keeps it under this name, and returns where it is.
pub(crate) fn build(
    maturin: &Run,
    interpreter: &Interpreter,
    profile: &[&str],
    kept: &str,
) -> Result<PathBuf> {
    places::required("crates/hotclub-python/Cargo.toml", "the wheel is built from it")?;
    let folder = folder(interpreter, kept);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let run = maturin.clone().arg("build").args(profile).arg("--interpreter").arg(&interpreter.path);
    run.arg("--out").arg(&folder).show()?;
    find(interpreter, kept)
}

/// The wheel that was built for an interpreter.
pub(crate) fn find(interpreter: &Interpreter, kept: &str) -> Result<PathBuf> {
    let folder = folder(interpreter, kept);
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut wheels = entries.filter(|path| path.extension().is_some_and(|end| end == "whl"));
    wheels.next().ok_or_else(|| Failure::said(format!("there is no wheel in {}", folder.display())))
}

fn folder(interpreter: &Interpreter, kept: &str) -> PathBuf {
    places::target().join(kept).join(interpreter.series().to_string())
}
