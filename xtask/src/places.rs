//! Where things are: the root of the clone, the target folder, what lives in it; and whether this is CI.

use std::env;
use std::path::{Path, PathBuf};

use crate::shell::{Failure, Result, Run};

/// The root of the clone.
pub(crate) fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&manifest).parent().map(Path::to_path_buf);
    root.unwrap_or_else(|| PathBuf::from("."))
}

/// Cargo's target folder; everything that xtask makes lies in it too, so that one `cargo clean` removes it all.
pub(crate) fn target() -> PathBuf {
    let chosen = env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty());
    let folder = chosen.map_or_else(|| root().join("target"), PathBuf::from);
    std::path::absolute(&folder).unwrap_or(folder)
}

/// A folder or file in the clone that must be there; says which one is missing and what it is for.
pub(crate) fn required(path: &str, what: &str) -> Result<PathBuf> {
    let found = root().join(path);
    if found.exists() { Ok(found) } else { Err(Failure::said(format!("{path} is missing: {what}"))) }
}

/// Where the output of a named command is kept.
pub(crate) fn log(name: &str) -> PathBuf {
    target().join("xtask").join(format!("{}.log", name.replace([' ', '/'], "-")))
}

/// Whether `CI` is set: then what is missing is installed or fails, and is never skipped.
pub(crate) fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Every file of the project, relative to the root: tracked ones and new ones that git does not ignore.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let list =
        Run::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).read()?;
    let mut files: Vec<PathBuf> =
        list.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}
