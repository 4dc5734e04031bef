//! Three primaries that share all slots.
use super::admin::Reply;
use super::options::RedisOptions;
use super::redis::{RedisServer, field_of};
use super::wait;
use std::time::Duration;

const NODES: usize = 3;
const SLOTS: usize = 16384;
/// Redis lets no node say that all is well in its first two seconds.
const LIMIT: Duration = Duration::from_secs(20);
/// How many keys wander in one command.
const BATCH: &str = "100";

/// A cluster of three primaries without replicas, a third of the slots each.
///
/// Starting takes two seconds, which are Redis' own: keep it in a `static` where tests can share it.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// A cluster without a password.
    pub fn start() -> Self {
        RedisCluster::start_with(RedisOptions::new())
    }

    /// A cluster whose nodes have these options.
    pub fn start_with(options: RedisOptions) -> Self {
        let options = options.cluster();
        let options = match options.password.clone() {
            Some(password) => options.argument("masterauth", &[&password]),
            None => options,
        };
        let cluster =
            RedisCluster { nodes: (0..NODES).map(|_| RedisServer::start(options.clone())).collect() };
        cluster.introduce();
        cluster.wait_until_ok();
        cluster
    }

    fn introduce(&self) {
        let first = &self.nodes[0];
        for (index, node) in self.nodes.iter().enumerate() {
            let (from, to) = (index * SLOTS / NODES, (index + 1) * SLOTS / NODES - 1);
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]);
            // Different ones from the start, else the nodes would first have to agree who is younger.
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            let (port, bus) = (first.port().to_string(), first.bus_port().to_string());
            if index > 0 {
                node.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
    }

    /// Waits until every node knows all nodes and says `cluster_state:ok`: after a restart of one, say.
    pub fn wait_until_ok(&self) {
        let all = wait::until(LIMIT, || self.nodes.iter().all(is_ok).then_some(()));
        assert!(all.is_some(), "no agreement within {LIMIT:?}:\n{}", self.states().join("\n"));
    }

    fn states(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.command(&["CLUSTER", "NODES"])).collect()
    }

    /// The nodes; each can be killed, paused and restarted, and still knows its slots afterwards.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The URL of each node.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The slot of a key, as the server counts it.
    pub fn slot_of(&self, key: &str) -> u16 {
        let slot = self.nodes[0].command(&["CLUSTER", "KEYSLOT", key]);
        slot.parse().expect("a slot is a number")
    }

    /// Which node has a slot, by its index in [`RedisCluster::nodes`].
    pub fn owner(&self, slot: u16) -> usize {
        let owns =
            |node: &&RedisServer| slots_of(node).iter().any(|(from, to)| (*from..=*to).contains(&slot));
        let owner = self.nodes.iter().find(owns).expect("every slot has an owner");
        self.nodes.iter().position(|node| node.port() == owner.port()).expect("it is one of ours")
    }

    /// Begins to move a slot: from now on its owner answers ASK for keys that it does not have.
    pub fn migrate(&self, slot: u16, to: usize) -> SlotMigration<'_> {
        let (from, number) = (self.owner(slot), slot.to_string());
        assert_ne!(from, to, "the slot is there already");
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        target.command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &id(source)]);
        source.command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &id(target)]);
        SlotMigration { nodes: &self.nodes, source, target, slot: number }
    }

    /// Moves a slot with all its keys in one go.
    pub fn move_slot(&self, slot: u16, to: usize) {
        let migration = self.migrate(slot, to);
        migration.move_keys();
        migration.finish();
    }

    /// Empties every node.
    pub fn flush(&self) {
        self.nodes.iter().for_each(RedisServer::flush);
    }
}

/// A slot on its way, step by step: keys can be on either side until [`SlotMigration::finish`].
#[derive(Debug)]
#[must_use = "a slot stays half moved until `finish`"]
pub struct SlotMigration<'a> {
    nodes: &'a [RedisServer],
    source: &'a RedisServer,
    target: &'a RedisServer,
    slot: String,
}

impl SlotMigration<'_> {
    /// Moves one key; the others of the slot stay where they are.
    pub fn move_key(&self, key: &str) {
        self.move_all(&[key.as_bytes().to_vec()]);
    }

    /// Moves every key of the slot that there is now.
    pub fn move_keys(&self) {
        loop {
            let words = [b"CLUSTER".as_slice(), b"GETKEYSINSLOT", self.slot.as_bytes(), BATCH.as_bytes()];
            let Reply::Array(found) = self.source.ask(&words) else { panic!("keys come in an array") };
            let keys: Vec<Vec<u8>> = found.into_iter().filter_map(bytes_of).collect();
            if keys.is_empty() {
                return;
            }
            self.move_all(&keys);
        }
    }

    fn move_all(&self, keys: &[Vec<u8>]) {
        let port = self.target.port().to_string();
        let mut words =
            vec![b"MIGRATE".as_slice(), b"127.0.0.1", port.as_bytes(), b"", b"0", b"5000", b"REPLACE"];
        if let Some(password) = self.target.password() {
            words.extend([b"AUTH".as_slice(), password.as_bytes()]);
        }
        words.push(b"KEYS");
        words.extend(keys.iter().map(Vec::as_slice));
        let reply = self.source.ask(&words);
        assert!(matches!(reply, Reply::Status(_)), "MIGRATE: {reply}");
    }

    /// Gives the slot to its new owner and tells every node: from now on the old one answers MOVED.
    ///
    /// Redis refuses while the old owner still has keys of the slot.
    pub fn finish(self) {
        let owner = id(self.target);
        // Both ends first; and Redis wants the old owner to know it before it forgets that it gave away.
        let rest =
            self.nodes.iter().filter(|node| ![self.source.port(), self.target.port()].contains(&node.port()));
        for node in [self.target, self.source].into_iter().chain(rest) {
            node.command(&["CLUSTER", "SETSLOT", &self.slot, "NODE", &owner]);
        }
    }
}

fn id(node: &RedisServer) -> String {
    node.command(&["CLUSTER", "MYID"])
}

fn is_ok(node: &RedisServer) -> bool {
    let info = node.command(&["CLUSTER", "INFO"]);
    let is = |field, value: &str| field_of(&info, field).as_deref() == Some(value);
    is("cluster_state", "ok") && is("cluster_known_nodes", &NODES.to_string()) && all_linked(node)
}

/// A node that was restarted is known to the others before they are connected to it again.
fn all_linked(node: &RedisServer) -> bool {
    let nodes = node.command(&["CLUSTER", "NODES"]);
    nodes.lines().all(|line| !line.contains("fail") && line.split(' ').nth(7) == Some("connected"))
}

/// The slots that a node says are its own: the words behind the eighth in its line, `0-5460` or `7`.
fn slots_of(node: &RedisServer) -> Vec<(u16, u16)> {
    let nodes = node.command(&["CLUSTER", "NODES"]);
    let own = nodes.lines().find(|line| line.contains("myself")).unwrap_or_default();
    // In brackets: a slot that comes or goes.
    own.split(' ').skip(8).filter(|word| !word.starts_with('[')).filter_map(range).collect()
}

fn range(word: &str) -> Option<(u16, u16)> {
    let (from, to) = word.split_once('-').unwrap_or((word, word));
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn bytes_of(reply: Reply) -> Option<Vec<u8>> {
    if let Reply::Bytes(bytes) = reply { Some(bytes) } else { None }
}
