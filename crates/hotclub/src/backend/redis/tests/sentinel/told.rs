//! A sentinel that says what it is told, and servers that change their roles while their connections live.
use super::super::words::wait;
use super::*;
use crate::backend::redis::resp::{Reply, Skim, parse};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// Answers as a sentinel does; how it was asked is kept.
pub(super) struct Told {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Ports.
    primary: u16,
    replicas: Vec<(u16, &'static str)>,
    /// Before Redis 5 there was another word for replicas.
    is_old: bool,
    asked: usize,
    open: Vec<TcpStream>,
}

impl Told {
    pub(super) fn start(primary: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { primary, ..State::default() }));
        let shared = state.clone();
        // Ends with the process: a listener waits for ever.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                state.lock().open.push(stream.try_clone().unwrap());
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Told { address, state }
    }

    pub(super) fn url(&self, rest: &str) -> String {
        format!("redis+sentinel://{}/cache{rest}", self.address)
    }

    pub(super) fn say(&self, primary: &RedisServer) {
        self.state.lock().primary = primary.port();
    }

    pub(super) fn asked(&self) -> usize {
        self.state.lock().asked
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.state.lock().open.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let (mut buffer, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        buffer.extend_from_slice(&piece[..count]);
        while Skim::default().advance(&buffer, 1).unwrap_or(false) {
            let mut end = 0;
            let reply = match parse(&buffer, &mut end) {
                Ok(Reply::Array(words)) => answer(&words, &mut state.lock()),
                _ => return,
            };
            buffer.drain(..end);
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn answer(words: &[Reply<'_>], state: &mut State) -> String {
    let text = |word: Option<&Reply<'_>>| match word {
        Some(Reply::Bulk(bytes)) => String::from_utf8_lossy(bytes).to_ascii_lowercase(),
        _ => String::new(),
    };
    let list = |words: &[&str]| {
        let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        words
    };
    match text(words.get(1)).as_str() {
        "get-master-addr-by-name" => {
            state.asked += 1;
            format!("*2\r\n{}", list(&["127.0.0.1", &state.primary.to_string()]))
        }
        "replicas" if state.is_old => "-ERR Unknown sentinel subcommand 'REPLICAS'\r\n".to_owned(),
        "replicas" | "slaves" => {
            let rows = state.replicas.iter().map(|(port, flags)| {
                format!("*6\r\n{}", list(&["ip", "127.0.0.1", "port", &port.to_string(), "flags", flags]))
            });
            format!("*{}\r\n{}", state.replicas.len(), rows.collect::<String>())
        }
        _ => "-ERR unknown command\r\n".to_owned(),
    }
}

/// Two servers that know nothing of sentinels: the second copies the first.
pub(super) fn servers() -> [RedisServer; 2] {
    let primary = RedisServer::start(RedisOptions::new());
    let replica = RedisServer::start(RedisOptions::new().replica_of(&primary));
    wait("the first copy", || replica.info("master_link_status").as_deref() == Some("up"));
    [primary, replica]
}

/// The first copies the second from now on. Connections stay open, unlike with real sentinels.
pub(super) fn swap([old, new]: [&RedisServer; 2]) {
    wait("the rest of the copy", || old.info("master_repl_offset") == new.info("master_repl_offset"));
    new.command(&["REPLICAOF", "NO", "ONE"]);
    old.command(&["REPLICAOF", "127.0.0.1", &new.port().to_string()]);
}

#[test]
fn a_refused_write_goes_to_the_new_primary_even_if_it_must_be_done_once() {
    if !redis_or_skip("a_refused_write_goes_to_the_new_primary_even_if_it_must_be_done_once") {
        return;
    }
    let [one, two] = &servers();
    let sentinel = Told::start(one.port());
    let (backend, told) = listening(&sentinel.url("?read_from=primary"));
    set(&backend, "n", "1").unwrap();
    swap([one, two]);
    sentinel.say(two);
    assert_eq!(backend.incr("n", 1).unwrap(), 2);
    assert_eq!(primaries(&told), [format!("{} is the primary now", two.address())]);
    swap([two, one]);
    sentinel.say(one);
    // More than two searches in a row have a rest between them.
    std::thread::sleep(Duration::from_millis(60));
    let many = |key| crate::backend::Item { key, value: "1".into(), flags: Default::default() };
    backend.set_many(&[many("a"), many("b")], &crate::backend::SetOptions::new(crate::Life::Never)).unwrap();
    assert_eq!(one.command(&["GET", "a"]), "1");
    assert_eq!(backend.client().nodes().unwrap()[0].to_string(), one.address());
}

#[test]
fn a_sentinel_that_is_wrong_is_not_believed_and_not_asked_at_each_call() {
    if !redis_or_skip("a_sentinel_that_is_wrong_is_not_believed_and_not_asked_at_each_call") {
        return;
    }
    let [primary, replica] = &servers();
    let sentinel = Told::start(replica.port());
    let (backend, _) = listening(&sentinel.url("?"));
    let error = get(&backend, "key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("it is no primary but has the role \"slave\""), "{error}");
    assert!(error.to_string().contains(&replica.address()), "{error}");
    let before = (Instant::now(), sentinel.asked());
    while before.0.elapsed() < Duration::from_millis(500) {
        get(&backend, "key").unwrap_err();
    }
    let asked = sentinel.asked() - before.1;
    assert!(asked < 10, "asked {asked} times in half a second");
    sentinel.say(primary);
    recovers(&backend, Duration::from_secs(5));
}

#[test]
fn replicas_that_are_down_are_left_alone_and_old_sentinels_understood() {
    if !redis_or_skip("replicas_that_are_down_are_left_alone_and_old_sentinels_understood") {
        return;
    }
    let [primary, replica] = &servers();
    for is_old in [false, true] {
        let sentinel = Told::start(primary.port());
        sentinel.state.lock().replicas = vec![(replica.port(), "slave"), (1, "s_down,slave")];
        sentinel.state.lock().is_old = is_old;
        let (backend, _) = listening(&sentinel.url("?"));
        let reads = || calls(replica, "get");
        let before = reads();
        (0..30).for_each(|_| assert_eq!(get(&backend, "key").unwrap(), None));
        assert_eq!(reads() - before, 30);
        // One that is gone without the sentinel's knowledge: the others, and the primary at last.
        sentinel.state.lock().replicas = vec![(1, "slave")];
        let (backend, told) = listening(&sentinel.url("?"));
        (0..30).for_each(|_| assert_eq!(get(&backend, "key").unwrap(), None));
        assert_eq!(*told.lock(), ["127.0.0.1:1 is down: connection refused"]);
    }
}
