//! The same for tasks.
use super::*;
use crate::backend::redis::tests::awaited::Awaited;
use crate::backend::redis::tests::tokio::{runtime, together};
use std::sync::atomic::AtomicBool;

conformance!(awaited, or_skip, || {
    let awaited = || Prefixed::new(Awaited::new(backend(&url(&CALM))));
    redis_or_skip("awaited").then(|| Fixture::in_real_time(awaited).with_unit(UNIT))
});

#[test]
fn tasks_have_one_connection_to_each_node() {
    if !redis_or_skip("tasks_have_one_connection_to_each_node") {
        return;
    }
    let backend = Arc::new(backend(&url(&CALM)));
    runtime().block_on(async {
        together(100, |n| {
            let backend = backend.clone();
            async move {
                let keys: Vec<String> = (0..20).map(|key| format!("task{n} {key}")).collect();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let items: Vec<_> = keys.iter().map(|key| item(key, key)).collect();
                backend.aset_many(&items, &never()).await.unwrap();
                for _ in 0..5 {
                    let found = backend.aget_many(&keys, &GetOptions::default()).await.unwrap();
                    assert_eq!(
                        texts(found),
                        keys.iter().map(|key| Some((*key).to_owned())).collect::<Vec<_>>()
                    );
                }
                assert_eq!(backend.adelete_many(&keys).await.unwrap(), 20);
            }
        })
        .await;
        assert_eq!(backend.async_connections(), 3);
    });
}

#[test]
fn tasks_clear_every_primary() {
    if !redis_or_skip("tasks_clear_every_primary") {
        return;
    }
    let cluster = stormy();
    let backend = backend(&url(&cluster));
    let sizes = || cluster.nodes().iter().map(|node| node.command(&["DBSIZE"])).collect::<Vec<_>>();
    runtime().block_on(async {
        let fill = || async {
            for n in 0..60 {
                let key = format!("a:{n}");
                assert!(backend.aset(&key, Bytes::from_static(b"1"), &never()).await.unwrap());
            }
        };
        fill().await;
        backend.aclear(Scope::Prefix("b:")).await.unwrap();
        assert!(!sizes().contains(&"0".to_owned()), "{:?}", sizes());
        backend.aclear(Scope::Prefix("a:")).await.unwrap();
        assert_eq!(sizes(), ["0", "0", "0"]);
        fill().await;
        backend.aclear(Scope::All).await.unwrap();
        assert_eq!(sizes(), ["0", "0", "0"]);
    });
}

#[test]
fn a_slot_that_moves_under_tasks_loses_nothing() {
    if !redis_or_skip("a_slot_that_moves_under_tasks_loses_nothing") {
        return;
    }
    let cluster = stormy();
    let backend = Arc::new(backend(&url(&cluster)));
    let keys: Arc<Vec<String>> = Arc::new((0..100).map(|n| format!("{{tasks}}{n}")).collect());
    let (slot, stop) = (cluster.slot_of("{tasks}"), Arc::new(AtomicBool::new(false)));
    let running = runtime();
    let workers: Vec<_> = (0..10)
        .map(|task| {
            let (backend, keys, stop) = (backend.clone(), keys.clone(), stop.clone());
            running.spawn(async move {
                let keys: Vec<&str> = keys.iter().skip(task).step_by(10).map(String::as_str).collect();
                let count = format!("{{tasks}}count{task}");
                assert!(backend.aset(&count, Bytes::from_static(b"0"), &never()).await.unwrap());
                let with_deadline = GetOptions { want_deadline: true, ..GetOptions::default() };
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let value = format!("{task} {round}");
                    let items: Vec<_> = keys.iter().map(|key| item(key, &value)).collect();
                    backend.aset_many(&items, &never()).await.unwrap();
                    let found = backend.aget_many(&keys, &GetOptions::default()).await.unwrap();
                    assert_eq!(texts(found), vec![Some(value.clone()); keys.len()]);
                    let entry = backend.aget(keys[round % keys.len()], &with_deadline).await.unwrap();
                    assert_eq!(texts(vec![entry]), [Some(value)]);
                    assert_eq!(backend.aincr(&count, 1).await.unwrap(), round as i128, "once, not twice");
                }
                round
            })
        })
        .collect();
    for lap in 1..=6 {
        let to = (cluster.owner(slot) + 1 + lap % 2) % 3;
        let migration = cluster.migrate(slot, to);
        keys.iter().take(8).for_each(|key| migration.move_key(key));
        std::thread::sleep(Duration::from_millis(20));
        migration.move_keys();
        std::thread::sleep(Duration::from_millis(20));
        migration.finish();
        std::thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Relaxed);
    let rounds: Vec<usize> =
        workers.into_iter().map(|worker| running.block_on(worker).expect("no task fails")).collect();
    assert!(rounds.iter().all(|rounds| *rounds > 2), "{rounds:?}");
}

#[test]
fn a_dead_node_is_an_error_for_tasks_until_it_is_back() {
    if !redis_or_skip("a_dead_node_is_an_error_for_tasks_until_it_is_back") {
        return;
    }
    let cluster = stormy();
    let backend = Arc::new(backend(&format!("{}?reply_limit=2&connect_limit=1&rest=0.2", url(&cluster))));
    let read = GetOptions::default();
    let slot = cluster.slot_of("key");
    let dead = &cluster.nodes()[cluster.owner(slot)];
    let running = runtime();
    running.block_on(async {
        backend.aset("key", Bytes::from_static(b"1"), &never()).await.unwrap();
        dead.kill();
        let began = Instant::now();
        let error = backend.aget("key", &read).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(&format!("({}, slot {slot})", dead.address())), "{error}");
        together(200, |_| {
            let backend = backend.clone();
            async move {
                let error = backend.aget("key", &GetOptions::default()).await.unwrap_err();
                assert!(error.is_temporary(), "{error}");
            }
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(5), "200 calls took {:?}", began.elapsed());
    });
    dead.restart();
    cluster.wait_until_ok();
    running.block_on(async {
        let until = Instant::now() + Duration::from_secs(10);
        while let Err(error) = backend.aget("key", &read).await {
            assert!(Instant::now() < until, "still: {error}");
            ::tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn a_paused_node_costs_tasks_one_limit_and_the_others_work() {
    if !redis_or_skip("a_paused_node_costs_tasks_one_limit_and_the_others_work") {
        return;
    }
    let cluster = stormy();
    let backend = backend(&format!("{}?reply_limit=1&connect_limit=1&rest=0.2", url(&cluster)));
    let keys: Vec<String> = (0..50).map(|n| format!("paused{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let items: Vec<_> = keys.iter().map(|key| item(key, "1")).collect();
    let paused = &cluster.nodes()[1];
    runtime().block_on(async {
        backend.aset_many(&items, &never()).await.unwrap();
        paused.pause();
        let began = Instant::now();
        let error = backend.aget_many(&keys, &GetOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains(&paused.address()), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        paused.resume();
        cluster.wait_until_ok();
        let until = Instant::now() + Duration::from_secs(10);
        let found = loop {
            match backend.aget_many(&keys, &GetOptions::default()).await {
                Ok(found) => break found,
                Err(error) => assert!(error.is_temporary() && Instant::now() < until, "{error}"),
            }
        };
        assert_eq!(found.iter().flatten().count(), 50);
    });
}
