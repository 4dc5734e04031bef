//! Programs that must not run as root, or need not: as the user that their package made.
use super::certificates::Certificates;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The names of the files of [`give_certificate`].
pub(super) const CERTIFICATE: &str = "server.crt";
pub(super) const KEY: &str = "server.key";

/// Whether the tests run as root.
pub(super) fn is_root() -> bool {
    // SAFETY: asks for a number.
    unsafe { libc::geteuid() == 0 }
}

/// Gives a folder or a file to this user, if we may and must.
pub(super) fn give(path: &Path, user: &str) {
    if is_root() {
        run(Command::new("chown").arg(user).arg(path));
    }
}

/// The server's certificate and its key, in files of its own: keys of others are not read.
pub(super) fn give_certificate(folder: &Path, user: &str) {
    let files = Certificates::get();
    for (from, name) in [(files.server_certificate(), CERTIFICATE), (files.server_key(), KEY)] {
        let file = folder.join(name);
        fs::copy(from, &file).expect("a folder of our own can be written");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("the file is ours");
        give(&file, user);
    }
}

/// This program, as this user if we are root.
pub(super) fn command_as(user: &str, program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", program]);
    command
}

/// What it prints; panics if it fails, with what it says.
#[track_caller]
pub(super) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}:\n{said}\n{errors}", output.status);
    said
}
