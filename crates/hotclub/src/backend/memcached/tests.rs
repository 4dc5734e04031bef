//! What this room promises, on real servers: the shared suite, then nodes that come and go.
use super::MemcachedBackend;
use crate::backend::{Backend, GetOptions, SetOptions};
use crate::testing::servers::{Fault, FaultProxy, MemcachedOptions, MemcachedServer, memcached_or_skip};
use crate::testing::{Fixture, conformance};
use crate::{ErrorKind, Life};
use bytes::Bytes;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

mod absent;
mod older;

fn backend(url: &str) -> MemcachedBackend {
    let (url, hosts) = crate::registry::split_hosts(url);
    let url = ::url::Url::parse(&url).expect("the URL is right");
    let mut options = crate::Options::from_query(&url).expect("the options are right");
    if let Some(hosts) = hosts {
        options.add("hosts".to_owned(), hosts).expect("they are not given twice");
    }
    MemcachedBackend::new(super::url::read(&url, &mut options).expect("the options are right"))
        .expect("it opens")
}

fn addresses(servers: &[MemcachedServer]) -> String {
    servers.iter().map(MemcachedServer::address).collect::<Vec<_>>().join(",")
}

/// Memcached has no databases: each case has servers of its own for as long as it runs, and then another has them.
struct Lent {
    servers: Vec<MemcachedServer>,
    pool: &'static Mutex<Vec<Vec<MemcachedServer>>>,
}

impl Lent {
    fn new(nodes: usize) -> Self {
        static POOLS: [Mutex<Vec<Vec<MemcachedServer>>>; 4] = [const { Mutex::new(Vec::new()) }; 4];
        let pool = &POOLS[nodes];
        let idle = pool.lock().unwrap().pop();
        let started = || (0..nodes).map(|_| MemcachedServer::start(MemcachedOptions::new())).collect();
        let servers: Vec<_> = idle.unwrap_or_else(started);
        servers.iter().for_each(MemcachedServer::flush);
        Lent { servers, pool }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.lock().unwrap().push(std::mem::take(&mut self.servers));
    }
}

/// The shortest life that its clock, which ticks in seconds, tells apart.
const UNIT: Duration = Duration::from_secs(2);

fn fixture(test: &str, nodes: usize, query: &str) -> Option<Fixture> {
    memcached_or_skip(test).then(|| {
        let lent = Lent::new(nodes);
        let url = format!("memcached://{}{query}", addresses(&lent.servers));
        Fixture::in_real_time(|| backend(&url)).with_unit(UNIT).with_runtime(enter).keeping(lent)
    })
}

/// Within a runtime that outlives the tests.
fn enter(work: &mut dyn FnMut()) {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    let _entered = RUNTIME.enter();
    work();
}

conformance!(one_node, or_skip, || fixture("one_node", 1, ""));
conformance!(three_nodes, or_skip, || fixture("three_nodes", 3, "?distribution=ketama"));

fn set(backend: &MemcachedBackend, key: &str, value: &str) -> crate::Result<bool> {
    backend.set(key, Bytes::copy_from_slice(value.as_bytes()), &SetOptions::new(Life::Never))
}

fn get(backend: &MemcachedBackend, key: &str) -> crate::Result<Option<String>> {
    let text = |entry: crate::Entry| String::from_utf8_lossy(&entry.value).into_owned();
    Ok(backend.get(key, &GetOptions::default())?.map(text))
}

