//! A cluster: the suite, and slots that move, nodes that die, batches that go to several nodes.
use super::failures::{get, recovers, set};
use super::prefixed::Prefixed;
use super::words::{SetAtEnd, Stop};
use super::*;
use crate::backend::redis::batch::{Answers, Batch, Effect};
use crate::backend::redis::resp::Reply;
use crate::backend::{Backend, GetOptions, Item, Scope, SetOptions};
use crate::testing::servers::RedisCluster;
use crate::{ErrorKind, Life};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::time::Instant;

mod promotion;
mod tasks;

/// A cluster whose nodes live, for the suite: each test has a prefix of its own, or slots that it may move.
static CALM: LazyLock<RedisCluster> = LazyLock::new(RedisCluster::start);
/// One that is emptied and whose nodes die; held by one test at a time, which leaves all as it was.
static STORMY: LazyLock<Mutex<RedisCluster>> = LazyLock::new(|| Mutex::new(RedisCluster::start()));

/// One node is enough: the others are found.
fn url(cluster: &RedisCluster) -> String {
    cluster.urls()[0].replace("redis://", "redis+cluster://")
}

conformance!(cluster, or_skip, || {
    let cluster = || Fixture::in_real_time(|| Prefixed::new(backend(&url(&CALM)))).with_unit(UNIT);
    redis_or_skip("cluster").then(cluster)
});

fn stormy() -> MutexGuard<'static, RedisCluster> {
    let cluster = STORMY.lock();
    cluster.flush();
    cluster
}

fn item<'a>(key: &'a str, value: &str) -> Item<'a> {
    Item { key, value: Bytes::copy_from_slice(value.as_bytes()), flags: crate::Flags::RAW }
}

fn texts(found: Vec<Option<crate::Entry>>) -> Vec<Option<String>> {
    let text = |entry: crate::Entry| String::from_utf8_lossy(&entry.value).into_owned();
    found.into_iter().map(|entry| entry.map(text)).collect()
}

fn never() -> SetOptions {
    SetOptions::new(Life::Never)
}

