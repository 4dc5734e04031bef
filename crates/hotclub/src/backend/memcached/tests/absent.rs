//! Nodes that are not there, as pymemcache's timers have it; and replies that are none.
use super::{backend, get, set, until};
use crate::backend::{Backend, GetOptions, Item, SetOptions};
use crate::testing::servers::{Fault, FaultProxy, MemcachedOptions, MemcachedServer, memcached_or_skip};
use crate::{ErrorKind, Flags, Life};
use bytes::Bytes;
use hotclub_memcached::{AbsentNodes, Client, Config, Leave, Server, SetOptions as Options};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

fn two_nodes(absent: AbsentNodes, leave: Option<Leave>) -> (Vec<MemcachedServer>, Client) {
    let nodes: Vec<_> = (0..2).map(|_| MemcachedServer::start(MemcachedOptions::new())).collect();
    let servers = nodes.iter().map(|node| Server::parse(&node.address(), 11211).unwrap()).collect();
    let mut config = Config::new(servers).unwrap();
    (config.absent, config.leave, config.rest) = (absent, leave, Duration::from_millis(500));
    (config.connect_limit, config.reply_limit) = (Duration::from_secs(1), Duration::from_secs(1));
    (nodes, Client::new(config).unwrap())
}

/// Keys that the second node has.
fn keys_of_second(nodes: &[MemcachedServer], client: &Client) -> Vec<String> {
    let second = nodes[1].address();
    let is_there = |key: &String| client.place_of(&hotclub_memcached::Key::new(key).unwrap()) == second;
    (0..200).map(|number| format!("k{number}")).filter(is_there).collect()
}

#[test]
fn a_node_that_fails_leaves_the_ring_and_its_keys_move_until_it_is_asked_again() {
    if !memcached_or_skip("a_node_that_fails_leaves_the_ring_and_its_keys_move_until_it_is_asked_again") {
        return;
    }
    let leave = Leave { attempts: 1, dead: Duration::from_secs(2) };
    let (nodes, client) = two_nodes(AbsentNodes::Silent, Some(leave));
    let keys = keys_of_second(&nodes, &client);
    let key = keys[0].as_str();
    assert!(client.set(key, b"old", &Options::for_ever()).unwrap());
    assert!(client.set(&keys[2], b"old", &Options::for_ever()).unwrap());
    nodes[1].pause();
    client.delete(key).expect_err("the first failure is seen");
    assert!(!client.delete(key).unwrap(), "and then there is silence");
    assert!(!client.add(key, b"1", &Options::for_ever()).unwrap());
    assert_eq!((client.get(key).unwrap(), client.incr(key, 1).unwrap()), (None, None));
    until("the trial after the rest fails too", || client.get(key).is_err());
    // Out of the ring: the other node has its keys.
    assert!(client.set(key, b"moved", &Options::for_ever()).unwrap());
    assert_eq!(client.get(key).unwrap().unwrap().data, "moved");
    assert_eq!(client.place_of(&hotclub_memcached::Key::new(key).unwrap()), nodes[0].address());
    assert!(!client.delete(&keys[2]).unwrap(), "deleted where it is looked for now");
    nodes[1].resume();
    until("it is back in the ring", || {
        client.set(&keys[1], b"there", &Options::for_ever()).is_ok_and(|stored| stored)
            && nodes[1].command(&format!("get {}", keys[1])).contains("there")
    });
    for key in [key, &keys[2]] {
        assert_eq!(client.get(key).unwrap(), None, "what it had went before it was read");
    }
}

#[test]
fn where_errors_are_ignored_there_are_none() {
    if !memcached_or_skip("where_errors_are_ignored_there_are_none") {
        return;
    }
    let (nodes, client) = two_nodes(AbsentNodes::Ignore, None);
    let key = keys_of_second(&nodes, &client).remove(0);
    nodes[1].kill();
    for _ in 0..2 {
        assert_eq!(client.get(&key).unwrap(), None);
        assert!(!client.delete(&key).unwrap() && !client.touch(&key, 5).unwrap());
        assert!(!client.set(&key, b"1", &Options::for_ever()).unwrap());
        assert_eq!(client.incr(&key, 1).unwrap(), None);
    }
}

#[test]
fn one_value_of_many_that_is_too_large_is_told_apart_from_the_others() {
    if !memcached_or_skip("one_value_of_many_that_is_too_large_is_told_apart_from_the_others") {
        return;
    }
    let (nodes, client) = two_nodes(AbsentNodes::Miss, None);
    let large = vec![b'x'; 2 << 20];
    let keys = keys_of_second(&nodes, &client);
    assert!(client.set(&keys[1], b"old", &Options::for_ever()).unwrap());
    let values: [&[u8]; 4] = [b"a", &large, b"c", b"d"];
    let items: Vec<_> = keys.iter().map(String::as_str).zip(values).collect();
    assert_eq!(client.set_many(&items, &Options::for_ever()).unwrap(), [true, false, true, true]);
    assert_eq!(client.get(&keys[0]).unwrap().unwrap().data, "a");
    assert_eq!(client.get(&keys[1]).unwrap(), None, "the old value must not survive as the current one");
    assert_eq!(client.get(&keys[3]).unwrap().unwrap().data, "d");
}

