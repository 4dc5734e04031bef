//! The test kit tested on memcached: servers start, answer, stand still, die and come back; the proxy spoils.
#![cfg(unix)]
#[macro_use]
mod kit;

use hotclub::testing::servers::*;
use kit::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::time::Instant;

const ASK: &str = "mn\r\n";
const ANSWER: &str = "MN\r\n";

#[test]
fn a_server_answers_and_a_reply_is_whole() {
    need!(memcached_or_skip);
    let server = MemcachedServer::start(MemcachedOptions::new());
    talk(connect(server.port()), "version\r\n", "VERSION ");
    assert_eq!(server.url(), format!("memcached://127.0.0.1:{}", server.port()));
    assert_eq!(server.command("set key 7 0 5\r\nvalue"), "STORED");
    assert_eq!(server.command("get key nothing"), "VALUE key 7 5\nvalue\nEND");
    assert_eq!(server.command("mg nothing v"), "EN");
    assert_eq!(server.command("nonsense"), "ERROR");
    assert_eq!(server.ask(b"ms key 10\r\n\xff\r\nMN\r\n\0\r\n"), b"HD\r\n");
    assert_eq!(server.ask(b"mg key v"), b"VA 10\r\n\xff\r\nMN\r\n\0\r\n\r\n"[..].to_vec());
    assert_eq!(server.stat("curr_items").as_deref(), Some("1"));
    server.flush();
    assert_eq!(server.command("get key"), "END");
}

#[test]
fn options_are_the_servers() {
    need!(memcached_or_skip);
    let options = MemcachedOptions::new().memory(8).max_item_size("512k").threads(1).arguments(&["-c", "77"]);
    let server = MemcachedServer::start(options);
    assert_eq!(server.stat("limit_maxbytes"), Some((8 << 20).to_string()));
    assert_eq!(server.stat("threads").as_deref(), Some("1"));
    assert_eq!(server.stat("max_connections").as_deref(), Some("77"));
    let large = format!("set key 0 0 600000\r\n{}", "x".repeat(600_000));
    assert_eq!(server.command(&large), "SERVER_ERROR object too large for cache");
}

#[test]
fn a_login_is_asked_for() {
    need!(memcached_or_skip);
    let server = MemcachedServer::start(MemcachedOptions::new().login("bob", "builder"));
    assert!(server.url().starts_with("memcached://bob:builder@127.0.0.1:"));
    talk(connect(server.port()), "get key\r\n", "CLIENT_ERROR unauthenticated\r\n");
    talk(
        connect(server.port()),
        "set login 0 0 9\r\nbob wrong\r\n",
        "CLIENT_ERROR authentication failure\r\n",
    );
    talk(connect(server.port()), "set login 0 0 11\r\nbob builder\r\nmn\r\n", "STORED\r\nMN\r\n");
    assert_eq!(server.command("get key"), "END");
}

#[test]
fn a_unix_socket_is_instead_of_the_port() {
    need!(memcached_or_skip);
    let server = MemcachedServer::start(MemcachedOptions::new().unix_socket());
    talk(UnixStream::connect(server.unix_path()).unwrap(), ASK, ANSWER);
    wait_until("it does not listen there", || refuses(server.port()));
    server.restart();
    assert_eq!(server.command("get key"), "END");
}

#[test]
fn a_server_that_does_not_start_says_why() {
    need!(memcached_or_skip);
    let start = || MemcachedServer::start(MemcachedOptions::new().memory(1).max_item_size("900m"));
    let said = std::panic::catch_unwind(start).unwrap_err();
    let said = said.downcast::<String>().expect("a message");
    assert!(said.contains("memcached ended with") && said.contains("item size"), "{said}");
}

#[test]
fn a_dropped_server_is_gone_even_when_it_was_paused() {
    need!(memcached_or_skip);
    let server = MemcachedServer::start(MemcachedOptions::new());
    let (pid, port) = (server.pid().unwrap(), server.port());
    server.pause();
    drop(server);
    assert!(!is_alive(pid));
    wait_until("nobody listens", || refuses(port));
}

#[test]
fn a_restarted_server_is_on_its_port_and_empty() {
    need!(memcached_or_skip);
    let server = MemcachedServer::start(MemcachedOptions::new());
    server.command("set key 0 0 5\r\nvalue");
    let (pid, port) = (server.pid().unwrap(), server.port());
    server.kill();
    assert!(server.pid().is_none() && !is_alive(pid));
    wait_until("nobody listens", || refuses(port));
    let somebody = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::scope(|scope| {
        let restarting = scope.spawn(|| server.restart());
        // Waits for a port that somebody else has, and does not take him for its own.
        drop(somebody.accept().unwrap());
        assert!(!restarting.is_finished());
        drop(somebody);
    });
    assert_eq!((server.port(), server.command("get key").as_str()), (port, "END"));
}

#[test]
fn a_paused_server_says_nothing_until_it_goes_on() {
    need!(memcached_or_skip);
    let server = MemcachedServer::start(MemcachedOptions::new());
    let mut stream = connect(server.port());
    for _ in 0..2 {
        server.pause();
        stream.write_all(ASK.as_bytes()).unwrap();
        says_nothing(&mut stream);
        server.resume();
        talk(&stream, "", ANSWER);
    }
}

#[test]
fn a_fleet_is_three_that_know_nothing_of_each_other() {
    need!(memcached_or_skip);
    let fleet = MemcachedServer::fleet(&MemcachedOptions::new().memory(8));
    for (number, server) in fleet.iter().enumerate() {
        assert_eq!(server.stat("curr_items").as_deref(), Some("0"));
        assert_eq!(server.command(&format!("set key 0 0 1\r\n{number}")), "STORED");
    }
    fleet[0].kill();
    assert_eq!(fleet[2].command("get key"), "VALUE key 0 1\n2\nEND");
}

#[test]
fn the_proxy_stands_before_memcached_too() {
    need!(memcached_or_skip);
    let server = MemcachedServer::start(MemcachedOptions::new());
    let proxy = FaultProxy::start(server.port());
    let mut open = connect(proxy.port());
    talk(&open, ASK, ANSWER);

    proxy.set(Fault::Delay(SHORT));
    let began = Instant::now();
    talk(&open, ASK, ANSWER);
    assert!(began.elapsed() >= SHORT);

    proxy.set(Fault::Garbage(b"!nonsense".to_vec()));
    talk(&open, ASK, "!nonsense");

    proxy.set(Fault::Swallow);
    open.write_all(b"set key 0 0 5\r\nvalue\r\n").unwrap();
    says_nothing(&mut open);
    wait_until("the request reaches the server", || server.command("mg key") == "HD");

    proxy.set(Fault::CutAfter(10));
    open.write_all(b"get key\r\n").unwrap();
    let mut rest = String::new();
    open.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "VALUE key ");

    proxy.set(Fault::Refuse);
    wait_until("it refuses", || refuses(proxy.port()));
    proxy.set(Fault::None);
    talk(connect(proxy.port()), ASK, ANSWER);
}
