//! Virtual environments under target/venvs, kept from run to run as long as they fit.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::places;
use crate::python::Interpreter;
use crate::shell::{Failure, Result, Run};

/// A virtual environment.
#[derive(Debug)]
pub(crate) struct Venv {
    folder: PathBuf,
}

impl Venv {
    /// The environment of this name; made if it is not there or belongs to another interpreter.
    pub(crate) fn open(name: &str, interpreter: &Interpreter) -> Result<Venv> {
        let venv = Venv { folder: places::target().join("venvs").join(name) };
        let owner = format!("{} {}\n", interpreter.path.display(), interpreter.version());
        if !venv.python().exists() || venv.note("interpreter") != owner {
            venv.make(interpreter)?;
            fs::write(venv.note_path("interpreter"), owner)?;
        }
        Ok(venv)
    }

    /// Where tools are installed that judge or build, apart from what they judge.
    pub(crate) fn tools(interpreter: &Interpreter) -> Result<Venv> {
        Venv::open(&format!("tools-{}", interpreter.series()), interpreter)
    }

    /// The environment of this name, made anew: nothing but pip in it.
    pub(crate) fn empty(name: &str, interpreter: &Interpreter) -> Result<Venv> {
        let venv = Venv { folder: places::target().join("venvs").join(name) };
        venv.make(interpreter)?;
        Ok(venv)
    }

    fn make(&self, interpreter: &Interpreter) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        Run::new(&interpreter.path).args(["-m", "venv"]).arg(&self.folder).show()
    }

    /// Its interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A program that was installed into it.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// A command run with its interpreter.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        Run::new(self.python()).args(arguments)
    }

    /// Installs requirements, and the file of requirements if there is one; does nothing if it did so before.
    ///
    /// "Before" is told by a note in the environment, so that a second run needs no network.
    pub(crate) fn require(&self, requirements: &[&str], file: Option<&Path>) -> Result<()> {
        let listed = file.map_or(Ok(String::new()), fs::read_to_string)?;
        let wanted = format!("{}\n{listed}", requirements.join("\n"));
        let topic = file.map_or_else(|| requirements.join(" "), |file| file.display().to_string());
        let note = topic.replace(|c: char| !c.is_alphanumeric(), "_");
        if self.note(&note) == wanted {
            return Ok(());
        }
        let mut pip = self.pip_install().args(requirements);
        if let Some(file) = file {
            pip = pip.arg("-r").arg(file);
        }
        pip.show_retrying().map_err(hint_at_network)?;
        fs::write(self.note_path(&note), wanted)?;
        Ok(())
    }

    /// Installs a wheel in the place of whatever version of it is there, unless it is the same file.
    pub(crate) fn install_wheel(&self, wheel: &Path) -> Result<()> {
        let about = fs::metadata(wheel)?;
        let stamp = format!("{} {} {:?}", wheel.display(), about.len(), about.modified()?);
        if self.note("wheel") == stamp {
            return Ok(());
        }
        self.pip_install().args(["--force-reinstall", "--no-deps", "--no-index"]).arg(wheel).show()?;
        Ok(fs::write(self.note_path("wheel"), stamp)?)
    }

    /// `pip install`, to which the caller adds what.
    pub(crate) fn pip_install(&self) -> Run {
        self.run(["-m", "pip", "install", "--quiet"])
    }

    fn note(&self, name: &str) -> String {
        fs::read_to_string(self.note_path(name)).unwrap_or_default()
    }

    fn note_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("hotclub-{name}.txt"))
    }
}

/// pip says at length what failed; this says what it most likely means.
pub(crate) fn hint_at_network(failure: Failure) -> Failure {
    failure.hint("pip's own words are above; if they name the network, packages cannot be fetched from here")
}
