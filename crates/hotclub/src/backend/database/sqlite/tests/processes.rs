//! Threads, forks, and processes that end at any instruction.
use super::{FOR_EVER, Folder, set, value};
use crate::backend::Backend;
use crate::backend::database::sqlite::{Item, SqliteBackend, SqliteConfig, Store};
use crate::clock::ManualClock;
use crate::testing::block_on;
use crate::{Flags, Life};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

fn backend(folder: &Folder) -> SqliteBackend {
    let mut config = SqliteConfig::new(folder.file());
    config.lock_limit = Duration::from_secs(20);
    SqliteBackend::new(config).unwrap()
}

/// Runs this in the child of a fork, which ends at once when it is done; its process id.
fn child(work: impl FnOnce() -> bool) -> libc::pid_t {
    // SAFETY: the child uses stores, which are made for that, and leaves by `_exit` before any other code of its
    // parent runs.
    match unsafe { libc::fork() } {
        0 => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
            // SAFETY: leaves at once.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        child => child,
    }
}

fn wait_for(child: libc::pid_t) -> i32 {
    let mut status = 0;
    // SAFETY: waits for a child of this process.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(ended, child);
    status
}

#[test]
fn counters_of_threads_and_processes_lose_nothing() {
    const TURNS: i128 = 100;
    let folder = Folder::new();
    let backend = Arc::new(backend(&folder));
    let options = crate::backend::SetOptions::new(Life::Never).flags(Flags::INTEGER);
    backend.set("n", Bytes::from_static(b"0"), &options).unwrap();
    let count = |backend: &SqliteBackend| (0..TURNS).all(|_| backend.incr("n", 1).is_ok());
    let children: Vec<_> = (0..3).map(|_| child(|| count(&backend))).collect();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let backend = backend.clone();
            thread::spawn(move || assert!((0..TURNS).all(|_| backend.incr("n", 1).is_ok())))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    children.into_iter().for_each(|child| assert_eq!(wait_for(child), 0));
    assert_eq!(backend.incr("n", 0).unwrap(), 5 * TURNS);
}

#[test]
fn forks_amid_the_verbs_of_many_threads_leave_both_sides_working() {
    let folder = Folder::new();
    let backend = Arc::new(backend(&folder));
    set(backend.store(), "0-0", b"value");
    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..4)
        .map(|own| {
            let (backend, over) = (backend.clone(), over.clone());
            thread::spawn(move || {
                let store = backend.store();
                let mut turns = 0_u64;
                while !over.load(Relaxed) {
                    let key = format!("{own}-{}", turns % 10);
                    set(store, &key, &turns.to_le_bytes());
                    assert_eq!(value(store, &key).as_deref(), Some(&turns.to_le_bytes()[..]));
                    turns += 1;
                }
                turns
            })
        })
        .collect();
    for number in 0_u64..15 {
        let store = backend.store();
        let ended = child(|| {
            let key = format!("child-{number}");
            set(store, &key, b"value");
            let seen = value(store, &key).is_some() && value(store, "0-0").is_some();
            seen && block_on(backend.aget(&key, &Default::default())).unwrap().is_some()
        });
        assert_eq!(wait_for(ended), 0, "child {number}");
        assert!(value(store, &format!("child-{number}")).is_some());
    }
    over.store(true, Relaxed);
    threads.into_iter().for_each(|thread| assert!(thread.join().unwrap() > 0));
    assert_eq!(backend.store().check().unwrap(), Vec::<String>::new());
}

/// What readers note of uses is under a lock of ours, beside SQLite's transactions.
#[test]
fn forks_amid_readers_of_entries_whose_use_is_news_leave_children_working() {
    let folder = Folder::new();
    let hand = ManualClock::new();
    let store = Store::with_clock(SqliteConfig::new(folder.file()), hand.clock()).unwrap();
    let store = Arc::new(store);
    let keys: Vec<String> = (0..50).map(|number| format!("{number}")).collect();
    keys.iter().for_each(|key| set(&store, key, b"value"));
    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (store, over, keys, hand) = (store.clone(), over.clone(), keys.clone(), hand.clone());
            thread::spawn(move || {
                while !over.load(Relaxed) {
                    hand.advance(Duration::from_millis(500));
                    assert!(store.get_many(&keys).unwrap().iter().all(Option::is_some));
                }
            })
        })
        .collect();
    for _ in 0..40 {
        let ended = child(|| {
            // SAFETY: sets this process's alarm; the default action of its signal ends the process.
            unsafe { libc::alarm(10) };
            set(&store, "child", b"value");
            store.get_many(&keys).unwrap().iter().all(Option::is_some)
        });
        assert_eq!(wait_for(ended), 0);
    }
    over.store(true, Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_process_that_is_killed_leaves_whole_transactions() {
    let folder = Folder::new();
    let store = Store::new(SqliteConfig::new(folder.file())).unwrap();
    set(&store, "before", b"value");
    for turn in 0..10_u64 {
        let victim = child(|| {
            for number in 0_u64.. {
                let item = |key: u64| Item {
                    key: format!("{key}"),
                    value: number.to_le_bytes().repeat(500),
                    flags: Flags::RAW,
                };
                let items: Vec<Item> = (0..20).map(item).collect();
                store.set_many(&items, FOR_EVER).unwrap();
            }
            true
        });
        thread::sleep(Duration::from_millis(5 + turn * 3));
        // SAFETY: ends a child of this process.
        unsafe { libc::kill(victim, libc::SIGKILL) };
        assert!(libc::WIFSIGNALED(wait_for(victim)));
        let keys: Vec<String> = (0..20).map(|key| format!("{key}")).collect();
        let found = store.get_many(&keys).unwrap();
        let values: Vec<_> = found.into_iter().map(|found| found.map(|found| found.value)).collect();
        assert!(values.iter().all(|value| *value == values[0]), "all of one write, or none");
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }
    assert!(value(&store, "before").is_some());
}

#[test]
fn a_future_that_is_dropped_does_no_harm() {
    let folder = Folder::new();
    let backend = backend(&folder);
    let options = crate::backend::SetOptions::new(Life::Never);
    for number in 0..50 {
        drop(backend.aset(&format!("{number}"), Bytes::from_static(b"value"), &options));
    }
    block_on(backend.aset("last", Bytes::from_static(b"value"), &options)).unwrap();
    assert!(value(backend.store(), "last").is_some());
    assert_eq!(backend.store().check().unwrap(), Vec::<String>::new());
}
