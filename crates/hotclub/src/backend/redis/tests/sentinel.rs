//! A primary that sentinels know: found, followed when it changes, and missed in words.
use super::failures::{get, recovers, set};
use super::prefixed::Prefixed;
use super::words::{SetAtEnd, Stop, calls};
use super::*;
use crate::ErrorKind;
use crate::backend::Backend;
use crate::testing::servers::RedisSentinels;
use parking_lot::{Mutex, MutexGuard};
use std::time::Instant;

mod tasks;
mod told;

/// Sentinels whose servers stay what they are, for the suite.
static CALM: LazyLock<RedisSentinels> =
    LazyLock::new(|| RedisSentinels::start_with(RedisOptions::new().databases(DATABASES)));
/// Those whose servers die; held by one test at a time, which leaves all as it was.
static STORMY: LazyLock<Mutex<RedisSentinels>> = LazyLock::new(|| Mutex::new(RedisSentinels::start()));

fn url(sentinels: &RedisSentinels, rest: &str) -> String {
    let addresses: Vec<_> = sentinels.sentinels().iter().map(RedisServer::address).collect();
    let (first, others) = (&addresses[0], addresses[1..].join(","));
    format!("redis+sentinel://{first}/{}/{rest}&hosts={others}", RedisSentinels::SERVICE)
}

fn calm() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % DATABASES;
    // What was just written is read at once in the suite: replicas are late.
    url(&CALM, &format!("{number}?read_from=primary"))
}

conformance!(by_sentinels, or_skip, || {
    let primary = || Fixture::in_real_time(|| Prefixed::new(backend(&calm()))).with_unit(UNIT);
    redis_or_skip("by_sentinels").then(primary)
});

fn stormy() -> MutexGuard<'static, RedisSentinels> {
    STORMY.lock()
}

/// A backend whose limits are short, and what its listener heard.
fn listening(url: &str) -> (RedisBackend, Arc<Mutex<Vec<String>>>) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut config = config(&format!("{url}&reply_limit=1&connect_limit=1&rest=0.2"));
    let heard = told.clone();
    config.listener = Some(Arc::new(move |change| heard.lock().push(change.to_string())));
    (RedisBackend::new(config).unwrap(), told)
}

fn primaries(told: &Mutex<Vec<String>>) -> Vec<String> {
    told.lock().iter().filter(|text| text.ends_with("is the primary now")).cloned().collect()
}

