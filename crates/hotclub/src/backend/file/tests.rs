//! What this room promises, on a real directory: the shared suite, then crashes, foreign files, other processes.
use super::{FileBackend, FileConfig, Problem, Store, Write};
use crate::backend::{Backend, Condition, GetOptions, Limit, SetOptions};
use crate::testing::{Fixture, conformance};
use crate::{ErrorKind, Life};
use bytes::Bytes;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// A directory that nobody else has, removed with all it holds.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let name = format!("hotclub-file-{}-{}", std::process::id(), NUMBERS.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        Folder(path)
    }

    fn files(&self, end: &str) -> usize {
        let listing = fs::read_dir(&self.0).into_iter().flatten().flatten();
        listing.filter(|file| file.file_name().to_string_lossy().ends_with(end)).count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn fixture() -> Fixture {
    let folder = Folder::new();
    let config = FileConfig::new(folder.0.join("deep/er"));
    Fixture::in_real_time(|| FileBackend::new(config).unwrap())
        .with_unit(Duration::from_millis(500))
        .keeping(folder)
}

conformance!(file, or_skip, || Some(fixture()));

const FOR_EVER: Write = Write { life: Life::Never, condition: Condition::Always, limit: None };

fn store(folder: &Folder) -> Store {
    Store::new(FileConfig::new(&folder.0)).unwrap()
}

fn value(store: &Store, key: &str) -> Option<Vec<u8>> {
    store.get(key).unwrap().map(|found| found.value)
}

fn entry_of(folder: &Folder, store: &Store, key: &str) -> PathBuf {
    store.set(key, b"to be found", FOR_EVER).unwrap();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().path()).collect();
    entries.retain(|path| path.extension().is_some_and(|end| end == "djcache"));
    entries.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    entries.pop().unwrap()
}

#[test]
fn files_and_directories_are_for_their_owner_alone() {
    let folder = Folder::new();
    let store = Store::new(FileConfig::new(folder.0.join("a/b"))).unwrap();
    store.set("key", b"value", FOR_EVER).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.0.join("a")), mode(&folder.0.join("a/b"))), (0o700, 0o700));
    for file in fs::read_dir(folder.0.join("a/b")).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_directory_that_was_removed_is_made_anew() {
    let folder = Folder::new();
    let store = store(&folder);
    for _ in 0..3 {
        assert_eq!(value(&store, "key"), None);
        store.set("key", b"value", FOR_EVER).unwrap();
        assert_eq!(value(&store, "key").as_deref(), Some(&b"value"[..]));
        assert!(store.touch("key", Life::Never).unwrap());
        fs::remove_dir_all(&folder.0).unwrap();
    }
}

#[test]
fn djangos_counts_are_kept_exactly() {
    for (cull_frequency, left) in [(3, 29), (0, 19), (2, 19)] {
        let folder = Folder::new();
        let store = store(&folder);
        let limit = Some(Limit { max_entries: 30, cull_frequency });
        for number in 1..50 {
            store.set(&format!("cull{number}"), b"value", Write { limit, ..FOR_EVER }).unwrap();
        }
        assert_eq!(folder.files(".djcache"), left, "one in {cull_frequency}");
        assert_eq!(store.stats().entries, left as u64);
    }
}

#[test]
fn entries_of_another_process_count_when_the_limit_is_near() {
    let folder = Folder::new();
    let (ours, theirs) = (store(&folder), store(&folder));
    let limit = Some(Limit { max_entries: 10, cull_frequency: 2 });
    ours.set("first", b"value", FOR_EVER).unwrap();
    for number in 0..20 {
        theirs.set(&number.to_string(), b"value", FOR_EVER).unwrap();
    }
    for number in 0..10 {
        ours.set(&format!("own{number}"), b"value", Write { limit, ..FOR_EVER }).unwrap();
    }
    assert!(folder.files(".djcache") <= 22, "{}", folder.files(".djcache"));
}