#[test]
fn a_deletion_that_was_answered_with_nonsense_is_done_again() {
    if !memcached_or_skip("a_deletion_that_was_answered_with_nonsense_is_done_again") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new());
    let proxy = FaultProxy::start(node.port());
    let backend = backend(&format!("memcached://{}?reply_limit=1", proxy.address()));
    assert!(set(&backend, "key", "old").unwrap() && set(&backend, "other", "old").unwrap());
    // Lines that look whole, and are no reply to this.
    proxy.set(Fault::Garbage(b"NS\r\n".to_vec()));
    assert_eq!(backend.delete("key").unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(backend.delete_many(&["key", "other"]).unwrap_err().kind(), ErrorKind::Protocol);
    proxy.set(Fault::None);
    // Through another client, as if a third had written it meanwhile: it is what is owed that goes.
    assert!(node.command("set key 0 0 3\r\nnew").contains("STORED"));
    assert_eq!(get(&backend, "key").unwrap(), None);
}

#[test]
fn replies_that_are_cut_in_a_quiet_batch_are_asked_for_again() {
    if !memcached_or_skip("replies_that_are_cut_in_a_quiet_batch_are_asked_for_again") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new());
    let proxy = FaultProxy::start(node.port());
    let backend = backend(&format!("memcached://{}?reply_limit=1", proxy.address()));
    assert!(set(&backend, "first", "1").unwrap());
    proxy.set(Fault::CutAfter(2));
    let item = |key| Item { key, value: Bytes::from_static(b"v"), flags: Flags::RAW };
    let items = ["a", "b", "c"].map(item);
    let options = SetOptions::new(Life::Never);
    assert_eq!(backend.set_many(&items, &options).unwrap(), [false; 3], "nobody knows, so it says no");
    proxy.set(Fault::None);
    // What may or may not have been written is gone before it is read.
    until("the node is back", || set(&backend, "first", "2").unwrap_or(false));
    let found = backend.get_many(&["a", "b", "c"], &GetOptions::default()).unwrap();
    assert!(found.iter().all(Option::is_none));
    assert_eq!(backend.set_many(&items, &options).unwrap(), [true; 3]);
}

#[test]
fn another_client_of_the_same_server_does_not_read_what_is_owed() {
    if !memcached_or_skip("another_client_of_the_same_server_does_not_read_what_is_owed") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new());
    let writer = backend(&format!("memcached://{}?reply_limit=1&connect_limit=1&rest=0.1", node.address()));
    let reader = backend(&format!("memcached://{}?reply_limit=10", node.address()));
    assert!(set(&writer, "key", "old").unwrap());
    assert_eq!(get(&reader, "key").unwrap().as_deref(), Some("old"));
    node.pause();
    writer.delete("key").unwrap_err();
    node.resume();
    assert_eq!(get(&reader, "key").unwrap(), None);
}

/// A balancer whose server comes up: it takes connections and ends them at once.
#[test]
fn what_is_owed_is_done_first_though_connections_break_before_it_is() {
    if !memcached_or_skip("what_is_owed_is_done_first_though_connections_break_before_it_is") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new());
    let broken = Arc::new(AtomicU32::new(0));
    let backend = backend(&format!("memcached://{}", balancer(node.port(), broken.clone())));
    assert!(set(&backend, "key", "old").unwrap());
    for times in [2, 3, 4] {
        node.command("set key 0 0 3\r\nold");
        broken.store(times, Relaxed);
        backend.delete("key").unwrap_err();
        broken.store(times, Relaxed);
        // Some of these fail; none of them reads what is to be deleted.
        for _ in 0..3 {
            assert_ne!(get(&backend, "key").ok().flatten().as_deref(), Some("old"), "{times}");
        }
        until("it is settled", || get(&backend, "other").is_ok());
    }
}

/// Before a server; ends so many connections, old ones too, as soon as something comes over them.
fn balancer(port: u16, broken: Arc<AtomicU32>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let broken = broken.clone();
            thread::spawn(move || -> io::Result<()> {
                let server = TcpStream::connect(("127.0.0.1", port))?;
                let (mut back, mut to) = (server.try_clone()?, client.try_clone()?);
                thread::spawn(move || io::copy(&mut back, &mut to));
                let mut bytes = [0; 4096];
                loop {
                    let count = (&client).read(&mut bytes)?;
                    let is_broken = broken.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
                    if count == 0 || is_broken {
                        client.shutdown(Shutdown::Both)?;
                        return server.shutdown(Shutdown::Both);
                    }
                    (&server).write_all(&bytes[..count])?;
                }
            });
        }
    });
    address
}

#[test]
fn a_server_that_refuses_to_be_flushed_goes_on_serving() {
    if !memcached_or_skip("a_server_that_refuses_to_be_flushed_goes_on_serving") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new().arguments(&["-F"]));
    let backend = backend(&format!("memcached://{}?reply_limit=1&connect_limit=1&rest=0.1", node.address()));
    assert!(set(&backend, "key", "value").unwrap());
    let refused = backend.clear(crate::backend::Scope::All).unwrap_err();
    assert!(refused.to_string().contains("flush_all not allowed"), "{refused}");
    assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("value"));
    // Owed because the node was away, and refused when it is back: said once.
    node.pause();
    backend.clear(crate::backend::Scope::All).unwrap_err();
    node.resume();
    until("it is back, and has said so", || get(&backend, "key").is_ok_and(|found| found.is_some()));
}
