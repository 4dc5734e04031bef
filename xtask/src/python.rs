//! Interpreters: which Pythons this machine has, and which of them are the oldest and the newest we support.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::debian;
use crate::shell::{Failure, Result, Run};

/// The oldest Python that hotclub supports; also in pyproject.toml.
pub(crate) const OLDEST_SUPPORTED: Series = Series(3, 11);

/// The Django releases that we support, and the oldest Python that each of them runs on.
pub(crate) const DJANGO: [(Series, Series); 3] =
    [(Series(5, 2), Series(3, 10)), (Series(6, 0), Series(3, 12)), (Series(6, 1), Series(3, 12))];
/// The oldest release that we support.
pub(crate) const OLDEST_DJANGO: Series = DJANGO[0].0;
/// The newest release, which must be tested.
pub(crate) const NEWEST_DJANGO: Series = DJANGO[2].0;
/// A release series: `3.13` of Python, `6.1` of Django.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series(pub(crate) u32, pub(crate) u32);

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

/// One Python, as it describes itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Interpreter {
    /// Where it is.
    pub(crate) path: PathBuf,
    version: (u32, u32, u32),
    cpython: bool,
    released: bool,
    free_threaded: bool,
    can_make_venvs: bool,
}

impl Interpreter {
    /// `3.13`.
    pub(crate) fn series(&self) -> Series {
        Series(self.version.0, self.version.1)
    }

    /// `3.13.0`.
    pub(crate) fn version(&self) -> String {
        format!("{}.{}.{}", self.version.0, self.version.1, self.version.2)
    }

    fn is_supported(&self) -> bool {
        self.cpython && self.released && !self.free_threaded && self.series() >= OLDEST_SUPPORTED
    }

    /// Makes sure that this interpreter can make virtual environments.
    fn with_venv(self) -> Result<Interpreter> {
        if self.can_make_venvs {
            return Ok(self);
        }
        let name = self.path.display();
        if !self.path.starts_with("/usr/bin") {
            return Err(Failure::said(format!("{name} has no venv and ensurepip modules, which are needed")));
        }
        let package = format!("python{}-venv", self.series());
        debian::install(&[&package], &format!("{name} has no venv module, which Debian packages apart"))?;
        probe(&self.path).filter(|found| found.can_make_venvs).ok_or_else(|| {
            Failure::said(format!("{name} still has no venv module, although {package} is installed"))
        })
    }
}

/// The supported interpreters of this machine, one for each series, oldest first; never empty.
#[derive(Debug)]
pub(crate) struct Interpreters(Vec<Interpreter>);

impl Interpreters {
    /// Looks on PATH and among pyenv's versions; installs Debian's python3 if there is none at all.
    pub(crate) fn find() -> Result<Interpreters> {
        let mut found = probe_all();
        if !found.iter().any(Interpreter::is_supported) && found.is_empty() && debian::can_install() {
            debian::install(&["python3", "python3-venv"], "there is no python3")?;
            found = probe_all();
        }
        let chosen = choose(found.clone());
        if chosen.is_empty() {
            return Err(nothing_fits(&found));
        }
        chosen.into_iter().map(Interpreter::with_venv).collect::<Result<Vec<_>>>().map(Interpreters)
    }

    pub(crate) fn oldest(&self) -> &Interpreter {
        &self.0[0]
    }

    pub(crate) fn newest(&self) -> &Interpreter {
        &self.0[self.0.len() - 1]
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> &[Interpreter] {
        &self.0
    }

    /// The oldest and the newest; one if they are the same.
    pub(crate) fn ends(&self) -> Vec<&Interpreter> {
        if self.0.len() == 1 { vec![self.oldest()] } else { vec![self.oldest(), self.newest()] }
    }
}

impl fmt::Display for Interpreters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<String> = self.0.iter().map(Interpreter::version).collect();
        write!(formatter, "Python {}", versions.join(", "))
    }
}

/// The Python of a person who just wants to run something: the `python3` of their PATH, or else the newest.
pub(crate) fn default_interpreter() -> Result<Interpreter> {
    match probe(Path::new("python3")) {
        Some(found) if found.is_supported() => found.with_venv(),
        _ => Interpreters::find().map(|found| found.newest().clone()),
    }
}