#[test]
fn many_keys_go_to_all_nodes_and_come_back_in_order() {
    if !redis_or_skip("many_keys_go_to_all_nodes_and_come_back_in_order") {
        return;
    }
    let backend = backend(&url(&CALM));
    let keys: Vec<String> = (0..200).map(|n| format!("many{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let items: Vec<_> = keys.iter().map(|key| item(key, key)).collect();
    assert_eq!(backend.set_many(&items, &never()).unwrap(), vec![true; 200]);
    let mut asked = keys.clone();
    asked.push("missing");
    let found = texts(backend.get_many(&asked, &GetOptions::default()).unwrap());
    assert_eq!(found[..200], keys.iter().map(|key| Some((*key).to_owned())).collect::<Vec<_>>());
    assert_eq!(found[200], None);
    let with_deadlines = GetOptions { want_deadline: true, ..GetOptions::default() };
    let found = backend.get_many(&keys[..20], &with_deadlines).unwrap();
    assert_eq!(texts(found)[..20], keys[..20].iter().map(|key| Some((*key).to_owned())).collect::<Vec<_>>());
    assert_eq!(backend.delete_many(&asked).unwrap(), 200);
    assert_eq!(backend.client().connections(), 3, "one to each node, and no more");
    assert_eq!(backend.client().nodes().unwrap().len(), 3);
}

#[test]
fn keys_with_one_tag_stay_together() {
    if !redis_or_skip("keys_with_one_tag_stay_together") {
        return;
    }
    let backend = backend(&url(&CALM));
    let keys = ["{tagged}a", "{tagged}b", "{tagged}c"];
    backend.set_many(&keys.map(|key| item(key, "1")), &never()).unwrap();
    assert_eq!(backend.get_many(&keys, &GetOptions::default()).unwrap().iter().flatten().count(), 3);
    let replies = ask(&backend, Effect::Read, |batch| {
        let mget = batch.command("MGET", 4);
        for key in keys {
            mget.key(key.as_bytes());
        }
    });
    assert_eq!(replies, ["Array([Bulk([49]), Bulk([49]), Bulk([49])])"]);
    assert_eq!(backend.incr("{tagged}a", 2).unwrap(), 3);
    assert!(backend.touch("{tagged}a", Life::For(Duration::from_secs(60))).unwrap());
    backend.clear(Scope::Prefix("{tagged}")).unwrap();
    assert_eq!(backend.delete_many(&keys).unwrap(), 0);
}

/// A batch of the test's own; its replies as text.
fn ask(backend: &RedisBackend, effect: Effect, write: impl FnOnce(&mut Batch)) -> Vec<String> {
    let (mut batch, mut answers) = (Batch::default(), Answers::default());
    batch.start("test", effect, true);
    write(&mut batch);
    backend.client().exchange(&batch, &mut answers).unwrap();
    answers.replies().map(|reply| format!("{:?}", reply.unwrap())).collect()
}

#[test]
fn clear_reaches_every_primary() {
    if !redis_or_skip("clear_reaches_every_primary") {
        return;
    }
    let cluster = stormy();
    let backend = backend(&url(&cluster));
    let fill = || (0..60).for_each(|n| assert!(set(&backend, &format!("a:{n}"), "1").unwrap()));
    let sizes = || cluster.nodes().iter().map(|node| node.command(&["DBSIZE"])).collect::<Vec<_>>();
    fill();
    assert!(!sizes().contains(&"0".to_owned()), "{:?}", sizes());
    backend.clear(Scope::Prefix("b:")).unwrap();
    assert!(!sizes().contains(&"0".to_owned()), "{:?}", sizes());
    backend.clear(Scope::Prefix("a:")).unwrap();
    assert_eq!(sizes(), ["0", "0", "0"]);
    fill();
    backend.clear(Scope::All).unwrap();
    assert_eq!(sizes(), ["0", "0", "0"]);
    let replies = ask(&backend, Effect::Read, |batch| {
        batch.command("DBSIZE", 1).everywhere();
    });
    assert_eq!(replies, ["Integer(0)", "Integer(0)", "Integer(0)"]);
    let (mut batch, mut answers) = (Batch::default(), Answers::default());
    for node in backend.client().nodes().unwrap() {
        batch.start("test", Effect::Read, true);
        batch.command("INFO", 2).arg(b"server");
        backend.client().exchange_on(&node, &batch, &mut answers).unwrap();
        let Ok(Reply::Bulk(text)) = answers.first() else { panic!() };
        let port = node.to_string().rsplit(':').next().unwrap().to_owned();
        assert!(String::from_utf8_lossy(text).contains(&format!("tcp_port:{port}")), "{node}");
    }
}

#[test]
fn a_slot_that_moves_under_load_loses_nothing() {
    if !redis_or_skip("a_slot_that_moves_under_load_loses_nothing") {
        return;
    }
    let cluster = &*CALM;
    let backend = backend(&url(cluster));
    let keys: Vec<String> = (0..100).map(|n| format!("{{moving}}{n}")).collect();
    let (slot, stop) = (cluster.slot_of("{moving}"), Stop::new());
    let rounds = std::thread::scope(|scope| {
        let end = SetAtEnd(&stop);
        // Each has keys of its own, so it knows what must be there.
        let load = |thread: usize| {
            let keys: Vec<&str> = keys.iter().skip(thread).step_by(4).map(String::as_str).collect();
            let mut round = 0;
            while !stop.is_set() {
                round += 1;
                let value = format!("{thread} {round}");
                let items: Vec<_> = keys.iter().map(|key| item(key, &value)).collect();
                backend.set_many(&items, &never()).unwrap();
                let found = texts(backend.get_many(&keys, &GetOptions::default()).unwrap());
                assert_eq!(found, vec![Some(value.clone()); keys.len()]);
                let with_deadline = GetOptions { want_deadline: true, ..GetOptions::default() };
                let entry = backend.get(keys[round % keys.len()], &with_deadline).unwrap();
                assert_eq!(texts(vec![entry]), [Some(value)]);
                assert_eq!(backend.incr(&format!("{{moving}}count{thread}"), 1).unwrap(), round as i128 + 1);
            }
            round
        };
        (0..4).for_each(|thread| assert!(set(&backend, &format!("{{moving}}count{thread}"), "1").unwrap()));
        let workers: Vec<_> = (0..4).map(|thread| scope.spawn(move || load(thread))).collect();
        for lap in 1..=6 {
            let to = (cluster.owner(slot) + 1 + lap % 2) % 3;
            let migration = cluster.migrate(slot, to);
            keys.iter().take(8).for_each(|key| migration.move_key(key));
            std::thread::sleep(Duration::from_millis(20));
            migration.move_keys();
            std::thread::sleep(Duration::from_millis(20));
            // Keys that were written to the old side between the two: none, for it asks to write to the new one.
            migration.finish();
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(end);
        workers.into_iter().map(|worker| worker.join().expect("no worker fails")).collect::<Vec<_>>()
    });
    eprintln!("rounds of 51 reads and writes by thread, while the slot moved six times: {rounds:?}");
    assert!(rounds.iter().all(|rounds| *rounds > 2), "{rounds:?}");
}

#[test]
fn a_command_whose_keys_are_on_both_sides_is_tried_again() {
    if !redis_or_skip("a_command_whose_keys_are_on_both_sides_is_tried_again") {
        return;
    }
    let cluster = &*CALM;
    let backend = backend(&url(cluster));
    let keys = ["{split}a", "{split}b"];
    keys.iter().for_each(|key| assert!(set(&backend, key, "1").unwrap()));
    let slot = cluster.slot_of("{split}");
    let migration = cluster.migrate(slot, (cluster.owner(slot) + 1) % 3);
    migration.move_key(keys[0]);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            ask(&backend, Effect::Read, |batch| {
                let mget = batch.command("MGET", 3);
                for key in keys {
                    mget.key(key.as_bytes());
                }
            })
        });
        std::thread::sleep(Duration::from_millis(30));
        migration.move_keys();
        assert_eq!(asked.join().unwrap(), ["Array([Bulk([49]), Bulk([49])])"]);
    });
    migration.finish();
}

