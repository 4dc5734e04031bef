//! Django's list of locations: the first takes writes, the others answer reads.
use super::failures::{get, set};
use super::words::{calls, wait};
use super::*;
use crate::backend::Backend;

/// A primary and a replica, for all tests here.
static PAIR: LazyLock<[RedisServer; 2]> = LazyLock::new(|| {
    let primary = RedisServer::start(RedisOptions::new().databases(DATABASES));
    let replica = RedisServer::start(RedisOptions::new().databases(DATABASES).replica_of(&primary));
    [primary, replica]
});

/// Both servers, and who answers reads.
fn pair(read_from: &str) -> RedisBackend {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [primary, replica] = &*PAIR;
    backend(&format!("{}?hosts={}{read_from}", primary.url_db(number), replica.address()))
}

/// What each of them did meanwhile.
fn counted(command: &str, work: impl FnOnce()) -> [usize; 2] {
    let before = PAIR.each_ref().map(|server| calls(server, command));
    work();
    let after = PAIR.each_ref().map(|server| calls(server, command));
    [after[0] - before[0], after[1] - before[1]]
}

/// The replica has what the primary has.
fn copied() {
    wait("the replica is in touch", || PAIR[1].info("master_link_status").as_deref() == Some("up"));
    let [primary, replica] = &*PAIR;
    wait("it has everything", || primary.info("master_repl_offset") == replica.info("slave_repl_offset"));
}

/// One test: servers count all commands together.
#[test]
fn writes_go_to_the_first_and_reads_where_they_are_wanted() {
    if !redis_or_skip("writes_go_to_the_first_and_reads_where_they_are_wanted") {
        return;
    }
    let usual = pair("");
    set(&usual, "key", "1").unwrap();
    copied();
    let read =
        |backend: &RedisBackend| (0..100).for_each(|_| assert!(get(backend, "key").unwrap().is_some()));
    assert_eq!(counted("get", || read(&usual)), [0, 100]);
    let primary = pair("&read_from=primary");
    set(&primary, "key", "1").unwrap();
    copied();
    assert_eq!(counted("get", || read(&primary)), [100, 0]);
    let any = pair("&read_from=any");
    set(&any, "key", "1").unwrap();
    copied();
    let [one, other] = counted("get", || read(&any));
    assert!(one > 10 && other > 10 && one + other == 100, "{one} {other}");
    let later = |backend: &RedisBackend| {
        tokio::runtime().block_on(async {
            for _ in 0..100 {
                assert!(tokio::get(backend, "key").await.unwrap().is_some());
            }
        });
    };
    assert_eq!(counted("get", || later(&usual)), [0, 100]);
    assert_eq!(counted("get", || later(&primary)), [100, 0]);
    assert_eq!(usual.incr("key", 1).unwrap(), 2);
    assert!(usual.delete("key").unwrap());
    usual.clear(crate::backend::Scope::All).unwrap();
    usual.clear(crate::backend::Scope::Prefix("key")).unwrap();
}
