//! Async callers, polled by hand: each step of each task happens exactly when the test says so.
use super::*;
use crate::{Cache as AsyncCache, ErrorKind, Load, Result};
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

type Task<'a> = Pin<Box<dyn Future<Output = Result<usize>> + 'a>>;

fn cache_with(limit: Duration) -> AsyncCache {
    cache_that_waits(limit).asynchronous()
}

fn get<'a, F: Future<Output = usize> + 'a>(
    cache: &'a AsyncCache,
    loader: impl FnOnce(Load) -> F + 'a,
) -> Task<'a> {
    Box::pin(cache.get_or_set("key", loader))
}

/// A task that never gets on with its loading.
fn stuck(cache: &AsyncCache) -> Task<'_> {
    get(cache, |_| pending())
}

fn poll(task: &mut Task<'_>) -> Option<usize> {
    match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value.unwrap()),
        Poll::Pending => None,
    }
}

#[test]
fn a_cancelled_leader_is_followed_by_the_next() {
    let cache = cache_with(LONG);
    let mut leader = stuck(&cache);
    assert_eq!(poll(&mut leader), None);
    let mut followers: Vec<Task<'_>> = (1..=3).map(|n| get(&cache, move |_| ready(n))).collect();
    assert!(followers.iter_mut().all(|follower| poll(follower).is_none()));
    drop(leader);
    let values: Vec<_> = followers.iter_mut().map(poll).collect();
    assert_eq!(values, [Some(1); 3], "the first of them loads, the others get what it stored");
    assert_eq!(cache.0.flights.len(), 0);
}

#[test]
fn a_leader_cancelled_between_two_polls_of_its_loader_leaves_nothing_behind() {
    let cache = cache_with(LONG);
    for _ in 0..10_000 {
        let mut leader = stuck(&cache);
        assert_eq!(poll(&mut leader), None);
    }
    assert_eq!(cache.0.flights.len(), 0);
}

#[test]
fn ten_thousand_cancelled_followers_leave_nothing_behind() {
    let cache = cache_with(LONG);
    let mut leader = stuck(&cache);
    assert_eq!(poll(&mut leader), None);
    for _ in 0..10_000 {
        let mut follower = stuck(&cache);
        assert_eq!(poll(&mut follower), None);
    }
    assert_eq!((cache.0.flights.len(), cache.0.flights.waiting(":1:key")), (1, 0));
    drop(leader);
    assert_eq!(cache.0.flights.len(), 0);
}

#[test]
fn a_wake_up_meant_for_a_cancelled_follower_is_passed_on() {
    let cache = cache_with(LONG);
    let mut leader = stuck(&cache);
    assert_eq!(poll(&mut leader), None);
    let (mut first, mut second) = (stuck(&cache), get(&cache, |_| ready(2)));
    assert_eq!((poll(&mut first), poll(&mut second)), (None, None));
    let woken = Arc::new(Loads::default());
    let waker = Waker::from(woken.clone());
    assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(leader);
    assert_eq!(woken.count(), 0, "the first in the queue is woken, and only it");
    drop(first);
    assert_eq!(woken.count(), 1, "its wake-up goes on to the next");
    assert_eq!(poll(&mut second), Some(2));
}

impl std::task::Wake for Loads {
    fn wake(self: Arc<Self>) {
        self.next();
    }
}

#[test]
fn who_comes_to_a_flight_without_a_leader_leads_it() {
    let cache = cache_with(LONG);
    let mut leader = stuck(&cache);
    assert_eq!(poll(&mut leader), None);
    let mut asleep = stuck(&cache);
    assert_eq!(poll(&mut asleep), None);
    drop(leader);
    let mut newcomer = get(&cache, |_| ready(3));
    assert_eq!(poll(&mut newcomer), Some(3), "it does not wait for a task that may never be polled");
    assert_eq!(poll(&mut asleep), Some(3));
}

#[test]
fn a_loader_may_ask_for_its_own_key() {
    let cache = cache_with(LONG);
    let mut task = get(&cache, |_| async { cache.get_or_set("key", |_| ready(1)).await.unwrap() + 1 });
    assert_eq!(poll(&mut task), Some(2));
    assert_eq!(cache.0.flights.len(), 0);
}

#[test]
fn two_calls_of_one_task_do_not_take_each_other_for_recursion() {
    let (cache, loads) = (cache_with(LONG), Loads::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let load = |_| async {
        tokio::task::yield_now().await;
        loads.next()
    };
    let (one, two) = runtime
        .block_on(async { tokio::join!(cache.get_or_set("key", load), cache.get_or_set("key", load)) });
    assert_eq!((one.unwrap(), two.unwrap(), loads.count()), (1, 1, 1));
}

#[test]
fn a_hundred_tasks_have_one_loader() {
    let (cache, loads) = (cache_with(LONG), Arc::new(Loads::default()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let spawn = |_| {
            let (cache, loads) = (cache.clone(), loads.clone());
            let watched = cache.clone();
            tokio::spawn(async move {
                let load = |_| async move {
                    while watched.0.flights.waiting(":1:key") < 99 {
                        tokio::task::yield_now().await;
                    }
                    loads.next()
                };
                cache.get_or_set("key", load).await.unwrap()
            })
        };
        let tasks: Vec<_> = (0..100).map(spawn).collect();
        for task in tasks {
            assert_eq!(tokio::time::timeout(LONG, task).await.unwrap().unwrap(), 1);
        }
    });
    assert_eq!((loads.count(), cache.0.flights.len()), (1, 0));
}

#[test]
fn followers_of_a_leader_that_is_never_polled_again_load_for_themselves() {
    let cache = cache_with(Duration::from_millis(40));
    let mut leader = stuck(&cache);
    assert_eq!(poll(&mut leader), None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (one, two) = runtime.block_on(async {
        tokio::join!(cache.get_or_set("key", |_| ready(1)), cache.get_or_set("key", |_| ready(2)))
    });
    assert_eq!((one.unwrap(), two.unwrap()), (1, 2), "each its own");
    assert_eq!(cache.blocking().get::<usize>("key").unwrap(), None, "and nothing is stored");
    assert_eq!(cache.0.flights.waiting(":1:key"), 0);
}

#[test]
fn a_failed_loader_hands_over_once_and_then_fails_all() {
    let (cache, loads) = (cache_with(LONG), Loads::default());
    let fail = |_: Load| async {
        let number = loads.next();
        tokio::task::yield_now().await;
        Err::<usize, _>(failure(&format!("try {number}")))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (one, two, three) = runtime.block_on(async {
        tokio::join!(
            cache.get_or_try_set("key", 60, fail),
            cache.get_or_try_set("key", 60, fail),
            cache.get_or_try_set("key", 60, fail)
        )
    });
    let (one, two, three) = (one.unwrap_err(), two.unwrap_err(), three.unwrap_err());
    assert_eq!([one.message(), two.message(), three.message()], ["try 1", "try 2", "try 2"]);
    assert!(Arc::ptr_eq(&two.shared_source().unwrap(), &three.shared_source().unwrap()));
    assert_eq!((one.kind(), loads.count()), (ErrorKind::Loader, 2));
}
