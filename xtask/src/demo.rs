//! `cargo xtask demo`: builds the wheel, installs it and starts the example site. No server is needed, unless
//! `--on` names a backend that lives in one: the site starts that one itself.

use std::process::ExitCode;

use crate::places;
use crate::python;
use crate::shell::{Result, Run};
use crate::test::servers;
use crate::venv::Venv;
use crate::wheel;

const SITE: &str = "examples/cities/demo.py";

/// What `cargo xtask demo` is asked for; handed on to the site as it is.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Shows once what the caches do, then ends
    #[arg(long)]
    pub(crate) once: bool,
    /// Which backends to use: `memory` (default), `file`, `sqlite`, `database`, `redis`, `memcached`, several with
    /// commas, or `all`
    #[arg(long, value_name = "BACKENDS")]
    pub(crate) on: Option<String>,
    /// The port of the site
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

impl Options {
    /// Whether this backend is among those that `--on` names.
    fn names(&self, room: &str) -> bool {
        let on = self.on.as_deref().unwrap_or_default();
        on.split(',').any(|name| [room, "all"].contains(&name.trim()))
    }
}

/// Runs the command; its exit code is the site's.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    places::required(SITE, "the example site starts there")?;
    // No page of the site asks for a database server.
    servers::install_for(|room| room != "database" && options.names(room))?;
    let interpreter = python::default_interpreter()?;
    println!("Python {}: {}", interpreter.version(), interpreter.path.display());
    let maturin = wheel::maturin(&interpreter)?;
    let wheel = wheel::build(&maturin, &interpreter, &["--release"], "demo-wheels")?;
    let venv = Venv::open(&format!("demo-{}", interpreter.series()), &interpreter)?;
    venv.install_wheel(&wheel)?;
    let command = command(&venv, options)?;
    let command = if options.once { command.minutes(5) } else { command.without_limit() };
    let ended = command.pass_through()?;
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    match code {
        Some(code) => Ok(ExitCode::from(code)),
        None => ended.into_result(&command).map(|()| ExitCode::SUCCESS),
    }
}

/// The site with its requirements, in an environment that has the wheel.
pub(crate) fn command(venv: &Venv, options: &Options) -> Result<Run> {
    let site = places::required(SITE, "the example site starts there")?;
    let requirements = places::required("examples/cities/requirements.txt", "what the example site imports")?;
    venv.require(&[], Some(&requirements))?;
    let mut command = venv.run([site]);
    if options.once {
        command = command.arg("--once");
    }
    if let Some(backends) = &options.on {
        command = command.args(["--on", backends]);
    }
    if let Some(port) = options.port {
        command = command.arg("--port").arg(port.to_string());
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_are_named_one_by_one_or_all_at_once() {
        let on = |names: &str| Options { on: Some(names.to_owned()), ..Options::default() };
        assert!(on("memory, redis").names("redis"));
        assert!(!on("memory, redis").names("memcached"));
        assert!(on("all").names("memcached"));
        assert!(!Options::default().names("memcached"));
    }
}
