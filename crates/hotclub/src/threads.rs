//! A few threads that wait for disks, so that event loops and tasks need not. Made at the first use, and anew in the
//! child of a fork.
use crate::fork::PerProcess;
use hotclub_net::locks::{Condvar, Mutex};
use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// More would only wait for the same disk.
const THREADS: usize = 4;
/// But where jobs wait and none was begun for so long, all threads may be waiting for a lock that somebody keeps, and
/// others are not to wait for it too: there are some more then, up to so many.
const STUCK: Duration = Duration::from_millis(100);
const MORE: usize = 4;
const MOST_THREADS: usize = 32;
/// A thread that has nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Threads {
    // Short: jobs are put in and taken out.
    jobs: Mutex<Jobs>,
    more: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    /// When the last one was begun.
    begun: Option<Instant>,
    threads: usize,
    idle: usize,
    /// Somebody looks whether they wait for too long.
    is_watched: bool,
}

static THREADS_OF_PROCESS: PerProcess<Arc<Threads>> = PerProcess::new();

/// Has a thread do this. If none can be started, it is done here: slow is better than never.
pub fn run(job: impl FnOnce() + Send + 'static) {
    crate::fork::watch();
    let threads = THREADS_OF_PROCESS.get_or(Arc::default);
    let mut jobs = threads.jobs.lock();
    jobs.waiting.push_back(Box::new(job));
    if jobs.idle >= jobs.waiting.len() {
        drop(jobs);
        threads.more.notify_one();
        return;
    }
    if jobs.threads >= THREADS {
        let is_watched = std::mem::replace(&mut jobs.is_watched, true);
        drop(jobs);
        threads.more.notify_one();
        if !is_watched && !start(threads, Threads::watch) {
            threads.jobs.lock().is_watched = false;
        }
        return;
    }
    jobs.threads += 1;
    drop(jobs);
    if !start(threads, Threads::work) {
        let job = {
            let mut jobs = threads.jobs.lock();
            jobs.threads -= 1;
            // Where others are at work, they will do it.
            if jobs.threads == 0 { jobs.waiting.pop_front() } else { None }
        };
        if let Some(job) = job {
            job();
        }
    }
}

/// Whether there is one more thread, which does this.
fn start(threads: &Arc<Threads>, what: fn(&Arc<Threads>)) -> bool {
    let own = threads.clone();
    thread::Builder::new().name("hotclub-disk".to_owned()).spawn(move || what(&own)).is_ok()
}

impl Threads {
    fn work(self: &Arc<Self>) {
        let mut jobs = self.jobs.lock();
        loop {
            while let Some(job) = jobs.waiting.pop_front() {
                jobs.begun = Some(Instant::now());
                drop(jobs);
                // Whoever waits for it hears that nothing came.
                drop(catch_unwind(AssertUnwindSafe(job)));
                jobs = self.jobs.lock();
            }
            jobs.idle += 1;
            let timed_out;
            (jobs, timed_out) = self.more.wait_while(jobs, IDLE, |jobs| jobs.waiting.is_empty());
            jobs.idle -= 1;
            if timed_out {
                jobs.threads -= 1;
                return;
            }
        }
    }

    /// While jobs wait: sees to it that those who wait for a lock do not hold up all others.
    fn watch(self: &Arc<Self>) {
        loop {
            thread::sleep(STUCK / 2);
            let mut jobs = self.jobs.lock();
            if jobs.waiting.is_empty() {
                jobs.is_watched = false;
                return;
            }
            if jobs.begun.is_some_and(|begun| begun.elapsed() < STUCK) {
                continue;
            }
            let more = jobs.waiting.len().min(MORE).min(MOST_THREADS.saturating_sub(jobs.threads));
            jobs.threads += more;
            drop(jobs);
            for _ in 0..more {
                if !start(self, Threads::work) {
                    self.jobs.lock().threads -= 1;
                }
            }
        }
    }
}

/// What comes of work that a thread does. Dropped, the work goes on, and nobody hears of it.
#[derive(Debug)]
pub struct Doing<T>(Arc<Mutex<Slot<T>>>);

#[derive(Debug)]
struct Slot<T> {
    done: Option<T>,
    is_over: bool,
    waker: Option<Waker>,
}

/// Has a thread do this; the future is `None` if the work panicked.
pub fn future<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Doing<T> {
    let slot = Arc::new(Mutex::new(Slot { done: None, is_over: false, waker: None }));
    let end = End(slot.clone());
    run(move || {
        let done = work();
        end.0.lock().done = Some(done);
        drop(end);
    });
    Doing(slot)
}

/// Wakes whoever waits, also if the work panics.
struct End<T>(Arc<Mutex<Slot<T>>>);

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = self.0.lock();
            slot.is_over = true;
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Doing<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = self.0.lock();
        if slot.is_over {
            return Poll::Ready(slot.done.take());
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;

    #[test]
    fn many_jobs_are_all_done_by_a_few_threads() {
        let (done, results) = mpsc::channel();
        let most = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        for number in 0..200 {
            let (done, most) = (done.clone(), most.clone());
            run(move || {
                let now = most.0.fetch_add(1, SeqCst) + 1;
                most.1.fetch_max(now, SeqCst);
                thread::yield_now();
                most.0.fetch_sub(1, SeqCst);
                done.send(number).unwrap();
            });
        }
        let mut all: Vec<i32> =
            (0..200).map(|_| results.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        assert!(most.1.load(SeqCst) <= MOST_THREADS);
    }

    #[test]
    fn jobs_that_wait_for_a_lock_do_not_hold_up_the_others_for_long() {
        let (release, locked) = mpsc::channel::<()>();
        let locked = Arc::new(std::sync::Mutex::new(locked));
        for _ in 0..THREADS {
            let locked = locked.clone();
            run(move || assert!(locked.lock().unwrap().recv_timeout(Duration::from_secs(20)).is_err()));
        }
        let (done, results) = mpsc::channel();
        run(move || done.send(()).unwrap());
        // Nobody asks for anything else meanwhile.
        results.recv_timeout(Duration::from_secs(10)).expect("one that waits for nothing is done");
        drop(release);
    }

    #[test]
    fn work_that_panics_ends_its_future_and_no_thread() {
        let block_on = |doing: Doing<i32>| crate::testing::block_on(doing);
        assert_eq!(block_on(future(|| panic!("on purpose"))), None);
        assert_eq!(block_on(future(|| 42)), Some(42));
    }
}