/// PyO3 asks this interpreter what to build for; no library of it is linked, because it loads us.
pub(crate) fn with_python(run: Run, interpreter: &Interpreter) -> Run {
    run.env("PYO3_PYTHON", &interpreter.path).env("PYO3_BUILD_EXTENSION_MODULE", "1")
}

fn nothing_fits(found: &[Interpreter]) -> Failure {
    let versions: Vec<String> = found.iter().map(Interpreter::version).collect();
    let what = match versions.as_slice() {
        [] => "there is no python3".to_owned(),
        versions => format!("python3 is too old: found {}", versions.join(", ")),
    };
    let how = "install one with your package manager (apt install python3 python3-venv) or pyenv";
    Failure::said(format!("{what}; hotclub needs CPython {OLDEST_SUPPORTED} or newer: {how}"))
}

/// One interpreter for each series, oldest first: the first found that can make environments, else the first.
fn choose(mut found: Vec<Interpreter>) -> Vec<Interpreter> {
    found.retain(Interpreter::is_supported);
    // Stable: among equals, what comes first on PATH stays first.
    found.sort_by_key(|interpreter| (interpreter.series(), !interpreter.can_make_venvs));
    found.dedup_by_key(|interpreter| interpreter.series());
    found
}

fn probe_all() -> Vec<Interpreter> {
    candidates().iter().filter_map(|path| probe(path)).collect()
}

/// Asks an interpreter what it is; a shim that leads nowhere answers with an error, which is `None`.
fn probe(path: &Path) -> Option<Interpreter> {
    let answer = Run::new(path).args(["-c", include_str!("probe.py")]).seconds(20).read().ok()?;
    serde_json::from_str(answer.trim()).ok()
}

/// `python3` and `python3.X` on PATH, then pyenv's versions.
fn candidates() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = env::split_paths(&path).flat_map(|folder| pythons_in(&folder)).collect();
    found.extend(pyenv_versions());
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.clone()));
    found
}

fn pythons_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| is_python_name(name));
    names.sort();
    names.iter().map(|name| folder.join(name)).collect()
}

/// `python3` or `python3.13`, but not `python3-config` or `python3.13t`.
fn is_python_name(name: &str) -> bool {
    match name.strip_prefix("python3") {
        Some("") => true,
        Some(rest) => rest.strip_prefix('.').is_some_and(|minor| minor.parse::<u32>().is_ok()),
        None => false,
    }
}

fn pyenv_versions() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let Some(pyenv) = env::var_os("PYENV_ROOT").map(PathBuf::from).or(home) else { return Vec::new() };
    let versions = fs::read_dir(pyenv.join("versions")).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = versions.map(|version| version.path().join("bin/python3")).collect();
    paths.retain(|path| path.exists());
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(path: &str, version: (u32, u32, u32)) -> Interpreter {
        let path = path.into();
        Interpreter {
            path,
            version,
            cpython: true,
            released: true,
            free_threaded: false,
            can_make_venvs: true,
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        let found = vec![
            interpreter("a", (3, 13, 0)),
            interpreter("b", (3, 9, 18)),
            interpreter("c", (3, 11, 2)),
            interpreter("d", (3, 11, 7)),
            interpreter("e", (4, 0, 0)),
        ];
        let chosen: Vec<String> = choose(found).iter().map(Interpreter::version).collect();
        assert_eq!(chosen, ["3.11.2", "3.13.0", "4.0.0"]);
    }

    #[test]
    fn an_interpreter_that_can_make_environments_is_preferred() {
        let without = Interpreter { can_make_venvs: false, ..interpreter("a", (3, 11, 2)) };
        let chosen = choose(vec![without, interpreter("b", (3, 11, 7))]);
        assert_eq!(chosen[0].path, Path::new("b"));
    }

    #[test]
    fn other_implementations_and_previews_are_ignored() {
        let pypy = Interpreter { cpython: false, ..interpreter("a", (3, 11, 0)) };
        let preview = Interpreter { released: false, ..interpreter("b", (3, 16, 0)) };
        let free = Interpreter { free_threaded: true, ..interpreter("c", (3, 14, 0)) };
        assert!(choose(vec![pypy, preview, free]).is_empty());
    }

    #[test]
    fn names_of_interpreters_are_told_from_their_neighbours() {
        assert!(["python3", "python3.11"].iter().all(|name| is_python_name(name)));
        assert!(
            !["python", "python2.7", "python3-config", "python3.13t", "python3.11-config"]
                .iter()
                .any(|name| is_python_name(name))
        );
    }
}
