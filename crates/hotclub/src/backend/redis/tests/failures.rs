//! When it breaks: bounded time, a clear error with the server's name, and recovery by itself.
use super::*;
use crate::backend::{Backend, GetOptions, SetOptions};
use crate::testing::servers::{Fault, FaultProxy};
use crate::{ErrorKind, Life};
use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

pub(super) fn set(backend: &RedisBackend, key: &str, value: &str) -> crate::Result<bool> {
    backend.set(key, Bytes::copy_from_slice(value.as_bytes()), &SetOptions::new(Life::Never))
}

pub(super) fn get(backend: &RedisBackend, key: &str) -> crate::Result<Option<String>> {
    let text = |entry: crate::Entry| String::from_utf8_lossy(&entry.value).into_owned();
    Ok(backend.get(key, &GetOptions::default())?.map(text))
}

/// Until it works again, at most this long.
pub(super) fn recovers(backend: &RedisBackend, within: Duration) {
    let until = Instant::now() + within;
    while let Err(error) = set(backend, "recovered", "yes") {
        assert!(Instant::now() < until, "still: {error}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(get(backend, "recovered").unwrap().as_deref(), Some("yes"));
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_its_name() {
    let backend = backend("redis://127.0.0.1:1/0");
    let error = get(&backend, "key").unwrap_err();
    let text = "redis: get failed (127.0.0.1:1): unavailable: connection refused";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unavailable, text));
    assert!(error.is_temporary());
}

#[test]
fn a_dead_server_costs_one_limit_and_not_one_per_call() {
    // Nobody answers there: the packets are dropped, as by a firewall (TEST-NET-1, RFC 5737).
    let backend = backend("redis://192.0.2.1:6379/0?connect_limit=0.3&rest=30");
    let began = Instant::now();
    let first = get(&backend, "key").unwrap_err();
    assert!(matches!(first.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{first}");
    for _ in 0..100 {
        get(&backend, "key").unwrap_err();
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_restarted_server_is_found_again() {
    if !redis_or_skip("a_restarted_server_is_found_again") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = backend(&server.url());
    set(&backend, "key", "1").unwrap();
    server.kill();
    assert_eq!(get(&backend, "key").unwrap_err().kind(), ErrorKind::Unavailable);
    server.restart();
    recovers(&backend, Duration::from_secs(5));
}

#[test]
fn a_restart_that_nobody_saw_is_not_an_error_for_reads() {
    if !redis_or_skip("a_restart_that_nobody_saw_is_not_an_error_for_reads") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = backend(&server.url());
    set(&backend, "key", "1").unwrap();
    server.restart();
    assert_eq!(get(&backend, "key").unwrap(), None);
    set(&backend, "n", "1").unwrap();
    server.restart();
    // An increment looks at its connection first, because it could not be sent again.
    assert_eq!(backend.incr("n", 1).unwrap_err().kind(), ErrorKind::KeyNotFound);
}

#[test]
fn a_paused_server_costs_one_limit_and_loses_nothing() {
    if !redis_or_skip("a_paused_server_costs_one_limit_and_loses_nothing") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = backend(&format!("{}?reply_limit=1&connect_limit=1&rest=0.2", server.url()));
    set(&backend, "key", "1").unwrap();
    server.pause();
    let began = Instant::now();
    let error = get(&backend, "key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.resume();
    recovers(&backend, Duration::from_secs(5));
    assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("1"));
}

#[test]
fn replies_cut_short_and_garbage_end_the_connection_and_nothing_else() {
    if !redis_or_skip("replies_cut_short_and_garbage_end_the_connection_and_nothing_else") {
        return;
    }
    let proxy = FaultProxy::start(SERVER.port());
    let backend = backend(&format!("redis://127.0.0.1:{}/0?reply_limit=1", proxy.port()));
    set(&backend, "faults", "0123456789").unwrap();
    proxy.set(Fault::CutAfter(4));
    let error = get(&backend, "faults").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(backend.incr("faults", 1).unwrap_err().kind(), ErrorKind::Ambiguous);
    proxy.set(Fault::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let error = get(&backend, "faults").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    proxy.set(Fault::None);
    assert_eq!(get(&backend, "faults").unwrap().as_deref(), Some("0123456789"));
    proxy.set(Fault::Swallow);
    assert_eq!(get(&backend, "faults").unwrap_err().kind(), ErrorKind::Timeout);
    proxy.set(Fault::None);
    recovers(&backend, Duration::from_secs(5));
}

#[test]
fn a_wrong_password_is_refused_in_the_servers_words_and_never_shown() {
    if !redis_or_skip("a_wrong_password_is_refused_in_the_servers_words_and_never_shown") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new().password("right"));
    let wrong = backend(&format!("redis://:wrong@{}/0", server.address()));
    let error = get(&wrong, "key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("WRONGPASS"), "{error}");
    assert!(!format!("{error:?} {wrong:?}").contains(":wrong"));
    assert_eq!(get(&backend(&server.url()), "key").unwrap(), None);
}

#[test]
fn a_full_server_refuses_writes_and_still_reads() {
    if !redis_or_skip("a_full_server_refuses_writes_and_still_reads") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = backend(&server.url());
    set(&backend, "key", "1").unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = set(&backend, "key", "2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("OOM"), "{error}");
    assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("1"));
    let item = |key| crate::backend::Item { key, value: Bytes::from_static(b"3"), flags: Default::default() };
    let error = backend.set_many(&[item("a"), item("b")], &SetOptions::new(Life::Never)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(get(&backend, "a").unwrap(), None);
}

#[test]
fn a_pool_has_an_end_and_waiting_for_it_a_limit() {
    if !redis_or_skip("a_pool_has_an_end_and_waiting_for_it_a_limit") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new());
    let backend = backend(&format!("{}?pool_size=2&pool_limit=2&reply_limit=15", server.url()));
    set(&backend, "key", "1").unwrap();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..200).for_each(|_| drop(get(&backend, "key").unwrap()))))
            .collect();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert!(backend.client().connections() <= 2);
    server.pause();
    std::thread::scope(|scope| {
        let stuck = [scope.spawn(|| get(&backend, "key")), scope.spawn(|| get(&backend, "key"))];
        std::thread::sleep(Duration::from_millis(500));
        let error = get(&backend, "key").unwrap_err();
        assert!(error.to_string().contains("all 2 connections"), "{error}");
        server.resume();
        stuck.into_iter().for_each(|reader| drop(reader.join().unwrap().unwrap()));
    });
}

/// The port of a server that treats its first connection like this, until the client has had enough.
fn odd_server(treat: impl FnOnce(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || treat(listener.accept().unwrap().0));
    port
}

/// A step of a tenth of a second, again and again, each far below the limit of a system call.
fn slowly(mut step: impl FnMut() -> bool) {
    while step() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn ends_with_the_limit(url: &str, value: &str) -> crate::Error {
    let backend = backend(url);
    let began = Instant::now();
    let error = set(&backend, "key", value).unwrap_err();
    let took = began.elapsed();
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}: {error}");
    error
}

#[test]
fn a_server_that_reads_a_little_at_a_time_cannot_stretch_the_limit() {
    let port = odd_server(|mut client| {
        let mut some = vec![0; 1 << 16];
        slowly(move || client.read(&mut some).is_ok_and(|count| count > 0));
    });
    let url = format!("redis://127.0.0.1:{port}/0?reply_limit=0.5");
    let error = ends_with_the_limit(&url, &"x".repeat(50 << 20));
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[test]
fn a_handshake_that_comes_byte_by_byte_cannot_stretch_the_limit() {
    let port = odd_server(|mut client| {
        // A record of TLS that promises a kilobyte, and then takes its time.
        let mut record = [0x16, 3, 3, 4, 0].into_iter().chain(std::iter::repeat(2));
        slowly(move || client.write_all(&[record.next().unwrap()]).is_ok());
    });
    let url = format!("rediss://127.0.0.1:{port}/0?reply_limit=0.5&tls_verify=nothing");
    let error = ends_with_the_limit(&url, "value");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("no TLS handshake within 0.5 s"), "{error}");
}
