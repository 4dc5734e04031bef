//! Ends servers when the process that started them has ended without doing so itself.
//!
//! A `static` is never dropped, and a process can be killed. So the process has a warden, a little shell script at
//! the other end of a pipe: it is told of each server that starts and ends, and when the pipe closes it kills
//! those that are left and removes the folder of the process.
use super::folder::root_for_this_process;
use parking_lot::Mutex;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

const SCRIPT: &str = r#"
trap "" INT TERM HUP
held=" "
while read -r sign pid; do
    case $sign in
        +) held="$held$pid " ;;
        -) held="${held%% $pid *} ${held#* $pid }" ;;
    esac
done
for pid in $held; do kill -9 "$pid"; done
rm -rf "$1"
"#;

static WARDEN: LazyLock<Warden> = LazyLock::new(Warden::start);

struct Warden {
    root: PathBuf,
    /// Never waited for: it ends after us.
    script: Mutex<Child>,
}

impl Warden {
    fn start() -> Self {
        let root = root_for_this_process();
        fs::create_dir_all(&root)
            .unwrap_or_else(|error| panic!("no temporary folder {}: {error}", root.display()));
        let mut script = Command::new("sh");
        script.args(["-c", SCRIPT, "warden"]).arg(&root).current_dir("/");
        // Nothing of ours but the pipe: whoever reads the output of the tests must not wait for the warden.
        script.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Warden { root, script: Mutex::new(script.spawn().expect("there is a shell")) }
    }

    fn tell(&self, sign: char, pid: u32) {
        // Held for one short write. If the warden is gone, servers are still killed on drop.
        let mut script = self.script.lock();
        let pipe = script.stdin.as_mut().expect("the pipe was asked for");
        pipe.write_all(format!("{sign} {pid}\n").as_bytes()).ok();
    }
}

/// The folder of this process.
pub(super) fn root() -> &'static Path {
    &WARDEN.root
}

/// From now on this process is killed with ours.
pub(super) fn watch(pid: u32) {
    WARDEN.tell('+', pid);
}

/// It has been killed. To be said before it is reaped: afterwards the number may be somebody else's.
pub(super) fn forget(pid: u32) {
    WARDEN.tell('-', pid);
}
