//! When it breaks: bounded time, a clear error with the server's name, and recovery by itself.
use super::*;
use crate::ErrorKind;
use crate::testing::servers::{Fault, FaultProxy};

#[test]
fn a_server_that_is_not_there_is_an_error_with_its_name() {
    let backend = backend("redis://127.0.0.1:1/0");
    let error = runtime().block_on(get(&backend, "key")).unwrap_err();
    let text = "redis: get failed (127.0.0.1:1): unavailable: connection refused";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unavailable, text));
}

#[test]
fn a_dead_server_costs_one_limit_for_all_tasks_and_runtimes() {
    // Nobody answers there: the packets are dropped, as by a firewall (TEST-NET-1, RFC 5737).
    let backend = Arc::new(backend("redis://192.0.2.1:6379/0?connect_limit=0.3&rest=30"));
    let began = Instant::now();
    for _ in 0..3 {
        runtime().block_on(together(100, |_| {
            let backend = backend.clone();
            async move {
                let error = get(&backend, "key").await.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
            }
        }));
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_server_killed_and_restarted_under_load_is_found_again() {
    if !redis_or_skip("a_server_killed_and_restarted_under_load_is_found_again") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = Arc::new(backend(&format!("{}?rest=0.1", server.url())));
    let until = Instant::now() + Duration::from_secs(1);
    runtime().block_on(async {
        let load = (0..50).map(|n| {
            let backend = backend.clone();
            ::tokio::spawn(async move {
                let key = format!("key{n}");
                let (mut served, mut failed) = (0, 0);
                while Instant::now() < until {
                    let began = Instant::now();
                    match set(&backend, &key, &key).await {
                        Ok(_) => match get(&backend, &key).await {
                            Ok(found) => {
                                assert!(found.is_none_or(|found| found == key));
                                served += 1;
                            }
                            Err(_) => failed += 1,
                        },
                        Err(error) => {
                            assert!(error.is_temporary(), "{error}");
                            failed += 1;
                            ::tokio::time::sleep(Duration::from_millis(1)).await;
                        }
                    }
                    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
                }
                (served, failed)
            })
        });
        let load: Vec<_> = load.collect();
        for _ in 0..2 {
            ::tokio::time::sleep(Duration::from_millis(150)).await;
            ::tokio::task::block_in_place(|| server.kill());
            ::tokio::time::sleep(Duration::from_millis(100)).await;
            ::tokio::task::block_in_place(|| server.restart());
        }
        for task in load {
            let (served, failed) = task.await.expect("no task panics");
            assert!(served > 0 && failed > 0, "{served} served, {failed} failed");
        }
        recovers(&backend, Duration::from_secs(5)).await;
    });
}

#[test]
fn a_restart_that_nobody_saw_is_no_error() {
    if !redis_or_skip("a_restart_that_nobody_saw_is_no_error") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = backend(&server.url());
    // Nobody drives this runtime between the calls, so nobody can see that the connection ends.
    let alone = Builder::new_current_thread().enable_all().build().unwrap();
    alone.block_on(async { set(&backend, "key", "1").await.unwrap() });
    server.restart();
    assert_eq!(alone.block_on(get(&backend, "key")).unwrap(), None);
    alone.block_on(async { set(&backend, "n", "1").await.unwrap() });
    server.restart();
    // An increment looks at its connection first, because it could not be sent again.
    let error = alone.block_on(async { backend.aincr("n", 1).await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyNotFound, "{error}");
}

#[test]
fn a_paused_server_costs_one_limit_and_loses_nothing() {
    if !redis_or_skip("a_paused_server_costs_one_limit_and_loses_nothing") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = Arc::new(backend(&format!("{}?reply_limit=1&connect_limit=1&rest=0.2", server.url())));
    runtime().block_on(async {
        set(&backend, "key", "1").await.unwrap();
        server.pause();
        let began = Instant::now();
        together(100, |_| {
            let backend = backend.clone();
            async move {
                let error = get(&backend, "key").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            }
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        server.resume();
        recovers(&backend, Duration::from_secs(5)).await;
        assert_eq!(get(&backend, "key").await.unwrap().as_deref(), Some("1"));
    });
}

#[test]
fn replies_cut_short_and_garbage_end_the_connection_and_nothing_else() {
    if !redis_or_skip("replies_cut_short_and_garbage_end_the_connection_and_nothing_else") {
        return;
    }
    let proxy = FaultProxy::start(SERVER.port());
    let backend = backend(&format!("redis://{}/0?reply_limit=1", proxy.address()));
    runtime().block_on(async {
        set(&backend, "spoiled", "1234567890").await.unwrap();
        proxy.set(Fault::CutAfter(4));
        let error = get(&backend, "spoiled").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(backend.aincr("spoiled", 1).await.unwrap_err().kind(), ErrorKind::Ambiguous);
        proxy.set(Fault::None);
        assert_eq!(get(&backend, "spoiled").await.unwrap().as_deref(), Some("1234567891"), "once, not twice");
        proxy.set(Fault::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
        let error = get(&backend, "spoiled").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        proxy.set(Fault::None);
        assert_eq!(get(&backend, "spoiled").await.unwrap().as_deref(), Some("1234567891"));
        proxy.set(Fault::Swallow);
        assert_eq!(get(&backend, "spoiled").await.unwrap_err().kind(), ErrorKind::Timeout);
        proxy.set(Fault::None);
        recovers(&backend, Duration::from_secs(5)).await;
    });
}

#[test]
fn what_the_server_refuses_is_said_in_its_words() {
    if !redis_or_skip("what_the_server_refuses_is_said_in_its_words") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new().password("right"));
    let wrong = backend(&format!("redis://:wrong@{}/0", server.address()));
    let right = backend(&server.url());
    runtime().block_on(async {
        let error = get(&wrong, "key").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("WRONGPASS"), "{error}");
        server.command(&["LPUSH", "list", "1"]);
        let error = get(&right, "list").await.unwrap_err();
        assert!(error.to_string().contains("WRONGTYPE Operation against"), "{error}");
        set(&right, "text", "no number").await.unwrap();
        let error = right.aincr("text", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAnInteger, "{error}");
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        let error = set(&right, "key", "2").await.unwrap_err();
        assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("OOM"), "{error}");
        let item =
            |key| crate::backend::Item { key, value: Bytes::from_static(b"3"), flags: Default::default() };
        let error =
            right.aset_many(&[item("a"), item("b")], &SetOptions::new(Life::Never)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    });
}

#[test]
fn one_of_several_tasks_cancelled_while_the_server_is_down_does_not_keep_it_down() {
    if !redis_or_skip("one_of_several_tasks_cancelled_while_the_server_is_down_does_not_keep_it_down") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = backend(&format!("{}?reply_limit=5&connect_limit=5&rest=0.05", server.url()));
    runtime().block_on(async {
        set(&backend, "key", "1").await.unwrap();
        server.kill();
        get(&backend, "key").await.unwrap_err();
        server.restart();
        server.pause();
        ::tokio::time::sleep(Duration::from_millis(60)).await;
        // This one tries, and is cancelled before there is an answer.
        ::tokio::time::timeout(Duration::from_millis(50), get(&backend, "key")).await.unwrap_err();
        server.resume();
        recovers(&backend, Duration::from_secs(5)).await;
    });
}
