//! Limits for waits in tasks, on any runtime or none: one sleeping thread a process, started by the first
//! such wait and never by a call that finds its value.
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

type Wakers = BTreeMap<(Instant, u64), Waker>;

struct Clockwork {
    /// The process that made it. After a fork the child makes its own: the parent's lock may be held by a
    /// thread that is not here, its wakers belong to runtimes that are not, and its thread is not.
    process: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wakers: Wakers,
    next: u64,
    served: bool,
}

/// The clockwork of this process. Never freed: one is left behind by each fork, which is little.
static CLOCKWORK: AtomicPtr<Clockwork> = AtomicPtr::new(null_mut());

impl Clockwork {
    fn get() -> &'static Clockwork {
        let process = std::process::id();
        let known = CLOCKWORK.load(Ordering::Acquire);
        // SAFETY: what was stored there came from `Box::leak` below, and is never freed.
        if let Some(clockwork) = unsafe { known.as_ref() }
            && clockwork.process == process
        {
            return clockwork;
        }
        let new = Clockwork { process, state: Mutex::default(), changed: Condvar::new() };
        let new: &'static mut Clockwork = Box::leak(Box::new(new));
        // Should another thread be faster, its clockwork is taken and ours stays unused.
        let _ = CLOCKWORK.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire);
        Clockwork::get()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn add(&'static self, at: Instant, waker: &Waker) -> u64 {
        let mut state = self.lock();
        if !state.served {
            let thread = std::thread::Builder::new().name("hotclub-timer".into());
            // Without a thread the wait has no limit but the leader's end: better than no answer.
            state.served = thread.spawn(|| self.serve()).is_ok();
        }
        state.next += 1;
        let id = state.next;
        state.wakers.insert((at, id), waker.clone());
        self.changed.notify_one();
        id
    }

    fn remove(&self, at: Instant, id: u64) {
        self.lock().wakers.remove(&(at, id));
    }

    fn serve(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let later = state.wakers.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut state.wakers, later);
            if !due.is_empty() {
                drop(state);
                for waker in due.into_values() {
                    // A waker that panics is its runtime's fault; the others still want to be woken.
                    drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
                }
                state = self.lock();
                continue;
            }
            state = match state.wakers.keys().next().map(|(at, _)| at.saturating_duration_since(now)) {
                None => self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner()),
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(|poisoned| poisoned.into_inner()).0
                }
            };
        }
    }
}

/// Ready at an instant.
pub(super) struct Timer {
    at: Instant,
    registered: Option<u64>,
}

impl Timer {
    pub(super) fn new(at: Instant) -> Self {
        Timer { at, registered: None }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        if let Some(id) = self.registered.take() {
            Clockwork::get().remove(self.at, id);
        }
        self.registered = Some(Clockwork::get().add(self.at, context.waker()));
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(id) = self.registered {
            Clockwork::get().remove(self.at, id);
        }
    }
}
