//! Blocking callers.
use super::*;
use crate::{Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

const FOLLOWERS: usize = 20;

/// Runs `leader` on a thread, and as many followers as there are once it leads; what the followers got.
/// The leader's loader must wait for them ([`until_waiting`]).
fn followed<R: Send>(cache: &Cache, leader: impl FnOnce() + Send, follower: impl Fn() -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let leading = scope.spawn(leader);
        let began = Instant::now();
        while cache.0.flights.len() == 0 {
            assert!(began.elapsed() < LONG, "the leader never came");
            thread::yield_now();
        }
        let following: Vec<_> = (0..FOLLOWERS).map(|_| scope.spawn(&follower)).collect();
        leading.join().unwrap();
        following.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_hundred_threads_have_one_loader() {
    let (cache, loads) = (cache_that_waits(LONG), Loads::default());
    let load = || {
        cache.get_or_set("key", |_| {
            until_waiting(&cache, "key", 99);
            loads.next()
        })
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..100).map(|_| scope.spawn(load)).collect();
        running.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap().unwrap(), 1));
    });
    assert_eq!((loads.count(), cache.0.flights.len()), (1, 0));
}

#[test]
fn keys_do_not_wait_for_each_other() {
    let cache = cache_that_waits(LONG);
    let value: i32 = cache
        .get_or_set("outer", |_| {
            thread::scope(|scope| scope.spawn(|| cache.get_or_set("inner", |_| 7)).join().unwrap()).unwrap()
        })
        .unwrap();
    assert_eq!((value, cache.get::<i32>("inner").unwrap()), (7, Some(7)));
}

#[test]
fn caches_of_other_prefixes_do_not_wait_for_each_other() {
    let cache = cache_that_waits(LONG);
    let other = cache.with_prefix("other");
    let value: i32 = cache
        .get_or_set("key", |_| {
            thread::scope(|scope| scope.spawn(|| other.get_or_set("key", |_| 7)).join().unwrap()).unwrap()
        })
        .unwrap();
    assert_eq!(value, 7);
}

#[test]
fn one_more_try_and_then_all_get_the_same_error() {
    let (cache, loads) = (cache_that_waits(LONG), Loads::default());
    let load = |_: &crate::Load| match loads.next() {
        1 => {
            until_waiting(&cache, "key", FOLLOWERS);
            Err::<i32, _>(failure("first"))
        }
        number => Err(failure(&format!("try {number}"))),
    };
    let leader = || {
        let error = cache.get_or_try_set("key", 60, load).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Loader, "first"));
    };
    let errors = followed(&cache, leader, || cache.get_or_try_set("key", 60, load).unwrap_err());
    assert_eq!(loads.count(), 2, "exactly one more try");
    let first = errors[0].shared_source().unwrap();
    for error in &errors {
        assert_eq!(error.message(), "try 2");
        assert!(Arc::ptr_eq(&first, &error.shared_source().unwrap()), "the same error, not a copy");
    }
    assert_eq!((cache.0.flights.len(), cache.get::<i32>("key").unwrap()), (0, None));
}

#[test]
fn a_second_try_that_works_serves_the_others() {
    let (cache, loads) = (cache_that_waits(LONG), Loads::default());
    let load = |_: &crate::Load| match loads.next() {
        1 => {
            until_waiting(&cache, "key", FOLLOWERS);
            Err(failure("first"))
        }
        number => Ok(number),
    };
    let leader = || assert!(cache.get_or_try_set::<usize, _>("key", 60, load).is_err());
    let values = followed(&cache, leader, || cache.get_or_try_set("key", 60, load).unwrap());
    assert_eq!((values, loads.count()), (vec![2; FOLLOWERS], 2));
}

#[test]
fn a_panic_takes_only_its_own_caller_along() {
    let (cache, loads) = (cache_that_waits(LONG), Loads::default());
    let load = |_: &crate::Load| match loads.next() {
        1 => {
            until_waiting(&cache, "key", FOLLOWERS);
            std::panic::resume_unwind(Box::new("a loader that panics"))
        }
        number => number,
    };
    let leader = || {
        let panicked = catch_unwind(AssertUnwindSafe(|| cache.get_or_set("key", load)));
        assert!(panicked.is_err());
    };
    let values = followed(&cache, leader, || cache.get_or_set("key", load).unwrap());
    assert_eq!((values, loads.count()), (vec![2; FOLLOWERS], 2));
}