#[test]
fn bytes_have_a_limit_and_the_oldest_go() {
    let folder = Folder::new();
    let mut config = FileConfig::new(&folder.0);
    (config.max_bytes, config.level) = (Some(100_000), 0);
    let store = Store::new(config).unwrap();
    for number in 0..100 {
        store.set(&format!("key{number}"), &[7; 5000], FOR_EVER).unwrap();
        // The file system's clock ticks in milliseconds.
        thread::sleep(Duration::from_millis(2));
    }
    let bytes: u64 =
        fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!((50_000..100_000).contains(&bytes), "{bytes}");
    assert!(store.has("key99").unwrap() && !store.has("key0").unwrap());
    // A large one needs its room before it is written.
    store.set("large", &[7; 60_000], FOR_EVER).unwrap();
    let bytes: u64 =
        fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!((60_000..=100_000).contains(&bytes), "{bytes}");
    // What can never fit leaves nothing old, and harms nobody else.
    let entries = folder.files(".djcache");
    let error = store.set("key99", &[7; 120_000], FOR_EVER).unwrap_err().into_error("set");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(!store.has("key99").unwrap() && store.has("large").unwrap());
    assert_eq!(folder.files(".djcache"), entries - 1);
}

#[test]
fn what_is_over_is_swept_and_halves_too() {
    let folder = Folder::new();
    let store = store(&folder);
    for number in 0..20 {
        let life = Life::For(Duration::from_millis(1));
        store.set(&format!("short{number}"), b"value", Write { life, ..FOR_EVER }).unwrap();
    }
    let half = folder.0.join(".hotclub-1-1-1.tmp");
    fs::write(&half, b"half").unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(120);
    fs::File::options().write(true).open(&half).unwrap().set_modified(long_ago).unwrap();
    let fresh = folder.0.join(".hotclub-1-1-2.tmp");
    fs::write(&fresh, b"half").unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while folder.files(".djcache") > 1 || half.exists() {
        assert!(Instant::now() < until, "{} left", folder.files(".djcache"));
        store.set("long", b"value", FOR_EVER).unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    assert!(fresh.exists(), "somebody may be writing it");
    assert_eq!(store.stats().expired, 20);
}

#[test]
fn foreign_things_in_the_place_of_an_entry_are_errors_and_nothing_is_written_through_them() {
    let folder = Folder::new();
    let store = store(&folder);
    let outside = folder.0.join("outside");
    let path = entry_of(&folder, &store, "key");
    fs::write(&outside, b"precious").unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&outside, &path).unwrap();
    assert!(matches!(store.get("key"), Err(Problem::Foreign(..))));
    let error = store.get("key").unwrap_err().into_error("get");
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("symlink"), "{error}");
    store.set("key", b"new", FOR_EVER).unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
    assert_eq!(value(&store, "key").as_deref(), Some(&b"new"[..]), "it took the place of the symlink");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(store.get("key").is_err() && store.set("key", b"new", FOR_EVER).is_err());
    assert_eq!(folder.files(".tmp"), 0);
}

