//! Runtimes and processes that come and go.
use super::*;
use crate::ErrorKind;
use crate::testing::fork::in_a_child;
use std::sync::Arc;
use tokio::runtime::Builder;

#[test]
fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
    let backend = backend("postgres://127.0.0.1:1/site");
    let error = crate::testing::block_on(aget(&backend, "key")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("needs a tokio runtime"), "{error}");
}

#[test]
fn a_runtime_takes_its_connections_along() {
    for server in Shared::all("a_runtime_takes_its_connections_along") {
        let backend = Arc::new(server.backend("own", &plain_table()));
        for round in 0..5 {
            let alone = Builder::new_current_thread().enable_all().build().unwrap();
            alone.block_on(async {
                aset(&backend, "round", &round.to_string()).await.unwrap();
                assert_eq!(aget(&backend, "round").await.unwrap(), Some(round.to_string()));
                assert_eq!(backend.connections(), 1);
            });
            drop(alone);
            assert_eq!(backend.connections(), 0);
        }
        std::thread::scope(|scope| {
            for n in 0..3 {
                let backend = &backend;
                scope.spawn(move || {
                    for _ in 0..3 {
                        runtime().block_on(async {
                            let key = format!("thread{n}");
                            aset(backend, &key, "1").await.unwrap();
                            assert_eq!(backend.aincr(&key, 1).await.unwrap(), 2);
                        });
                    }
                });
            }
        });
        assert_eq!(backend.connections(), 0);
    }
}

#[test]
fn the_blocking_door_works_within_somebodys_runtime() {
    for server in Shared::all("the_blocking_door_works_within_somebodys_runtime") {
        let backend = server.backend("own", &plain_table());
        let alone = Builder::new_current_thread().enable_all().build().unwrap();
        alone.block_on(async {
            set(&backend, "key", "1").unwrap();
            assert_eq!(aget(&backend, "key").await.unwrap().as_deref(), Some("1"));
            assert_eq!(backend.incr("key", 1).unwrap(), 2);
        });
    }
}

#[test]
fn the_child_of_a_fork_has_connections_of_its_own_through_both_doors() {
    for server in Shared::all("the_child_of_a_fork_has_connections_of_its_own_through_both_doors") {
        let backend = server.backend("own", &plain_table());
        let parents = Builder::new_current_thread().enable_all().build().unwrap();
        parents.block_on(aset(&backend, "key", "parent")).unwrap();
        set(&backend, "n", "0").unwrap();
        let child = || {
            let childs = Builder::new_current_thread().enable_all().build().unwrap();
            childs.block_on(async {
                assert_eq!(aget(&backend, "key").await.unwrap().as_deref(), Some("parent"));
                aset(&backend, "key", "child").await.unwrap();
            });
            assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("child"));
            backend.incr("n", 1).unwrap();
        };
        for round in 1..=3 {
            assert_eq!(in_a_child(child), 0, "1: it failed in the child; -14: it hung");
            parents.block_on(async {
                assert_eq!(aget(&backend, "key").await.unwrap().as_deref(), Some("child"));
                aset(&backend, "key", "parent").await.unwrap();
            });
            assert_eq!(backend.incr("n", 0).unwrap(), round);
        }
    }
}

#[test]
fn a_cancelled_verb_takes_its_connection_along() {
    for server in Shared::all("a_cancelled_verb_takes_its_connection_along") {
        let table = plain_table();
        let backend = server.backend("own", &table);
        let alone = Builder::new_current_thread().enable_all().build().unwrap();
        alone.block_on(async {
            for number in 0..30 {
                aset(&backend, &number.to_string(), &number.to_string()).await.unwrap();
            }
            for number in 0..60_u64 {
                // Polled a little: it may be anywhere between its first byte and its answer.
                let key = (number % 30).to_string();
                let read = aget(&backend, &key);
                drop(tokio::time::timeout(Duration::from_micros(number * 20), read).await);
                let other = ((number + 7) % 30).to_string();
                assert_eq!(aget(&backend, &other).await.unwrap(), Some(other), "answers are not mixed up");
            }
            assert_eq!(backend.connections(), 1);
        });
    }
}
