//! Runtimes and processes that come and go.
use super::*;
use crate::ErrorKind;

#[test]
fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
    let backend = backend("redis://127.0.0.1:1/0");
    let error = crate::testing::block_on(get(&backend, "key")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("needs a tokio runtime"), "{error}");
}

#[test]
fn runtimes_come_and_go() {
    if !redis_or_skip("runtimes_come_and_go") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = Arc::new(backend(&format!("{}?client_name=runtimes", server.url())));
    for round in 0..50 {
        let alone = Builder::new_current_thread().enable_all().build().unwrap();
        alone.block_on(async {
            set(&backend, "round", &round.to_string()).await.unwrap();
            assert_eq!(get(&backend, "round").await.unwrap(), Some(round.to_string()));
            assert_eq!(backend.async_connections(), 1);
        });
        drop(alone);
        assert_eq!(backend.async_connections(), 0, "a runtime takes its connections along");
    }
    std::thread::scope(|scope| {
        for n in 0..4 {
            let backend = &backend;
            scope.spawn(move || {
                for _ in 0..20 {
                    runtime().block_on(async {
                        let key = format!("thread{n}");
                        set(backend, &key, "1").await.unwrap();
                        assert_eq!(backend.aincr(&key, 1).await.unwrap(), 2);
                    });
                }
            });
        }
    });
    assert_eq!(backend.async_connections(), 0);
    let all_closed = || !server.command(&["CLIENT", "LIST"]).contains("name=runtimes");
    let until = Instant::now() + Duration::from_secs(5);
    while !all_closed() {
        assert!(Instant::now() < until, "{}", server.command(&["CLIENT", "LIST"]));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_runtime_that_ends_amid_requests_takes_them_along() {
    if !redis_or_skip("a_runtime_that_ends_amid_requests_takes_them_along") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    // What waited for the replies would wait for long.
    let backend = Arc::new(backend(&format!("{}?reply_limit=60", server.url())));
    let ending = runtime();
    ending.block_on(async { set(&backend, "key", "1").await.unwrap() });
    server.pause();
    for _ in 0..100 {
        let backend = backend.clone();
        ending.spawn(async move { drop(get(&backend, "key").await) });
    }
    std::thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    drop(ending);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.resume();
    let next = runtime();
    assert_eq!(next.block_on(get(&backend, "key")).unwrap().as_deref(), Some("1"));
}

#[test]
fn a_dropped_backend_leaves_nothing_behind() {
    if !redis_or_skip("a_dropped_backend_leaves_nothing_behind") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let running = Builder::new_current_thread().enable_all().build().unwrap();
    running.block_on(async {
        for _ in 0..20 {
            let backend = backend(&server.url());
            set(&backend, "key", "1").await.unwrap();
        }
        ::tokio::task::yield_now().await;
        ::tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(::tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    });
}

#[test]
fn the_child_of_a_fork_has_connections_of_its_own() {
    if !redis_or_skip("the_child_of_a_fork_has_connections_of_its_own") {
        return;
    }
    let backend = backend(&database());
    let parents = Builder::new_current_thread().enable_all().build().unwrap();
    parents.block_on(async { set(&backend, "key", "parent").await.unwrap() });
    let child = || {
        let childs = Builder::new_current_thread().enable_all().build().unwrap();
        childs.block_on(async {
            assert_eq!(get(&backend, "key").await.unwrap().as_deref(), Some("parent"));
            set(&backend, "key", "child").await.unwrap();
        });
    };
    for _ in 0..3 {
        assert_eq!(crate::testing::fork::in_a_child(child), 0, "1: it failed in the child; -14: it hung");
        parents.block_on(async {
            assert_eq!(get(&backend, "key").await.unwrap().as_deref(), Some("child"));
            set(&backend, "key", "parent").await.unwrap();
        });
    }
    assert_eq!(backend.async_connections(), 1);
}
