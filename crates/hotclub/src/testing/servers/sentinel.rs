//! A primary, its replica, and three sentinels that watch them.
use super::admin::Reply;
use super::options::RedisOptions;
use super::redis::RedisServer;
use super::wait;
use std::time::Duration;

const SENTINELS: usize = 3;
const LIMIT: Duration = Duration::from_secs(30);
/// Sentinels look at each other and at their servers in seconds, and here in tenths of them: Redis 7 lets them.
///
/// A replica counts as fit for election when it was heard within five pings, and while a primary is down it is
/// asked once a second, whatever is said here: so pings may not be much faster.
const QUICKLY: [&str; 8] =
    ["INFO-PERIOD", "200", "PING-PERIOD", "400", "ASK-PERIOD", "100", "PUBLISH-PERIOD", "100"];

/// A primary and a replica under [`RedisSentinels::SERVICE`], watched by three sentinels.
///
/// A primary that is silent for a second and a half is given up, and a second or two later the replica has its
/// place.
#[derive(Debug)]
pub struct RedisSentinels {
    servers: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl RedisSentinels {
    /// The name under which the sentinels know the primary.
    pub const SERVICE: &'static str = "hotclub";

    /// Servers without a password.
    pub fn start() -> Self {
        RedisSentinels::start_with(RedisOptions::new())
    }

    /// Servers with these options; sentinels have neither passwords nor TLS.
    pub fn start_with(options: RedisOptions) -> Self {
        let options = match options.password.clone() {
            Some(password) => options.argument("masterauth", &[&password]),
            None => options,
        };
        let primary = RedisServer::start(options.clone());
        let replica = RedisServer::start(options.replica_of(&primary));
        let file = configuration(&primary);
        let one = |_| RedisServer::start(RedisOptions::new().sentinel(file.clone()));
        let sentinels: Vec<RedisServer> = (0..SENTINELS).map(one).collect();
        for sentinel in &sentinels {
            sentinel.command(&[&["SENTINEL", "DEBUG"], QUICKLY.as_slice()].concat());
        }
        let all = RedisSentinels { servers: vec![primary, replica], sentinels };
        all.wait_until_ok();
        all
    }

    /// The sentinels.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The primary and the replica, in whatever roles they have now.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// Whom the sentinels call the primary. While they change their mind, what the first of them says.
    pub fn primary(&self) -> &RedisServer {
        let port = self.living().find_map(named_by).expect("a sentinel that runs names a primary");
        self.servers.iter().find(|server| server.port() == port).expect("it is one of ours")
    }

    /// The other one.
    pub fn replica(&self) -> &RedisServer {
        let primary = self.primary().port();
        self.servers.iter().find(|server| server.port() != primary).expect("there are two")
    }

    /// Kills the primary and gives its port.
    pub fn kill_primary(&self) -> u16 {
        let primary = self.primary();
        primary.kill();
        primary.port()
    }

    /// Waits until all sentinels that run name another primary than this port, and that one says so itself; its port.
    pub fn wait_for_failover(&self, from: u16) -> u16 {
        let elected = wait::until(LIMIT, || {
            let named = self.agreed().filter(|port| *port != from)?;
            let server = self.servers.iter().find(|server| server.port() == named)?;
            (role(server) == "master").then_some(named)
        });
        elected.unwrap_or_else(|| panic!("no failover within {LIMIT:?}:\n{}", self.logs()))
    }

    /// Starts again what was killed, and waits until all is as at the start: whoever came late is the replica.
    pub fn restore(&self) {
        let dead = self.servers.iter().chain(&self.sentinels).filter(|server| server.pid().is_none());
        dead.for_each(RedisServer::restart);
        self.wait_until_ok();
    }

    /// Every sentinel knows the others and the replica, and the replica follows.
    fn wait_until_ok(&self) {
        let ok = wait::until(LIMIT, || (self.all_known() && self.replica_follows()).then_some(()));
        assert!(ok.is_some(), "no agreement within {LIMIT:?}:\n{}", self.logs());
    }

    fn all_known(&self) -> bool {
        let known = |sentinel: &RedisServer| {
            let state = sentinel.command(&["SENTINEL", "MASTER", RedisSentinels::SERVICE]);
            let is = |name, value| pair(&state, name) == Some(value);
            is("num-slaves", "1") && is("num-other-sentinels", "2") && is("flags", "master")
        };
        self.agreed().is_some() && self.sentinels.iter().all(known)
    }

    fn replica_follows(&self) -> bool {
        let follows = |server: &RedisServer| server.info("master_link_status").as_deref() == Some("up");
        let (primary, replica) = (self.primary(), self.replica());
        role(primary) == "master"
            && follows(replica)
            && replica.info("master_port") == Some(primary.port().to_string())
            && self.sentinels.iter().all(replica_is_fine)
    }

    /// The primary that every sentinel names.
    fn agreed(&self) -> Option<u16> {
        let named: Vec<Option<u16>> = self.living().map(named_by).collect();
        named.first().copied().flatten().filter(|port| named.iter().all(|other| *other == Some(*port)))
    }

    fn logs(&self) -> String {
        self.living().map(RedisServer::log).collect::<Vec<_>>().join("\n\n")
    }

    /// The sentinels that were not killed.
    fn living(&self) -> impl Iterator<Item = &RedisServer> {
        self.sentinels.iter().filter(|sentinel| sentinel.pid().is_some())
    }
}

fn configuration(primary: &RedisServer) -> String {
    let (name, port) = (RedisSentinels::SERVICE, primary.port());
    let auth = primary.password().map(|password| format!("sentinel auth-pass {name} {password}\n"));
    format!(
        "sentinel monitor {name} 127.0.0.1 {port} 2\n\
         sentinel down-after-milliseconds {name} 1500\n\
         sentinel failover-timeout {name} 2000\n\
         {}",
        auth.unwrap_or_default()
    )
}

fn named_by(sentinel: &RedisServer) -> Option<u16> {
    let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", RedisSentinels::SERVICE].map(str::as_bytes);
    match sentinel.ask(&words) {
        Reply::Array(address) => address.get(1)?.to_string().parse().ok(),
        _ => None,
    }
}

/// A replica that a sentinel still takes for dead is none that could be elected.
fn replica_is_fine(sentinel: &RedisServer) -> bool {
    let state = sentinel.command(&["SENTINEL", "REPLICAS", RedisSentinels::SERVICE]);
    pair(&state, "flags") == Some("slave") && pair(&state, "master-link-status") == Some("ok")
}

fn role(server: &RedisServer) -> String {
    server.command(&["ROLE"]).lines().next().unwrap_or_default().to_owned()
}

/// The line behind the line that is a name.
fn pair<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    lines.find(|line| *line == name)?;
    lines.next()
}