#[test]
fn a_dead_node_is_an_error_with_its_name_and_the_slot_until_it_is_back() {
    if !redis_or_skip("a_dead_node_is_an_error_with_its_name_and_the_slot_until_it_is_back") {
        return;
    }
    let cluster = stormy();
    let backend = backend(&format!("{}?reply_limit=2&connect_limit=1&rest=0.2", url(&cluster)));
    set(&backend, "key", "1").unwrap();
    let slot = cluster.slot_of("key");
    let dead = &cluster.nodes()[cluster.owner(slot)];
    dead.kill();
    let began = Instant::now();
    let error = get(&backend, "key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("({}, slot {slot})", dead.address())), "{error}");
    for _ in 0..200 {
        let error = get(&backend, "key").unwrap_err();
        assert!(error.is_temporary(), "{error}");
    }
    let keys: Vec<String> = (0..20).map(|n| format!("dead{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let error = backend.get_many(&keys, &GetOptions::default()).unwrap_err();
    assert!(error.to_string().contains(&dead.address()), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "200 calls took {:?}", began.elapsed());
    dead.restart();
    cluster.wait_until_ok();
    recovers(&backend, Duration::from_secs(5));
    assert_eq!(backend.delete_many(&keys).unwrap(), 0);
}

#[test]
fn a_paused_node_costs_one_limit_and_the_others_work() {
    if !redis_or_skip("a_paused_node_costs_one_limit_and_the_others_work") {
        return;
    }
    let cluster = stormy();
    let backend = backend(&format!("{}?reply_limit=1&connect_limit=1&rest=0.2", url(&cluster)));
    let keys: Vec<String> = (0..50).map(|n| format!("paused{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    backend.set_many(&keys.iter().map(|key| item(key, "1")).collect::<Vec<_>>(), &never()).unwrap();
    let paused = &cluster.nodes()[1];
    paused.pause();
    let began = Instant::now();
    let error = backend.get_many(&keys, &GetOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains(&paused.address()), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    paused.resume();
    cluster.wait_until_ok();
    let until = Instant::now() + Duration::from_secs(10);
    let found = loop {
        match backend.get_many(&keys, &GetOptions::default()) {
            Ok(found) => break found,
            Err(error) => assert!(error.is_temporary() && Instant::now() < until, "{error}"),
        }
    };
    assert_eq!(found.iter().flatten().count(), 50);
}

#[test]
fn a_fork_in_the_middle_of_traffic_leaves_the_connections_alone() {
    if !redis_or_skip("a_fork_in_the_middle_of_traffic_leaves_the_connections_alone") {
        return;
    }
    let backend = backend(&url(&CALM));
    let stop = Stop::new();
    let keys: Vec<String> = (0..30).map(|n| format!("forked{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let check = || {
        let found = texts(backend.get_many(&keys, &GetOptions::default()).unwrap());
        assert_eq!(found, keys.iter().map(|key| Some((*key).to_owned())).collect::<Vec<_>>());
    };
    backend.set_many(&keys.iter().map(|key| item(key, key)).collect::<Vec<_>>(), &never()).unwrap();
    std::thread::scope(|scope| {
        let end = SetAtEnd(&stop);
        let worker = || {
            while !stop.is_set() {
                check();
            }
        };
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(worker)).collect();
        for _ in 0..10 {
            let ended = crate::testing::fork::in_a_child(|| (0..20).for_each(|_| check()));
            assert_eq!(ended, 0, "1: an assertion failed in the child; -14: the child hung");
        }
        drop(end);
        workers.into_iter().for_each(|worker| worker.join().expect("no worker gets another's reply"));
    });
}

#[test]
fn what_is_no_cluster_is_refused_in_words() {
    if !redis_or_skip("what_is_no_cluster_is_refused_in_words") {
        return;
    }
    let error = get(&backend(&SERVER.url().replace("redis:", "redis+cluster:")), "key").unwrap_err();
    assert!(error.to_string().contains("cluster support disabled"), "{error}");
    let error = get(&backend("redis+cluster://127.0.0.1:1?hosts=127.0.0.1:2"), "key").unwrap_err();
    let text = "redis: get failed (cluster 127.0.0.1:1, 127.0.0.1:2): unavailable: no node of the cluster can be \
                asked: 127.0.0.1:1: connection refused; 127.0.0.1:2: connection refused";
    assert_eq!(error.to_string(), text);
    let second = CALM.nodes()[1].address();
    assert_eq!(
        get(&backend(&format!("redis+cluster://127.0.0.1:1?hosts={second}")), "nothing").unwrap(),
        None
    );
}