fn until(what: &str, ask: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !ask() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

const QUICK: &str = "?reply_limit=1&connect_limit=1&rest=0.1";

/// FOUNDING's promise for nodes that go and come: no value from before the delete is ever returned.
#[test]
fn a_node_that_comes_back_with_its_memory_gives_nothing_that_was_deleted_meanwhile() {
    if !memcached_or_skip("a_node_that_comes_back_with_its_memory_gives_nothing_that_was_deleted_meanwhile") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new());
    let backend = backend(&format!("memcached://{}{QUICK}", node.address()));
    for key in ["deleted", "written", "many", "kept"] {
        assert!(set(&backend, key, "old").unwrap());
    }
    node.pause();
    assert_eq!(get(&backend, "deleted").unwrap(), None, "an absent node misses");
    let error = backend.delete("deleted").unwrap_err();
    assert!(error.to_string().contains(&node.address()), "{error}");
    assert!(backend.delete_many(&["many", "other"]).is_err());
    assert!(!set(&backend, "written", "new").unwrap(), "it was not written, and says so");
    assert!(backend.incr("counter", 1).is_err() && backend.touch("kept", Life::Never).is_err());
    node.resume();
    until("the node is back", || get(&backend, "kept").unwrap().as_deref() == Some("old"));
    for key in ["deleted", "written", "many"] {
        assert_eq!(get(&backend, key).unwrap(), None, "{key} would be older than what was asked for");
    }
    assert!(set(&backend, "deleted", "new").unwrap());
    assert_eq!(get(&backend, "deleted").unwrap().as_deref(), Some("new"));
}

#[test]
fn a_clear_that_a_node_missed_is_done_before_it_is_used_again() {
    if !memcached_or_skip("a_clear_that_a_node_missed_is_done_before_it_is_used_again") {
        return;
    }
    let [one, other, third] = MemcachedServer::fleet(&MemcachedOptions::new());
    let fleet = [one, other, third];
    let backend = backend(&format!("memcached://{}{QUICK}", addresses(&fleet)));
    let keys: Vec<_> = (0..60).map(|number| format!("key {number}").replace(' ', ":")).collect();
    let all = || keys.iter().filter(|key| get(&backend, key).unwrap().is_some()).count();
    assert!(keys.iter().all(|key| set(&backend, key, "old").unwrap()));
    assert_eq!(all(), 60);
    fleet[1].pause();
    let error = backend.clear(crate::backend::Scope::All).unwrap_err();
    assert!(error.to_string().contains(&fleet[1].address()), "{error}");
    assert_eq!(all(), 0);
    fleet[1].resume();
    until("the node takes values again", || set(&backend, &keys[0], "new").unwrap() && all() > 0);
    for key in &keys {
        assert!(matches!(get(&backend, key).unwrap().as_deref(), None | Some("new")), "{key}");
    }
    assert!(fleet.iter().all(|node| node.stat("curr_items").as_deref() != Some("60")));
}

