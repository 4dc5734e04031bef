//! Temporary folders: one for the process, in it one for each server.
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder of its own, removed on drop. Short, since the paths of unix sockets have to be.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    owner: u32,
}

impl Folder {
    /// Below the folder of the process, which the warden removes.
    pub(super) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = super::warden::root().join(number.to_string());
        fs::create_dir_all(&path)
            .unwrap_or_else(|error| panic!("no temporary folder {}: {error}", path.display()));
        Folder { path, owner: process::id() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A forked child that ends must not take away what its parent uses.
        if self.owner == process::id() {
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

/// A name for the folder of the process that no other process has.
pub(super) fn root_for_this_process() -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    std::env::temp_dir().join(format!("hotclub-{}-{now:x}", process::id()))
}