#[test]
fn a_value_that_is_not_stored_is_not_shared() {
    let (cache, loads) = (cache_that_waits(LONG), Loads::default());
    let load = |load: &crate::Load| {
        load.no_store();
        let number = loads.next();
        if number == 1 {
            until_waiting(&cache, "key", FOLLOWERS);
        }
        number
    };
    let leader = || assert_eq!(cache.get_or_set("key", load).unwrap(), 1);
    let mut values = followed(&cache, leader, || cache.get_or_set("key", load).unwrap());
    values.sort_unstable();
    assert_eq!(values, (2..FOLLOWERS + 2).collect::<Vec<_>>(), "each made its own");
    assert_eq!(cache.get::<usize>("key").unwrap(), None);
}

#[test]
fn who_waited_long_enough_loads_without_storing() {
    let cache = cache_that_waits(Duration::from_secs(2));
    let leader = || {
        let slow = |_: &crate::Load| {
            until_waiting(&cache, "key", FOLLOWERS);
            until_waiting(&cache, "key", 0);
            "leader".to_owned()
        };
        assert_eq!(cache.get_or_set("key", slow).unwrap(), "leader");
    };
    let values = followed(&cache, leader, || cache.get_or_set("key", |_| "follower".to_owned()).unwrap());
    assert_eq!(values, vec!["follower"; FOLLOWERS]);
    assert_eq!(
        cache.get::<String>("key").unwrap().as_deref(),
        Some("leader"),
        "the leader's value is stored"
    );
}

#[test]
fn a_loader_may_ask_for_its_own_key() {
    let cache = cache_that_waits(LONG);
    let inner = || cache.get_or_set("key", |_| 1);
    let value: i32 = cache.get_or_set("key", |_| inner().unwrap() + 1).unwrap();
    assert_eq!((value, cache.get::<i32>("key").unwrap()), (2, Some(2)), "the inner value is not stored");
    assert_eq!(cache.0.flights.len(), 0);
}

#[test]
fn a_loader_may_load_other_keys_in_a_circle() {
    let cache = cache_that_waits(LONG);
    let value: i32 = cache
        .get_or_set("a", |_| {
            let b: i32 = cache.get_or_set("b", |_| cache.get_or_set("a", |_| 1).unwrap() + 1).unwrap();
            b + 1
        })
        .unwrap();
    assert_eq!((value, cache.get::<i32>("b").unwrap()), (3, Some(2)));
}

#[test]
fn a_value_that_cannot_be_stored_is_an_error_and_blocks_nobody() {
    let raw =
        crate::Cache::builder().backend(Arc::new(MemoryBackend::default())).codec(crate::Codec::Raw).build();
    let cache = raw.blocking();
    let error: Error = cache.get_or_set("key", |_| 1.5).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(cache.0.flights.len(), 0);
    assert_eq!(cache.get_or_set("key", |_| "text".to_owned()).unwrap(), "text");
}

#[test]
fn a_wait_without_an_end_is_a_wait() {
    let (cache, loads) = (cache_that_waits(Duration::MAX), Loads::default());
    let load = |_: &crate::Load| {
        until_waiting(&cache, "key", FOLLOWERS);
        loads.next()
    };
    let values: Vec<Result<usize>> =
        followed(&cache, || drop(cache.get_or_set("key", load)), || cache.get_or_set("key", load));
    assert!(values.into_iter().all(|value| value.unwrap() == 1));
}

#[test]
fn a_value_stored_meanwhile_wins() {
    let cache = cache_that_waits(LONG);
    let value: i32 = cache
        .get_or_set("key", |_| {
            cache.set("key", &1).unwrap();
            2
        })
        .unwrap();
    assert_eq!(
        (value, cache.get::<i32>("key").unwrap()),
        (1, Some(1)),
        "as Django's get_or_set: add, then get"
    );
}

#[test]
fn a_loader_chooses_its_timeout() {
    let cache = cache_that_waits(LONG);
    cache.get_or_set_with("never", 5, |load| load.timeout(None::<u32>)).unwrap();
    cache.get_or_set_with("gone", 5, |load| load.timeout(0)).unwrap();
    cache.get_or_set_with("kept", 5, |_| ()).unwrap();
    assert_eq!(cache.ttl("never").unwrap(), crate::Ttl::Never);
    assert_eq!(cache.ttl("gone").unwrap(), crate::Ttl::Missing);
    let crate::Ttl::Left(left) = cache.ttl("kept").unwrap() else { panic!("it was stored for five seconds") };
    assert!(left <= Duration::from_secs(5) && left > Duration::from_secs(1));
}