#[test]
fn corrupt_files_are_told_and_can_be_written_over() {
    let folder = Folder::new();
    let store = store(&folder);
    let path = entry_of(&folder, &store, "key");
    let whole = fs::read(&path).unwrap();
    for cut in 1..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = store.get("key").unwrap_err().into_error("get");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{cut}: {error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    fs::write(&path, b"").unwrap();
    assert_eq!(value(&store, "key"), None, "an empty file is over");
    fs::write(&path, b"garbage").unwrap();
    let add = Write { condition: Condition::IfAbsent, ..FOR_EVER };
    assert!(store.set("key", b"again", add).unwrap());
    assert_eq!(value(&store, "key").as_deref(), Some(&b"again"[..]));
}

#[test]
fn other_files_survive_a_clear() {
    let folder = Folder::new();
    let store = store(&folder);
    store.set("key", b"value", FOR_EVER).unwrap();
    fs::write(folder.0.join("fname"), b"not a cache file").unwrap();
    store.clear().unwrap();
    assert_eq!((folder.files("fname"), folder.files(".djcache")), (1, 0));
}

#[test]
fn counters_of_threads_and_processes_lose_nothing() {
    let folder = Folder::new();
    let backend = Arc::new(FileBackend::new(FileConfig::new(&folder.0)).unwrap());
    let options = SetOptions::new(Life::Never).flags(crate::Flags::INTEGER);
    backend.set("n", Bytes::from_static(b"0"), &options).unwrap();
    const TURNS: i128 = 60;
    // SAFETY: each child uses the store, which begins anew after a fork, and leaves by `_exit`.
    let children: Vec<libc::pid_t> = (0..3)
        .map(|_| match unsafe { libc::fork() } {
            0 => {
                let done = (0..TURNS).all(|_| backend.incr("n", 1).is_ok());
                // SAFETY: leaves at once.
                unsafe { libc::_exit(i32::from(!done)) }
            }
            child => child,
        })
        .collect();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let backend = backend.clone();
            thread::spawn(move || (0..TURNS).for_each(|_| assert!(backend.incr("n", 1).is_ok())))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for child in children {
        let mut status = 0;
        // SAFETY: waits for a child of this process.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(status, 0);
    }
    assert_eq!(backend.incr("n", 0).unwrap(), 5 * TURNS);
}

#[test]
fn a_lock_that_another_process_keeps_is_an_error_within_its_limit() {
    let folder = Folder::new();
    let mut config = FileConfig::new(&folder.0);
    config.lock_limit = Duration::from_millis(200);
    let ours = Store::new(config).unwrap();
    ours.set("key", b"value", FOR_EVER).unwrap();
    let file = fs::File::options().read(true).write(true).open(folder.0.join(".hotclub.lock")).unwrap();
    // Given back by name, not by closing: a child that another test forked meanwhile has the description too.
    let whole_file = |kind: libc::c_int| {
        // SAFETY: all zeroes are a valid `flock`: the whole file, by a description of our own.
        unsafe {
            let mut whole: libc::flock = std::mem::zeroed();
            whole.l_type = kind as libc::c_short;
            libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&file), libc::F_OFD_SETLK, &raw const whole)
        }
    };
    assert_eq!(whole_file(libc::F_WRLCK), 0);
    let began = Instant::now();
    let error = ours.set("key", b"new", FOR_EVER).unwrap_err().into_error("set");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(value(&ours, "key").as_deref(), Some(&b"value"[..]), "readers need no lock");
    assert_eq!(whole_file(libc::F_UNLCK), 0);
    ours.set("key", b"new", FOR_EVER).unwrap();
}

#[test]
fn a_read_only_directory_is_a_clear_error_and_is_read() {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } == 0 {
        println!("skipped: root may write everywhere");
        return;
    }
    let folder = Folder::new();
    let ours = store(&folder);
    ours.set("key", b"value", FOR_EVER).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o500)).unwrap();
    let error = ours.set("key", b"new", FOR_EVER).unwrap_err().into_error("set");
    assert!(error.to_string().contains("permission denied"), "{error}");
    assert_eq!(value(&ours, "key").as_deref(), Some(&b"value"[..]));
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn urls_name_a_directory() {
    let folder = Folder::new();
    let url = format!("file://{}?max_entries=5&level=1&codec=django", folder.0.display());
    let cache = crate::blocking::Cache::open(&url).unwrap();
    cache.set("n", &41).unwrap();
    assert_eq!(cache.incr("n", 1).unwrap(), 42);
    assert_eq!(cache.get::<i64>("n").unwrap(), Some(42));
    for (url, words) in [
        ("file://", "needs a directory"),
        ("file://host/x", "three slashes"),
        ("file:///x?level=10", "level"),
    ] {
        let error = crate::blocking::Cache::open(url).unwrap_err().to_string();
        assert!(error.contains(words), "{url}: {error}");
    }
    let got =
        FileBackend::new(FileConfig::new(&folder.0)).unwrap().get(":1:n", &GetOptions::default()).unwrap();
    assert_eq!(got.unwrap().value, "42");
}
