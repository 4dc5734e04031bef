//! Limits for waits in tasks, on any runtime or none: one sleeping thread a process, started by the first
//! such wait and never by a call that finds its value.
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

type Wakers = BTreeMap<(Instant, u64), Waker>;

#[derive(Default)]
struct Clockwork {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    wakers: Wakers,
    next: u64,
    /// The process whose thread serves the list: after a fork the child needs one of its own.
    served_by: u32,
}

static CLOCKWORK: OnceLock<Arc<Clockwork>> = OnceLock::new();

impl Clockwork {
    fn get() -> &'static Arc<Clockwork> {
        CLOCKWORK.get_or_init(Arc::default)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn add(self: &Arc<Self>, at: Instant, waker: &Waker) -> u64 {
        let mut state = self.lock();
        let process = std::process::id();
        if state.served_by != process {
            let clockwork = self.clone();
            let thread = std::thread::Builder::new().name("hotclub-timer".into());
            // Without a thread the wait has no limit but the leader's end: better than no answer.
            if thread.spawn(move || clockwork.serve()).is_ok() {
                state.served_by = process;
            }
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
                due.into_values().for_each(Waker::wake);
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
