//! System packages: installed where that is simple (root on a Debian-like system), else named in the message.

use std::path::Path;

use crate::process_group;
use crate::shell::{Failure, Result, Run};

/// Whether [`install`] can do something here.
pub(crate) fn can_install() -> bool {
    process_group::is_root() && Path::new("/usr/bin/apt-get").exists()
}

/// Installs packages with apt-get, or says how a person does it.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<()> {
    let names = packages.join(" ");
    if !can_install() {
        let message = format!("{why}; on Debian or Ubuntu: apt install {names}");
        return Err(Failure::said(message));
    }
    println!("{why}: installing {names}");
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat())
}

fn apt(arguments: &[&str]) -> Result<()> {
    Run::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").show_retrying()
}
