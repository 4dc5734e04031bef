//! When it breaks: bounded time, a clear error with the server's name, and recovery by itself.
use super::*;
use crate::ErrorKind;
use crate::testing::servers::{Fault, FaultProxy};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

#[test]
fn a_server_that_is_not_there_is_an_error_with_its_name() {
    for scheme in ["postgres", "mysql"] {
        let backend = backend(&format!("{scheme}://127.0.0.1:1/site"));
        let began = Instant::now();
        let error = get(&backend, "key").unwrap_err();
        let text = format!("{scheme}: get failed (127.0.0.1:1/site): unavailable: connection refused");
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unavailable, text));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_server_that_drops_packets_costs_the_limit() {
    // Nobody answers there: the packets are dropped, as by a firewall (TEST-NET-1, RFC 5737).
    for scheme in ["postgres", "mysql"] {
        let backend = backend(&format!("{scheme}://192.0.2.1/site?connect_limit=0.3"));
        let began = Instant::now();
        let error = get(&backend, "key").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

/// A server of its own for one test.
enum Own {
    Postgres(PostgresServer),
    MariaDb(MariaDbServer),
}

macro_rules! on {
    ($own:expr, $server:ident => $what:expr) => {
        match $own {
            Own::Postgres($server) => $what,
            Own::MariaDb($server) => $what,
        }
    };
}

impl Own {
    fn all(test: &str) -> impl Iterator<Item = Own> {
        Shared::all(test).into_iter().map(|server| match server {
            Shared::Postgres => Own::Postgres(PostgresServer::start(PostgresOptions::new())),
            Shared::MariaDb => Own::MariaDb(MariaDbServer::start(MariaDbOptions::new())),
        })
    }

    fn backend(&self, options: &str) -> Arc<ServerBackend> {
        let url = on!(self, server => server.url());
        Arc::new(backend(&format!("{url}?{options}")))
    }
}

#[test]
fn a_server_killed_and_restarted_under_load_is_found_again() {
    for server in Own::all("a_server_killed_and_restarted_under_load_is_found_again") {
        let backend = server.backend("connect_limit=1&reply_limit=1");
        set(&backend, "n", "0").unwrap();
        let is_over = AtomicBool::new(false);
        let (mut counted, mut unknown, mut failed) = (0, 0, 0);
        thread::scope(|scope| {
            let load: Vec<_> = (0..6)
                .map(|number| {
                    let (backend, is_over) = (&backend, &is_over);
                    scope.spawn(move || {
                        let key = format!("key{number}");
                        let (mut counted, mut unknown, mut failed) = (0, 0, 0);
                        while !is_over.load(Ordering::Relaxed) {
                            let began = Instant::now();
                            match backend.incr("n", 1) {
                                Ok(_) => counted += 1,
                                Err(error) if error.kind() == ErrorKind::Ambiguous => unknown += 1,
                                Err(error) => {
                                    assert!(error.is_temporary(), "{error}");
                                    failed += 1;
                                    thread::sleep(Duration::from_millis(2));
                                }
                            }
                            if set(backend, &key, &key).is_ok()
                                && let Ok(found) = get(backend, &key)
                            {
                                assert_eq!(found.as_deref(), Some(key.as_str()));
                            }
                            assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
                        }
                        (counted, unknown, failed)
                    })
                })
                .collect();
            for _ in 0..2 {
                thread::sleep(Duration::from_millis(300));
                on!(&server, server => server.kill());
                thread::sleep(Duration::from_millis(200));
                on!(&server, server => server.restart());
            }
            recovers(&backend, Duration::from_secs(10));
            thread::sleep(Duration::from_millis(100));
            is_over.store(true, Ordering::Relaxed);
            for task in load {
                let (one, two, three) = task.join().expect("no thread panics");
                (counted, unknown, failed) = (counted + one, unknown + two, failed + three);
            }
        });
        assert!(counted > 0 && unknown + failed > 0, "{counted} counted, {unknown} unknown, {failed} failed");
        let sum = backend.incr("n", 0).unwrap();
        assert!((counted..=counted + unknown).contains(&sum), "{sum}: {counted} counted, {unknown} unknown");
    }
}

#[test]
fn a_restart_that_nobody_saw_is_no_error() {
    for server in Own::all("a_restart_that_nobody_saw_is_no_error") {
        let backend = server.backend("connect_limit=5");
        set(&backend, "n", "1").unwrap();
        on!(&server, server => server.restart());
        assert_eq!(get(&backend, "n").unwrap().as_deref(), Some("1"));
        on!(&server, server => server.restart());
        // What cannot be sent twice looks at a connection first that nobody used for a while.
        thread::sleep(Duration::from_millis(1100));
        assert_eq!(backend.incr("n", 1).unwrap(), 2);
    }
}

#[test]
fn a_paused_server_costs_one_limit_and_loses_nothing() {
    for server in Own::all("a_paused_server_costs_one_limit_and_loses_nothing") {
        let backend = server.backend("reply_limit=1&connect_limit=1&pool_size=4&pool_limit=1");
        recovers(&backend, Duration::from_secs(5));
        set(&backend, "key", "1").unwrap();
        on!(&server, server => server.pause());
        let began = Instant::now();
        thread::scope(|scope| {
            for number in 0..12 {
                let backend = &backend;
                scope.spawn(move || {
                    let error = if number % 3 == 0 {
                        backend.incr("key", 1).unwrap_err()
                    } else {
                        get(backend, "key").unwrap_err()
                    };
                    let expected = [ErrorKind::Timeout, ErrorKind::Ambiguous];
                    assert!(expected.contains(&error.kind()), "{error}");
                });
            }
        });
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        on!(&server, server => server.resume());
        recovers(&backend, Duration::from_secs(5));
        assert!(get(&backend, "key").unwrap().is_some());
    }
}

#[test]
fn a_row_that_somebody_holds_costs_the_limit() {
    for server in Shared::all("a_row_that_somebody_holds_costs_the_limit") {
        let table = plain_table();
        set(&server.backend("own", &table), "key", "1").unwrap();
        let backend = backend(&format!("{}?table={table}&reply_limit=0.5", server.url()));
        thread::scope(|scope| {
            let (holding, table) = (&table, &table);
            let holder = scope.spawn(move || {
                let hold = match server {
                    Shared::Postgres => {
                        format!("BEGIN; SELECT 1 FROM \"{holding}\" FOR UPDATE; SELECT pg_sleep(6); COMMIT")
                    }
                    Shared::MariaDb => {
                        format!("BEGIN; SELECT 1 FROM \"{holding}\" FOR UPDATE; SELECT SLEEP(6); COMMIT")
                    }
                };
                server.sql(&hold);
            });
            let until = Instant::now() + Duration::from_secs(10);
            let error = loop {
                match backend.touch("key", Life::Never) {
                    Err(error) => break error,
                    Ok(_) => assert!(Instant::now() < until, "{table} is held by nobody"),
                }
            };
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            let began = Instant::now();
            assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("1"), "readers wait for nobody");
            assert!(began.elapsed() < Duration::from_secs(5));
            // The server gives up first, so that nothing is done later.
            for error in [backend.incr("key", 1).unwrap_err(), backend.delete("key").unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            }
            holder.join().expect("it lets go");
        });
        assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("1"));
        recovers(&backend, Duration::from_secs(5));
    }
}

