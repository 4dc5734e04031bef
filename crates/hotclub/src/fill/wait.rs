//! Waiting: a list of wakers, and a thread that waits as a task does.
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

/// Who waits, in the order of arrival.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    next: u64,
    list: Vec<(u64, Option<Waker>)>,
}

impl Waiters {
    /// A place in the list; the waker comes with the first poll.
    pub(super) fn register(&mut self) -> u64 {
        self.next += 1;
        self.list.push((self.next, None));
        self.next
    }

    pub(super) fn set_waker(&mut self, waiter: u64, waker: &Waker) {
        if let Some((_, place)) = self.list.iter_mut().find(|(id, _)| *id == waiter) {
            match place {
                Some(known) => known.clone_from(waker),
                None => *place = Some(waker.clone()),
            }
        }
    }

    pub(super) fn remove(&mut self, waiter: u64) {
        self.list.retain(|(id, _)| *id != waiter);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The first in the list; none if it has not polled yet (then it will see by itself).
    pub(super) fn first(&self) -> Option<Waker> {
        self.list.first().and_then(|(_, waker)| waker.clone())
    }

    pub(super) fn take_all(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.list).into_iter().filter_map(|(_, waker)| waker).collect()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls on this thread until ready, or until the deadline: then `None`.
pub(super) fn block<T>(deadline: Instant, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(answer) = poll(&mut context) {
            return Some(answer);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        std::thread::park_timeout(left);
    }
}