#[test]
fn a_failover_under_load_is_over_soon_and_needs_no_restart() {
    if !redis_or_skip("a_failover_under_load_is_over_soon_and_needs_no_restart") {
        return;
    }
    let sentinels = stormy();
    let (backend, told) = listening(&url(&sentinels, "?read_from=primary"));
    // Two that sleep through it.
    let [(reader, _), (counter, heard)] = [(); 2].map(|()| listening(&url(&sentinels, "?read_from=primary")));
    set(&counter, "n", "1").unwrap();
    assert_eq!(get(&reader, "n").unwrap().as_deref(), Some("1"));
    let (stop, slowest) = (Stop::new(), Mutex::new(Duration::ZERO));
    let load = |thread: usize| {
        let key = format!("key{thread}");
        let (mut rounds, mut errors) = (0, 0);
        while !stop.is_set() {
            rounds += 1;
            let began = Instant::now();
            let stored = set(&backend, &key, &format!("{thread} {rounds}"));
            let read = get(&backend, &key);
            let _ = backend.incr("count", 1);
            let took = began.elapsed();
            let mut slowest = slowest.lock();
            *slowest = took.max(*slowest);
            drop(slowest);
            if let Ok(Some(text)) = &read {
                assert!(text.starts_with(&format!("{thread} ")), "somebody else's value: {text}");
            }
            errors += usize::from(stored.is_err() || read.is_err());
            if stored.is_err() {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        (rounds, errors)
    };
    let rounds = std::thread::scope(|scope| {
        let end = SetAtEnd(&stop);
        let load = &load;
        let workers: Vec<_> = (0..4).map(|thread| scope.spawn(move || load(thread))).collect::<Vec<_>>();
        std::thread::sleep(Duration::from_millis(200));
        let killed = sentinels.kill_primary();
        let elected = sentinels.wait_for_failover(killed);
        recovers(&backend, Duration::from_secs(5));
        let before = told.lock().len();
        std::thread::sleep(Duration::from_millis(200));
        drop(end);
        let counts: Vec<(usize, usize)> =
            workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect();
        assert_eq!(primaries(&told), [format!("127.0.0.1:{elected} is the primary now")], "once");
        assert_eq!(told.lock().len(), before, "all is quiet afterwards: {:?}", told.lock());
        counts
    });
    assert!(rounds.iter().all(|(rounds, errors)| errors > &0 && rounds > errors), "{rounds:?}");
    // A limit for the server that is gone, one for the sentinel, and one for the new server.
    let slowest = *slowest.lock();
    assert!(slowest < Duration::from_secs(9), "three verbs took {slowest:?}");
    eprintln!("rounds and errors by thread: {rounds:?}; the slowest three verbs took {slowest:?}");
    sentinels.restore();
    // The old address answers again, as a replica, and the two have not heard of all this.
    set(&backend, "n", "2").unwrap();
    assert_eq!(get(&reader, "n").unwrap().as_deref(), Some("2"));
    assert_eq!(counter.incr("n", 1).unwrap(), 3);
    assert_eq!(primaries(&heard).len(), 1);
}

#[test]
fn replicas_answer_reads_and_the_primary_when_they_are_gone() {
    if !redis_or_skip("replicas_answer_reads_and_the_primary_when_they_are_gone") {
        return;
    }
    let sentinels = stormy();
    let (backend, _) = listening(&url(&sentinels, "?"));
    set(&backend, "reads", "1").unwrap();
    let replica = sentinels.replica();
    let reads = || calls(replica, "get");
    let before = reads();
    for _ in 0..50 {
        get(&backend, "reads").unwrap();
    }
    assert_eq!(reads() - before, 50);
    replica.kill();
    for _ in 0..50 {
        assert_eq!(get(&backend, "reads").unwrap().as_deref(), Some("1"), "the primary answers");
    }
    sentinels.restore();
}

#[test]
fn a_dead_sentinel_is_passed_over_and_a_paused_one_costs_one_limit() {
    if !redis_or_skip("a_dead_sentinel_is_passed_over_and_a_paused_one_costs_one_limit") {
        return;
    }
    let sentinels = stormy();
    sentinels.sentinels()[0].kill();
    let (backend, _) = listening(&url(&sentinels, "?read_from=primary"));
    set(&backend, "key", "1").unwrap();
    sentinels.restore();
    sentinels.sentinels()[0].pause();
    let (backend, _) = listening(&url(&sentinels, "?read_from=primary&protocol=3"));
    let began = Instant::now();
    set(&backend, "key", "1").unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    sentinels.sentinels()[0].resume();
}

#[test]
fn without_a_primary_errors_name_the_service_and_its_sentinels() {
    if !redis_or_skip("without_a_primary_errors_name_the_service_and_its_sentinels") {
        return;
    }
    let error = get(&backend("redis+sentinel://127.0.0.1:1/cache?hosts=127.0.0.1:2"), "key").unwrap_err();
    let text = "redis: get failed (\"cache\" of sentinels 127.0.0.1:1, 127.0.0.1:2): unavailable: \
                there is no primary: 127.0.0.1:1: connection refused; 127.0.0.1:2: connection refused";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unavailable, text));
    let first = CALM.sentinels()[0].address();
    let error = get(&backend(&format!("redis+sentinel://{first}/other")), "key").unwrap_err();
    assert!(error.to_string().contains("it knows no service \"other\""), "{error}");
    // No sentinel at all.
    let error = get(&backend(&format!("redis+sentinel://{}/cache", SERVER.address())), "key").unwrap_err();
    assert!(error.to_string().contains("unknown command"), "{error}");
}
