//! What SQLite knows of its locks must not cross a fork, not even in connections that are never used again: a child
//! would believe that it holds what its parent holds. So before a fork verbs come to their end, connections are
//! closed, and parent and child open their own at the next verb.
//!
//! Programs that another program is started with (`posix_spawn`, `vfork`) are not concerned.
use crate::error::ErrorKind;
use hotclub_net::locks::Mutex;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Once, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Verbs that are under way.
static RUNNING: AtomicU32 = AtomicU32::new(0);
/// A fork is under way: meanwhile no verb begins, and no other fork.
static FORKING: AtomicBool = AtomicBool::new(false);
/// A verb did not end in time for the fork that is under way.
static UNCLEAN: AtomicBool = AtomicBool::new(false);
/// This process is the child of such a fork: it has halves of connections, and so will its own children.
static HALVES: AtomicBool = AtomicBool::new(false);
/// Whose connections are to be closed. Short: taken within a verb, or by the fork.
static STORES: Mutex<Vec<Weak<dyn Closes>>> = Mutex::new(Vec::new());

/// A fork waits so long for verbs, and verbs for a fork.
const LIMIT: Duration = Duration::from_secs(10);

/// What has connections.
pub(super) trait Closes: Send + Sync {
    /// Closes those that nobody uses, which are all when this is called.
    fn close(&self);
}

thread_local! {
    /// Verbs of this thread, one within the other: those within do not wait for a fork, which waits for the outermost.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// The fork that is under way is this thread's.
    static FORKS: Cell<bool> = const { Cell::new(false) };
}

/// A verb is under way in this thread, until this is dropped.
#[derive(Debug)]
pub(super) struct Running(PhantomData<*const ()>);

impl Running {
    fn new() -> Self {
        RUNNING.fetch_add(1, SeqCst);
        DEPTH.set(DEPTH.get() + 1);
        Running(PhantomData)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        RUNNING.fetch_sub(1, SeqCst);
    }
}

/// Begins a verb; waits for a fork that is under way in another thread.
pub(super) fn enter() -> Result<Running, (ErrorKind, &'static str)> {
    let mut until = None;
    loop {
        let running = Running::new();
        if !FORKING.load(SeqCst) || DEPTH.get() > 1 {
            return if has_halves() { Err(unclean()) } else { Ok(running) };
        }
        drop(running);
        let until = *until.get_or_insert_with(|| Instant::now() + LIMIT);
        if Instant::now() > until {
            return Err((ErrorKind::Timeout, "a fork of this process does not come to its end"));
        }
        thread::sleep(Duration::from_micros(50));
    }
}

/// Whether connections of this process must not even be closed.
pub(super) fn has_halves() -> bool {
    HALVES.load(SeqCst)
}

#[cold]
fn unclean() -> (ErrorKind, &'static str) {
    let what =
        "this process was forked while its parent was within a verb for a long time; start it by `exec`";
    (ErrorKind::Unavailable, what)
}

/// Forks close the connections of this one, from now on.
pub(super) fn watch(store: Weak<dyn Closes>) {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        // SAFETY: the handlers are functions of this program that are never unloaded before it ends. The first one
        // runs in the thread that forks, before anything is copied; what the others do is atomic stores.
        unsafe {
            libc::pthread_atfork(Some(before), Some(in_the_parent), Some(in_the_child));
        }
    });
    let Ok(_running) = enter() else { return };
    let mut stores = STORES.lock();
    stores.retain(|store| store.strong_count() > 0);
    stores.push(store);
}

extern "C" fn before() {
    let until = Instant::now() + LIMIT;
    if !begin_fork(until) || has_halves() {
        return;
    }
    while RUNNING.load(SeqCst) != 0 {
        if Instant::now() > until {
            UNCLEAN.store(true, SeqCst);
            return;
        }
        thread::sleep(Duration::from_micros(20));
    }
    // Nothing may unwind into a fork.
    let close = || {
        let stores: Vec<_> = STORES.lock().iter().filter_map(Weak::upgrade).collect();
        stores.iter().for_each(|store| store.close());
    };
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(close)).is_err() {
        UNCLEAN.store(true, SeqCst);
    }
}

/// One thread forks at a time: while it does, no other closes connections, which takes locks of SQLite's own.
fn begin_fork(until: Instant) -> bool {
    while FORKING.swap(true, SeqCst) {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(Duration::from_micros(20));
    }
    FORKS.set(true);
    true
}

extern "C" fn in_the_parent() {
    if FORKS.replace(false) {
        UNCLEAN.store(false, SeqCst);
        FORKING.store(false, SeqCst);
    }
}

extern "C" fn in_the_child() {
    // Its turn did not come, or a verb did not end.
    if UNCLEAN.swap(false, SeqCst) || !FORKS.replace(false) {
        HALVES.store(true, SeqCst);
    }
    // Threads that were beginning a verb are not here.
    RUNNING.store(0, SeqCst);
    FORKING.store(false, SeqCst);
}