#[test]
fn one_dead_node_of_three_costs_its_own_keys_only() {
    if !memcached_or_skip("one_dead_node_of_three_costs_its_own_keys_only") {
        return;
    }
    let [one, other, third] = MemcachedServer::fleet(&MemcachedOptions::new());
    let url = format!("memcached://{},{},{}{QUICK}", one.address(), other.address(), third.address());
    let backend = backend(&url);
    let keys: Vec<_> = (0..300).map(|number| format!(":1:k{number}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let items: Vec<_> = keys
        .iter()
        .map(|&key| crate::backend::Item { key, value: Bytes::from_static(b"v"), flags: crate::Flags::TEXT })
        .collect();
    let options = SetOptions::new(Life::Never);
    assert!(backend.set_many(&items, &options).unwrap().iter().all(|&stored| stored));
    let here = |backend: &MemcachedBackend| {
        let found = backend.get_many(&keys, &GetOptions::default()).unwrap();
        found.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert!(here(&backend).iter().all(|&found| found));
    third.kill();
    let left = here(&backend);
    let count = left.iter().filter(|&&found| found).count();
    assert!((100..290).contains(&count), "{count}");
    assert_eq!(backend.set_many(&items, &options).unwrap(), left, "what cannot be read cannot be written");
    let error = backend.delete_many(&keys).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&third.address()), "{error}");
    third.restart();
    until("all are there again", || backend.set_many(&items, &options).unwrap().iter().all(|&stored| stored));
    assert!(here(&backend).iter().all(|&found| found));
}

#[test]
fn replies_cut_short_and_garbage_end_the_connection_and_nothing_else() {
    if !memcached_or_skip("replies_cut_short_and_garbage_end_the_connection_and_nothing_else") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new());
    let proxy = FaultProxy::start(node.port());
    let backend = backend(&format!("memcached://127.0.0.1:{}{QUICK}&absent=raise", proxy.port()));
    set(&backend, "counter", "41").unwrap();
    proxy.set(Fault::CutAfter(3));
    assert_eq!(get(&backend, "counter").unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(backend.incr("counter", 1).unwrap_err().kind(), ErrorKind::Ambiguous);
    proxy.set(Fault::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    assert_eq!(get(&backend, "counter").unwrap_err().kind(), ErrorKind::Protocol);
    proxy.set(Fault::Swallow);
    assert_eq!(get(&backend, "counter").unwrap_err().kind(), ErrorKind::Timeout);
    proxy.set(Fault::None);
    until("it works again", || get(&backend, "counter").is_ok_and(|value| value.is_some()));
}

#[test]
fn a_login_is_given_where_it_is_asked_for_and_never_shown() {
    if !memcached_or_skip("a_login_is_given_where_it_is_asked_for_and_never_shown") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new().login("shop", "secret"));
    let right = backend(&format!("memcached://shop:secret@{}", node.address()));
    assert!(set(&right, "key", "value").unwrap());
    assert_eq!(get(&right, "key").unwrap().as_deref(), Some("value"));
    for wrong in ["shop:wrong@", ""] {
        let wrong = backend(&format!("memcached://{wrong}{}", node.address()));
        let error = set(&wrong, "key", "value").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(!format!("{error:?} {wrong:?}").contains("secret"));
    }
}

#[test]
fn more_is_asked_at_once_than_buffers_hold() {
    static NODE: LazyLock<MemcachedServer> =
        LazyLock::new(|| MemcachedServer::start(MemcachedOptions::new().memory(512)));
    if !memcached_or_skip("more_is_asked_at_once_than_buffers_hold") {
        return;
    }
    let backend = backend(&format!("memcached://{}", NODE.address()));
    let value = Bytes::from(vec![b'x'; 20_000]);
    let keys: Vec<_> = (0..10_000).map(|number| format!(":1:{}:{number}", "k".repeat(60))).collect();
    let items: Vec<_> = keys
        .iter()
        .map(|key| crate::backend::Item { key, value: value.clone(), flags: crate::Flags::RAW })
        .collect();
    assert!(backend.set_many(&items, &SetOptions::new(Life::Never)).unwrap().iter().all(|&stored| stored));
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let found = backend.get_many(&keys, &GetOptions::default()).unwrap();
    assert!(found.iter().all(|entry| entry.as_ref().is_some_and(|entry| entry.value == value)));
    assert_eq!(backend.delete_many(&keys).unwrap(), 10_000);
}

#[test]
fn what_the_established_clients_write_is_read_as_they_meant_it() {
    if !memcached_or_skip("what_the_established_clients_write_is_read_as_they_meant_it") {
        return;
    }
    let node = MemcachedServer::start(MemcachedOptions::new());
    let cache =
        crate::blocking::Cache::open(&format!("memcached://{}?codec=django", node.address())).unwrap();
    for (key, flags, bytes) in [("a", 16, "Ada"), ("b", 2, "42"), ("c", 4, "43"), ("d", 4, "9 ")] {
        let command = format!("set :1:{key} {flags} 0 {}\r\n{bytes}", bytes.len());
        assert_eq!(node.command(&command), "STORED");
    }
    assert_eq!(cache.get::<String>("a").unwrap().as_deref(), Some("Ada"));
    assert_eq!(cache.get::<i64>("b").unwrap(), Some(42));
    assert_eq!(cache.get::<i64>("c").unwrap(), Some(43));
    assert_eq!(cache.get::<i64>("d").unwrap(), Some(9));
    assert_eq!(cache.decr("b", 40).unwrap(), 2);
    assert_eq!(cache.get::<i64>("b").unwrap(), Some(2));
}
