//! The same for tasks.
use super::told::{Told, servers, swap};
use super::*;
use crate::Life;
use crate::backend::SetOptions;
use crate::backend::redis::tests::awaited::Awaited;
use crate::backend::redis::tests::tokio::{self, runtime, together};
use std::sync::atomic::AtomicBool;

conformance!(awaited, or_skip, || {
    let awaited = || Awaited::new(backend(&calm()));
    redis_or_skip("awaited").then(|| Fixture::in_real_time(awaited).with_unit(UNIT))
});

#[test]
fn tasks_follow_a_failover_under_load() {
    if !redis_or_skip("tasks_follow_a_failover_under_load") {
        return;
    }
    let sentinels = stormy();
    let (backend, told) = listening(&url(&sentinels, "?read_from=primary"));
    let (backend, stop) = (Arc::new(backend), Arc::new(AtomicBool::new(false)));
    let running = runtime();
    let workers: Vec<_> = (0..20)
        .map(|task| {
            let (backend, stop) = (backend.clone(), stop.clone());
            running.spawn(async move {
                let key = format!("task{task}");
                let (mut rounds, mut errors, mut slowest) = (0, 0, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    rounds += 1;
                    let began = Instant::now();
                    let stored = tokio::set(&backend, &key, &format!("{task} {rounds}")).await;
                    let read = tokio::get(&backend, &key).await;
                    slowest = slowest.max(began.elapsed());
                    if let Ok(Some(text)) = &read {
                        assert!(text.starts_with(&format!("{task} ")), "somebody else's value: {text}");
                    }
                    errors += usize::from(stored.is_err() || read.is_err());
                    if stored.is_err() {
                        ::tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
                (rounds, errors, slowest)
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let elected = sentinels.wait_for_failover(sentinels.kill_primary());
    running.block_on(tokio::recovers(&backend, Duration::from_secs(5)));
    std::thread::sleep(Duration::from_millis(200));
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        let (rounds, errors, slowest) = running.block_on(worker).expect("no task panics");
        assert!(errors > 0 && rounds > errors, "{rounds} rounds, {errors} errors");
        assert!(slowest < Duration::from_secs(6), "two verbs took {slowest:?}");
    }
    assert_eq!(primaries(&told), [format!("127.0.0.1:{elected} is the primary now")], "once");
    sentinels.restore();
}

#[test]
fn a_write_of_a_task_that_is_refused_goes_to_the_new_primary() {
    if !redis_or_skip("a_write_of_a_task_that_is_refused_goes_to_the_new_primary") {
        return;
    }
    let [one, two] = &servers();
    let sentinel = Told::start(one.port());
    let (backend, told) = listening(&sentinel.url("?read_from=primary"));
    let running = runtime();
    running.block_on(async { tokio::set(&backend, "n", "1").await.unwrap() });
    swap([one, two]);
    sentinel.say(two);
    // Who has just been found is not looked for at once.
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(running.block_on(async { backend.aincr("n", 1).await }).unwrap(), 2);
    assert_eq!(primaries(&told), [format!("{} is the primary now", two.address())]);
    swap([two, one]);
    sentinel.say(one);
    std::thread::sleep(Duration::from_millis(60));
    let many = |key| crate::backend::Item { key, value: "1".into(), flags: Default::default() };
    running.block_on(async {
        backend.aset_many(&[many("a"), many("b")], &SetOptions::new(Life::Never)).await.unwrap();
        backend.aclear(crate::backend::Scope::Prefix("b")).await.unwrap();
    });
    assert_eq!(
        (one.command(&["GET", "a"]), one.command(&["GET", "b"])),
        ("1".to_owned(), "(nil)".to_owned())
    );
}

#[test]
fn tasks_wait_for_one_search_and_not_for_one_each() {
    if !redis_or_skip("tasks_wait_for_one_search_and_not_for_one_each") {
        return;
    }
    let [primary, replica] = &servers();
    let sentinel = Told::start(replica.port());
    let (backend, _) = listening(&sentinel.url("?"));
    let backend = Arc::new(backend);
    let began = Instant::now();
    runtime().block_on(async {
        together(300, |_| {
            let backend = backend.clone();
            async move {
                let error = tokio::get(&backend, "key").await.unwrap_err();
                assert!(error.to_string().contains("it is no primary but has the role \"slave\""), "{error}");
            }
        })
        .await;
        let asked = sentinel.asked();
        assert!(asked < 20 && began.elapsed() < Duration::from_secs(5), "{asked}, {:?}", began.elapsed());
        sentinel.say(primary);
        tokio::recovers(&backend, Duration::from_secs(5)).await;
        together(300, |_| {
            let backend = backend.clone();
            async move { assert_eq!(tokio::get(&backend, "key").await.unwrap(), None) }
        })
        .await;
        assert_eq!(backend.async_connections(), 1);
    });
}