#[test]
fn replies_cut_short_end_the_connection_and_nothing_else() {
    for server in Shared::all("replies_cut_short_end_the_connection_and_nothing_else") {
        let port = match server {
            Shared::Postgres => POSTGRES.port(),
            Shared::MariaDb => MARIADB.port(),
        };
        let proxy = FaultProxy::start(port);
        let url = server.url().replace(&format!(":{port}"), &format!(":{}", proxy.port()));
        let backend = backend(&format!("{url}?table={}&reply_limit=1", plain_table()));
        set(&backend, "key", "1234567890").unwrap();
        backend.incr("key", 0).unwrap();
        proxy.set(Fault::CutAfter(4));
        let error = get(&backend, "key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        proxy.set(Fault::None);
        assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("1234567890"));
        // The statement is prepared, so that only its answer can be cut.
        backend.incr("key", 0).unwrap();
        proxy.set(Fault::CutAfter(4));
        let error = backend.incr("key", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error}");
        proxy.set(Fault::None);
        assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("1234567891"), "once, not twice");
    }
}

#[test]
fn a_packet_larger_than_the_server_takes_leaves_nothing_old() {
    let test = "a_packet_larger_than_the_server_takes_leaves_nothing_old";
    if !mariadb_or_skip(test) {
        return;
    }
    let server = MariaDbServer::start(MariaDbOptions::new().argument("--max-allowed-packet=1M"));
    for layout in ["own", "django"] {
        let backend = backend(&format!("{}?table={}&layout={layout}", server.url(), plain_table()));
        set(&backend, "key", "old").unwrap();
        set(&backend, "other", "stays").unwrap();
        let add = never().when(crate::backend::Condition::IfAbsent);
        let huge = Bytes::from(vec![b'x'; 3 << 20]);
        let error = backend.set("other", huge.clone(), &add).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        let error = backend.set("key", huge, &never()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert_eq!(get(&backend, "key").unwrap(), None, "stale data must not outlive a failed set");
        assert_eq!(get(&backend, "other").unwrap().as_deref(), Some("stays"));
    }
}
