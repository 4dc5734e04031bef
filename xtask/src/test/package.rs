//! What users get: `pip install` from a clone and from the sdist, and the crates as they would be published.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::places;
use crate::python::Interpreter;
use crate::shell::{Failure, Result, Run};
use crate::test::{Context, Done};
use crate::venv::{Venv, hint_at_network};
use crate::wheel;

/// Run in an environment that has nothing but hotclub.
const IMPORT: &str = include_str!("import_alone.py");
/// Run when Django is there too.
const USE: &str = include_str!("use_with_django.py");

/// Installs into empty environments, builds the sdist, packs the crates.
pub(crate) fn check(context: &Context) -> Result<Done> {
    let clone = copy_of_the_project()?;
    let mut done = Done::default();
    for interpreter in context.interpreters()?.ends() {
        done.try_to(install_from(&clone, interpreter))?;
    }
    done.try_to(build_sdist(&clone, context.interpreters()?.newest()))?;
    done.try_to(pack_crates(context))?;
    Ok(done)
}

/// What a clean clone would hold, apart from anything that was ever built.
fn copy_of_the_project() -> Result<PathBuf> {
    let copy = places::target().join("clone");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    for file in places::files()? {
        let to = copy.join(&file);
        fs::create_dir_all(to.parent().unwrap_or(&copy))?;
        fs::copy(places::root().join(&file), to)?;
    }
    Ok(copy)
}

/// `pip install .` and a first use.
fn install_from(clone: &Path, interpreter: &Interpreter) -> Result<()> {
    let venv = Venv::empty(&format!("package-{}", interpreter.series()), interpreter)?;
    pip_build(venv.pip_install().arg(".").folder(clone))?;
    // Not in the clone: its sources are not what was installed.
    let elsewhere = places::target();
    venv.run(["-c", IMPORT]).folder(&elsewhere).read()?;
    venv.require(&["Django>=5.2"], None)?;
    let said = venv.run(["-c", USE]).folder(&elsewhere).read()?;
    println!("Python {}: {}", interpreter.version(), said.trim());
    Ok(())
}

/// The sdist, and a wheel from nothing else, with the profile that the other wheels have built already.
fn build_sdist(clone: &Path, interpreter: &Interpreter) -> Result<()> {
    let folder = places::target().join("sdist");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    wheel::maturin(interpreter)?.args(["sdist", "--out"]).arg(&folder).folder(clone).show()?;
    let sdist = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).next();
    let sdist = sdist.ok_or_else(|| Failure::said("maturin built no sdist"))?;
    let pip = Venv::tools(interpreter)?.run(["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]);
    pip_build(pip.arg(&folder).arg(&sdist).env("MATURIN_PEP517_ARGS", "--profile wheel"))
}

/// Builds of pip's share our target folder, or each would start from nothing.
fn pip_build(pip: Run) -> Result<()> {
    pip.env("CARGO_TARGET_DIR", places::target()).minutes(20).show_retrying().map_err(hint_at_network)
}

/// Packs the crates that may be published, and compiles what was packed.
fn pack_crates(context: &Context) -> Result<()> {
    let mut pack = context.cargo(&["package", "--allow-dirty"])?;
    for name in published_crates()? {
        pack = pack.args(["--package", &name]);
    }
    pack.show()
}

/// What `cargo metadata` tells of our own crates.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// The registries it may go to: none of them with `publish = false`, any without a word about it.
    publish: Option<Vec<String>>,
}

fn published_crates() -> Result<Vec<String>> {
    let json = Run::cargo(["metadata", "--format-version", "1", "--no-deps"]).read()?;
    let metadata: Metadata =
        serde_json::from_str(&json).map_err(|error| Failure::said(format!("cargo metadata: {error}")))?;
    let published = metadata.packages.into_iter().filter(|package| package.publish != Some(Vec::new()));
    Ok(published.map(|package| package.name).collect())
}
