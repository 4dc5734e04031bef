//! Many tasks, few connections, and nobody gets what another one asked for.
use super::*;
use crate::testing::servers::FaultProxy;

#[test]
fn three_hundred_tasks_share_one_connection() {
    if !redis_or_skip("three_hundred_tasks_share_one_connection") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = Arc::new(backend(&format!("{}?client_name=tasks", server.url())));
    runtime().block_on(async {
        together(300, |n| {
            let backend = backend.clone();
            async move {
                let key = format!("key{n}");
                for round in 0..20 {
                    let value = format!("{n} {round}");
                    set(&backend, &key, &value).await.unwrap();
                    assert_eq!(get(&backend, &key).await.unwrap(), Some(value));
                }
            }
        })
        .await;
        let named = server.command(&["CLIENT", "LIST"]).matches("name=tasks").count();
        assert_eq!((named, backend.async_connections()), (1, 1));
        set(&backend, "large", &"x".repeat(100_000)).await.unwrap();
        assert_eq!(get(&backend, "large").await.unwrap().map(|text| text.len()), Some(100_000));
        assert_eq!(backend.async_connections(), 2, "what is large has a connection of its own");
    });
}

#[test]
fn small_requests_do_not_wait_for_large_ones() {
    if !redis_or_skip("small_requests_do_not_wait_for_large_ones") {
        return;
    }
    let proxy = FaultProxy::start(SERVER.port());
    let backend = Arc::new(backend(&format!("redis://{}/0?reply_limit=30", proxy.address())));
    runtime().block_on(async {
        set(&backend, "a small one", "1").await.unwrap();
        let keys: Arc<Vec<String>> = Arc::new((0..300).map(|n| format!("large{n}")).collect());
        for key in keys.iter() {
            set(&backend, key, &"x".repeat(20_000)).await.unwrap();
        }
        let small_comes_first = || async {
            let (large, keys) = (backend.clone(), keys.clone());
            let large = ::tokio::spawn(async move {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let found = large.aget_many(&keys, &GetOptions::default()).await.unwrap();
                assert_eq!(found.iter().flatten().count(), 300);
                Instant::now()
            });
            ::tokio::task::yield_now().await;
            get(&backend, "a small one").await.unwrap();
            let small = Instant::now();
            small < large.await.unwrap()
        };
        // A machine that stands still in the middle of a race decides it.
        let mut lost = 0;
        while !small_comes_first().await {
            lost += 1;
            assert!(lost < 5, "the small one never came first");
        }
        assert_eq!(backend.async_connections(), 2);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert_eq!(backend.adelete_many(&keys).await.unwrap(), 300);
    });
}

/// Tasks are dropped at every moment of a request: before it is sent, on its way, and when its reply is there.
#[test]
fn ten_thousand_cancelled_requests_confuse_nobody() {
    if !redis_or_skip("ten_thousand_cancelled_requests_confuse_nobody") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = Arc::new(backend(&format!("{}?client_name=cancelled", server.url())));
    let running = runtime();
    running.block_on(async {
        together(100, |n| {
            let backend = backend.clone();
            async move {
                let (key, value) = (format!("key{n}"), format!("value of {n}"));
                set(&backend, &key, &value).await.unwrap();
                for round in 0..100_u64 {
                    let limit = Duration::from_micros((round * 37 + n as u64 * 13) % 900);
                    if let Ok(found) = ::tokio::time::timeout(limit, get(&backend, &key)).await {
                        assert_eq!(found.unwrap().as_ref(), Some(&value));
                    }
                    // Polled once and dropped.
                    let mut dropped = Box::pin(get(&backend, "nobody's"));
                    let once = std::future::poll_fn(|context| {
                        std::task::Poll::Ready(dropped.as_mut().poll(context).is_ready())
                    });
                    let _: bool = once.await;
                }
                assert_eq!(get(&backend, &key).await.unwrap(), Some(value));
            }
        })
        .await;
        assert_eq!(backend.async_connections(), 1);
    });
    assert_eq!(server.command(&["CLIENT", "LIST"]).matches("name=cancelled").count(), 1);
}

#[test]
fn a_cancelled_connection_is_made_by_the_next_who_needs_it() {
    if !redis_or_skip("a_cancelled_connection_is_made_by_the_next_who_needs_it") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = Arc::new(backend(&format!("{}?protocol=3", server.url())));
    runtime().block_on(async {
        server.pause();
        let short = Duration::from_millis(30);
        // It greets a server that does not answer, and is dropped while others wait for what comes of it.
        let waiting = ::tokio::spawn({
            let backend = backend.clone();
            async move {
                ::tokio::time::sleep(short / 3).await;
                get(&backend, "key").await
            }
        });
        ::tokio::time::timeout(short, get(&backend, "key")).await.unwrap_err();
        server.resume();
        assert_eq!(waiting.await.unwrap().unwrap(), None);
    });
}

#[test]
fn passwords_can_rotate_and_databases_and_names_are_kept() {
    if !redis_or_skip("passwords_can_rotate_and_databases_and_names_are_kept") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new().password("one"));
    let mut config = crate::backend::redis::RedisConfig::new(vec![crate::backend::redis::Server::Tcp(
        "127.0.0.1".into(),
        server.port(),
    )])
    .unwrap();
    let password = Arc::new(parking_lot::Mutex::new("one".to_owned()));
    let said = password.clone();
    config.credentials = Some(Arc::new(move || {
        Ok(crate::backend::redis::config::Login { username: None, password: Some(said.lock().clone()) })
    }));
    (config.databases, config.client_name) = (vec![3], Some("rotating".to_owned()));
    let backend = RedisBackend::new(config).unwrap();
    runtime().block_on(async {
        set(&backend, "key", "1").await.unwrap();
        let list = server.command(&["CLIENT", "LIST"]);
        let mine = list.lines().find(|line| line.contains("name=rotating")).expect("it has a name");
        assert!(mine.contains(" db=3 "), "{mine}");
        server.command(&["CONFIG", "SET", "requirepass", "two"]);
        *password.lock() = "two".to_owned();
        server.ask_all(&[&[b"AUTH", b"two"], &[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]]);
        assert_eq!(get(&backend, "key").await.unwrap().as_deref(), Some("1"));
    });
}
