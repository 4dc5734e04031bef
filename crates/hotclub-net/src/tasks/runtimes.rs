//! State that belongs to one tokio runtime each: a connection can be used only where it was made.
use crate::locks::Mutex;
use crate::problem::Problem;
use std::future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

/// What was made in each runtime that is running. A runtime takes its own along when it ends.
#[derive(Debug)]
pub struct Runtimes<T> {
    // Short: a few numbers are compared. Nothing is made or dropped under it.
    rooms: Arc<Rooms<T>>,
}

type Rooms<T> = Mutex<Vec<Arc<Room<T>>>>;

#[derive(Debug)]
struct Room<T> {
    runtime: Id,
    /// Tells rooms apart where ids cannot: the id of a runtime that ended may be given to another.
    number: u64,
    pulse: OnceLock<AbortHandle>,
    state: T,
}

impl<T> Drop for Room<T> {
    fn drop(&mut self) {
        if let Some(pulse) = self.pulse.get() {
            pulse.abort();
        }
    }
}

impl<T> Default for Runtimes<T> {
    fn default() -> Self {
        Runtimes { rooms: Arc::default() }
    }
}

/// A view of a runtime's state, for as long as a task needs it.
pub struct Of<T>(Arc<Room<T>>);

impl<T> std::ops::Deref for Of<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.state
    }
}

impl<T: Send + Sync + 'static> Runtimes<T> {
    /// The state of the runtime that this task runs on.
    pub fn current(&self, make: impl FnOnce() -> T) -> Result<Of<T>, Problem> {
        let handle = Handle::try_current().map_err(|_| Problem::NoRuntime)?;
        let runtime = handle.id();
        let find = |rooms: &[Arc<Room<T>>]| rooms.iter().find(|room| room.runtime == runtime).cloned();
        if let Some(room) = find(&self.rooms.lock()) {
            return Ok(Of(room));
        }
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let made = Arc::new(Room { runtime, number, pulse: OnceLock::new(), state: make() });
        let room = {
            let mut rooms = self.rooms.lock();
            match find(&rooms) {
                Some(other) => other,
                None => {
                    rooms.push(made.clone());
                    made
                }
            }
        };
        if room.number == number {
            // Put in before it is spawned: a runtime that is ending drops the task, and so the room, at once.
            let pulse = Pulse { number, rooms: Arc::downgrade(&self.rooms) };
            let task = handle.spawn(async move {
                let _pulse = pulse;
                future::pending::<()>().await;
            });
            drop(room.pulse.set(task.abort_handle()));
        }
        Ok(Of(room))
    }

    /// The same if there is one already.
    pub fn existing(&self) -> Option<Of<T>> {
        let runtime = Handle::try_current().ok()?.id();
        self.rooms.lock().iter().find(|room| room.runtime == runtime).cloned().map(Of)
    }

    /// The states of all runtimes, summed up.
    pub fn sum(&self, count: impl Fn(&T) -> usize) -> usize {
        let rooms: Vec<_> = self.rooms.lock().clone();
        rooms.iter().map(|room| count(&room.state)).sum()
    }
}

/// Lives as long as its runtime, in a task that waits for ever.
struct Pulse<T> {
    number: u64,
    rooms: Weak<Rooms<T>>,
}

impl<T> Drop for Pulse<T> {
    fn drop(&mut self) {
        let Some(rooms) = self.rooms.upgrade() else { return };
        let gone = {
            let mut rooms = rooms.lock();
            let at = rooms.iter().position(|room| room.number == self.number);
            at.map(|at| rooms.swap_remove(at))
        };
        drop(gone);
    }
}
