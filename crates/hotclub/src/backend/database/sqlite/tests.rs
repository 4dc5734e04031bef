//! What this room promises, on real files: the shared suite over both layouts, then limits, locks, damage.
use super::*;
use crate::testing::{Fixture, conformance};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A directory that nobody else has, removed with all it holds.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("hotclub-sqlite-{}-{}", std::process::id(), NUMBERS.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&path));
        Folder(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("deep/er/cache.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn fixture(config: impl FnOnce(PathBuf) -> SqliteConfig) -> Fixture {
    let folder = Folder::new();
    let config = config(folder.file());
    Fixture::by_hand(|clock| SqliteBackend::with_clock(config, clock).unwrap()).keeping(folder)
}

conformance!(own, or_skip, || Some(fixture(SqliteConfig::new)));
conformance!(django, or_skip, || Some(fixture(|path| SqliteConfig::django(path, "my cache table"))));

mod files;
mod limits;
mod processes;

const FOR_EVER: Write =
    Write { life: crate::Life::Never, condition: crate::backend::Condition::Always, limit: None };

fn set(store: &Store, key: &str, value: &[u8]) {
    assert!(store.set(key, value, crate::Flags::RAW, FOR_EVER).unwrap());
}

fn value(store: &Store, key: &str) -> Option<Vec<u8>> {
    store.get(key).unwrap().map(|found| found.value)
}
