//! Formatting, lints and documentation, of Rust and of Python.

use crate::places;
use crate::shell::{Result, Run};
use crate::test::{Context, Done, python};
use crate::venv::Venv;

/// The tools that judge our Python; a narrow range each, so that a new rule does not fail an old commit.
const RUFF: &str = "ruff>=0.17,<0.18";
const MYPY: &str = "mypy>=2.4,<2.5";
/// Every folder with Python of ours.
const PYTHON_FOLDERS: [&str; 4] = ["python", "conformance", "examples", "benches"];

/// `cargo fmt`.
pub(crate) fn format(_: &Context) -> Result<Done> {
    Run::cargo(["fmt", "--all", "--check"]).show().map_err(|failure| {
        failure.hint("`cargo fmt` repairs it; `rustup component add rustfmt` if there is none")
    })?;
    Ok(Done::default())
}

/// `cargo clippy`.
pub(crate) fn clippy(context: &Context) -> Result<Done> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    context.cargo(&arguments)?.show()?;
    Ok(Done::default())
}

/// `cargo doc`; a broken link is an error.
pub(crate) fn rustdoc(context: &Context) -> Result<Done> {
    let arguments = ["doc", "--workspace", "--all-features", "--no-deps"];
    context.cargo(&arguments)?.env("RUSTDOCFLAGS", "-D warnings").show()?;
    Ok(Done::default())
}

/// ruff and mypy over our Python, and the stub against the module.
pub(crate) fn python(context: &Context) -> Result<Done> {
    let venv = python::newest_venv(context)?;
    let mut done = Done::default();
    for run in ruff(context)?.iter().chain(&mypy(&venv)?) {
        done.try_to(run.show())?;
    }
    Ok(done)
}

fn ruff(context: &Context) -> Result<Vec<Run>> {
    let tools = Venv::tools(context.interpreters()?.newest())?;
    tools.require(&[RUFF], None)?;
    let folders = PYTHON_FOLDERS.iter().filter(|folder| places::root().join(folder).exists());
    let folders: Vec<&str> = folders.copied().collect();
    let ruff = Run::new(tools.program("ruff"));
    let check = ruff.clone().arg("check").args(&folders);
    let format = ruff.args(["format", "--check"]).args(&folders);
    Ok(vec![check, format])
}

/// In the environment that has Django and the wheel, so that imports are found.
fn mypy(venv: &Venv) -> Result<Vec<Run>> {
    venv.require(&[MYPY], None)?;
    let sources = venv.run(["-m", "mypy", "--strict", "python/hotclub"]);
    let stub = ["-m", "mypy.stubtest", "hotclub._hotclub", "--mypy-config-file", "pyproject.toml"];
    let allowed = places::root().join("python/stubtest-allowed.txt");
    let mut stub = venv.run(stub);
    if allowed.exists() {
        stub = stub.arg("--allowlist").arg(allowed);
    }
    Ok(vec![sources, stub])
}
