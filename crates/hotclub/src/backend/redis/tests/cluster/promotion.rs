//! A node whose replica takes its place, and replicas that answer reads.
use super::super::words::{calls, role, wait};
use super::*;

/// A cluster with a replica for its first node. Held by one test at a time.
static PAIRED: LazyLock<Mutex<Paired>> = LazyLock::new(|| Mutex::new(Paired::start()));

struct Paired {
    cluster: RedisCluster,
    replica: RedisServer,
}

impl Paired {
    fn start() -> Self {
        let cluster = RedisCluster::start();
        let replica = RedisServer::start(RedisOptions::new().cluster());
        let first = &cluster.nodes()[0];
        let (id, port) = (first.command(&["CLUSTER", "MYID"]), first.port().to_string());
        // As `id 127.0.0.1:port@bus flags …`.
        let nodes = first.command(&["CLUSTER", "NODES"]);
        let bus = nodes.split_whitespace().find_map(|word| word.strip_prefix(&format!("127.0.0.1:{port}@")));
        replica.command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus.expect("it knows itself")]);
        wait("they meet", || replica.command(&["CLUSTER", "NODES"]).contains(&id));
        let copy = [b"CLUSTER".as_slice(), b"REPLICATE", id.as_bytes()];
        wait("it copies", || replica.ask(&copy).to_string() == "OK");
        for node in cluster.nodes().iter().chain([&replica]) {
            node.command(&["CONFIG", "SET", "cluster-node-timeout", "1500"]);
        }
        let paired = Paired { cluster, replica };
        paired.wait_until_known(&paired.replica);
        paired
    }

    /// Every node knows that this one is a replica, and it has its copy.
    fn wait_until_known(&self, replica: &RedisServer) {
        let row = format!(":{}@", replica.port());
        let knows = |node: &RedisServer| {
            let nodes = node.command(&["CLUSTER", "NODES"]);
            nodes
                .lines()
                .any(|line| line.contains(&row) && line.contains("slave") && line.ends_with("connected"))
        };
        wait("all know it", || self.cluster.nodes().iter().chain([&self.replica]).all(knows));
        wait("it has its copy", || replica.info("master_link_status").as_deref() == Some("up"));
        // A replica that has copied nothing yet is not in the map of slots: give it something to copy.
        let port = replica.port().to_string();
        wait("the slots list it", || {
            for node in self.cluster.nodes() {
                for number in 0..20 {
                    // Keys of other nodes are refused there.
                    node.ask(&[b"SET", format!("copied:{number}").as_bytes(), b"1"]);
                }
            }
            let lists = |node: &RedisServer| node.command(&["CLUSTER", "SLOTS"]).contains(&port);
            self.cluster.nodes().iter().all(lists)
        });
    }

    /// The replica takes the place of its primary, with the agreement of all. Not each trial does it: nodes vote
    /// once in a while.
    fn hand_over(replica: &RedisServer) {
        let asked = Mutex::new(None::<Instant>);
        wait("it becomes a primary", || {
            let mut asked = asked.lock();
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(3)) {
                replica.command(&["CLUSTER", "FAILOVER"]);
                *asked = Some(Instant::now());
            }
            role(replica) == "master"
        });
    }

    /// A key of the first node.
    fn key(&self, name: &str) -> String {
        let keys = (0..).map(|n| format!("{name}{n}"));
        let first = (0..16384 / 3).collect::<Vec<u16>>();
        let mut found = keys.filter(|key| first.contains(&self.cluster.slot_of(key)));
        found.next().expect("a third of all keys is there")
    }
}

