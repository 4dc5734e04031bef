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
    let interpreters = context.interpreters()?;
    let mut done = Done::default();
    // The newest from the sdist, which holds nothing else.
    done.try_to(install(Path::new("."), &clone, interpreters.oldest()))?;
    done.try_to(sdist(&clone, interpreters.newest()))?;
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

/// `pip install` of this in a folder, and a first use.
fn install(what: &Path, folder: &Path, interpreter: &Interpreter) -> Result<()> {
    let venv = Venv::empty(&format!("package-{}", interpreter.series()), interpreter)?;
    pip_build(venv.pip_install().arg(what).folder(folder))?;
    // Not in the clone: its sources are not what was installed.
    let elsewhere = places::target();
    venv.run(["-c", IMPORT]).folder(&elsewhere).read()?;
    venv.require(&["Django>=5.2"], None)?;
    let said = venv.run(["-c", USE]).folder(&elsewhere).read()?;
    println!("Python {}: {}", interpreter.version(), said.trim());
    Ok(())
}

/// The sdist, installed from nothing else.
fn sdist(clone: &Path, interpreter: &Interpreter) -> Result<()> {
    let folder = places::target().join("sdist");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    wheel::maturin(interpreter)?.args(["sdist", "--out"]).arg(&folder).folder(clone).show()?;
    let sdist = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).next();
    let sdist = sdist.ok_or_else(|| Failure::said("maturin built no sdist"))?;
    install(&sdist, &folder, interpreter)
}

/// Builds of pip's share a target folder, or each would compile every dependency again.
fn pip_build(pip: Run) -> Result<()> {
    let folder = places::target().join("pip");
    forget_our_crates(&folder, "release")?;
    pip.env("CARGO_TARGET_DIR", folder).minutes(20).show_retrying().map_err(hint_at_network)
}

/// Packs the crates that may be published, and compiles what was packed.
fn pack_crates(context: &Context) -> Result<()> {
    let folder = places::target().join("pack");
    forget_our_crates(&folder, "dev")?;
    forget_unpacked_crates()?;
    let mut pack = context.cargo(&["package", "--allow-dirty", "--target-dir"])?.arg(folder);
    for name in published_crates()? {
        pack = pack.args(["--package", &name]);
    }
    pack.show()
}

/// Makes cargo compile our crates again, whatever it finds in a target folder.
///
/// It tells copies of a workspace apart by the age of their files alone; those of an sdist are all of one old
/// date, and a packed crate counts as one that never changes. What is not compiled is not tested.
fn forget_our_crates(folder: &Path, profile: &str) -> Result<()> {
    let mut clean = Run::cargo(["clean", "--quiet", "--profile", profile, "--target-dir"]).arg(folder);
    for name in our_crates()?.iter().map(|package| &package.name) {
        clean = clean.args(["--package", name]);
    }
    clean.read().map(drop)
}

/// Makes cargo unpack again what it packs.
///
/// The crates of one release see each other as a registry in the target folder has them. What cargo once unpacked of that
/// one, by its path and the version alone, it takes for all times.
fn forget_unpacked_crates() -> Result<()> {
    let at_home = || std::env::home_dir().map(|home| home.join(".cargo"));
    let Some(home) = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(at_home) else {
        return Ok(());
    };
    // Registries that have no host.
    let is_local = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('-');
    let registries = fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    for registry in registries.filter(|registry| is_local(&registry.file_name())) {
        for package in our_crates()? {
            let unpacked = registry.path().join(format!("{}-{}", package.name, package.version));
            match fs::remove_dir_all(&unpacked) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::said(format!("{}: {error}", unpacked.display())));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What `cargo metadata` tells of our own crates.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// The registries it may go to: none of them with `publish = false`, any without a word about it.
    publish: Option<Vec<String>>,
}

fn our_crates() -> Result<Vec<Package>> {
    let json = Run::cargo(["metadata", "--format-version", "1", "--no-deps"]).read()?;
    let metadata: Metadata =
        serde_json::from_str(&json).map_err(|error| Failure::said(format!("cargo metadata: {error}")))?;
    Ok(metadata.packages)
}

fn published_crates() -> Result<Vec<String>> {
    let published = our_crates()?.into_iter().filter(|package| package.publish != Some(Vec::new()));
    Ok(published.map(|package| package.name).collect())
}
