//! Threads and tasks at one flight.
use super::*;
use crate::testing::block_on;
use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;

#[test]
fn threads_and_tasks_share_one_loader() {
    let (cache, loads) = (cache_that_waits(LONG), Loads::default());
    let load = || {
        until_waiting(&cache, "key", 19);
        loads.next()
    };
    thread::scope(|scope| {
        let call = |n: usize| {
            let (cache, load) = (&cache, &load);
            scope.spawn(move || match n % 2 {
                0 => cache.get_or_set("key", |_| load()).unwrap(),
                _ => block_on(cache.asynchronous().get_or_set("key", |_| async { load() })).unwrap(),
            })
        };
        let running: Vec<_> = (0..20).map(call).collect();
        running.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 1));
    });
    assert_eq!((loads.count(), cache.0.flights.len()), (1, 0));
}

#[test]
fn a_thread_takes_over_from_a_cancelled_task() {
    let cache = cache_that_waits(LONG);
    let asynchronous = cache.asynchronous();
    thread::scope(|scope| {
        let following = {
            let mut leader = pin!(asynchronous.get_or_set("key", |_| pending::<usize>()));
            assert!(leader.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let following = scope.spawn(|| cache.get_or_set("key", |_| 7).unwrap());
            until_waiting(&cache, "key", 1);
            following
        };
        assert_eq!(following.join().unwrap(), 7);
    });
}