#[test]
fn replicas_of_a_cluster_answer_reads_where_that_is_wanted() {
    if !redis_or_skip("replicas_of_a_cluster_answer_reads_where_that_is_wanted") {
        return;
    }
    let paired = PAIRED.lock();
    let key = paired.key("read");
    let usual = backend(&url(&paired.cluster));
    set(&usual, &key, "1").unwrap();
    // Nodes tell of a replica only once they have heard that it has something.
    let row = paired.replica.port().to_string();
    let tells = |node: &RedisServer| node.command(&["CLUSTER", "SLOTS"]).contains(&row);
    wait("they tell of the replica", || paired.cluster.nodes().iter().all(tells));
    let from_replicas = backend(&format!("{}?read_from=replicas", url(&paired.cluster)));
    wait("the copy of a key", || get(&from_replicas, &key).unwrap().is_some());
    let counted = |backend: &RedisBackend| {
        let before = [calls(&paired.cluster.nodes()[0], "get"), calls(&paired.replica, "get")];
        (0..40).for_each(|_| assert_eq!(get(backend, &key).unwrap().as_deref(), Some("1")));
        [calls(&paired.cluster.nodes()[0], "get") - before[0], calls(&paired.replica, "get") - before[1]]
    };
    assert_eq!(counted(&usual), [40, 0]);
    assert_eq!(counted(&from_replicas), [0, 40]);
    let [one, other] = counted(&backend(&format!("{}?read_from=any", url(&paired.cluster))));
    assert!(one > 2 && other > 2 && one + other == 40, "{one} {other}");
    set(&from_replicas, &key, "2").unwrap();
}

#[test]
fn a_promoted_replica_is_found_and_hands_back_without_an_error() {
    if !redis_or_skip("a_promoted_replica_is_found_and_hands_back_without_an_error") {
        return;
    }
    let paired = PAIRED.lock();
    let backend = backend(&format!("{}?reply_limit=10&rest=0.2", url(&paired.cluster)));
    let key = paired.key("promoted");
    set(&backend, &key, "1").unwrap();
    paired.cluster.nodes()[0].kill();
    let began = Instant::now();
    let (mut errors, mut slowest) = (0, Duration::ZERO);
    let value = loop {
        let asked = Instant::now();
        let found = get(&backend, &key);
        slowest = slowest.max(asked.elapsed());
        match found {
            Ok(value) => break value,
            Err(error) => {
                errors += 1;
                assert!(error.is_temporary(), "{error}");
                assert!(began.elapsed() < Duration::from_secs(30), "still: {error}");
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    };
    eprintln!("promoted after {:?}, {errors} errors, the slowest took {slowest:?}", began.elapsed());
    assert!(value.is_none_or(|value| value == "1"));
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    recovers(&backend, Duration::from_secs(5));
    let first = &paired.cluster.nodes()[0];
    first.restart();
    // It takes itself for a primary until the others tell it better.
    wait("it learns of its replica", || role(first) == "slave");
    paired.wait_until_known(first);
    // A server that was just seen dead is left alone for that long.
    std::thread::sleep(backend.client().config().rest);
    hand_back(&paired, &backend);
}

/// A failover that is planned: no write is lost, and no call fails.
fn hand_back(paired: &Paired, backend: &RedisBackend) {
    let (key, stop) = (paired.key("planned"), Stop::new());
    std::thread::scope(|scope| {
        let end = SetAtEnd(&stop);
        let worker = scope.spawn(|| {
            let mut count = 0;
            while !stop.is_set() {
                count += 1;
                set(backend, &key, &count.to_string()).unwrap();
                assert_eq!(get(backend, &key).unwrap(), Some(count.to_string()));
            }
            count
        });
        std::thread::sleep(Duration::from_millis(50));
        Paired::hand_over(&paired.cluster.nodes()[0]);
        wait("the other follows", || role(&paired.replica) == "slave");
        std::thread::sleep(Duration::from_millis(200));
        drop(end);
        assert!(worker.join().expect("no call fails") > 100);
    });
    backend.clear(Scope::All).unwrap();
    assert_eq!(get(backend, &key).unwrap(), None);
    paired.wait_until_known(&paired.replica);
}
