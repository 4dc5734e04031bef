//! One memcached, and a few lines of its text protocol to ask it without the client that is tested.
use super::admin::LIMIT;
use super::server::{Kind, Place, Server};
use super::skip;
use std::array;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

/// The file of `-Y` in the server's folder.
const LOGINS: &str = "logins";
/// A request that does nothing, and the reply that nothing else gives.
const NOTHING: &[u8] = b"\r\nmn\r\n";
const NOTHING_DONE: &[u8] = b"MN\r\n";

/// How a [`MemcachedServer`] is to be started.
///
/// The default is memcached's own, 64 MB and items of 1 MB at the most, with two threads.
#[derive(Debug, Clone, Default)]
pub struct MemcachedOptions {
    has_unix_socket: bool,
    login: Option<(String, String)>,
    arguments: Vec<String>,
}

impl MemcachedOptions {
    /// The default.
    pub fn new() -> Self {
        MemcachedOptions::default()
    }

    /// `-m`: megabytes for items; when they are full, old items go.
    #[must_use]
    pub fn memory(self, megabytes: usize) -> Self {
        self.arguments(&["-m", &megabytes.to_string()])
    }

    /// `-I`: how large an item may be, as `2m`: from `512k` to half the memory.
    #[must_use]
    pub fn max_item_size(self, size: &str) -> Self {
        self.arguments(&["-I", size])
    }

    /// `-t`: how many threads it has.
    #[must_use]
    pub fn threads(self, count: usize) -> Self {
        self.arguments(&["-t", &count.to_string()])
    }

    /// `-s`: listens on [`MemcachedServer::unix_path`], and on no port.
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.has_unix_socket = true;
        self
    }

    /// `-Y`: what a client must say before anything else, in the text protocol.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Any other words of the command line: `arguments(&["-o", "no_modern"])`.
    #[must_use]
    pub fn arguments(mut self, words: &[&str]) -> Self {
        self.arguments.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }
}

/// A running memcached on 127.0.0.1, killed on drop with all it held.
pub type MemcachedServer = Server<MemcachedOptions>;

impl Kind for MemcachedOptions {
    fn prepare(&self, folder: &Path) {
        if let Some((user, password)) = &self.login {
            let line = format!("{user}:{password}\n");
            fs::write(folder.join(LOGINS), line).expect("a folder of our own can be written");
        }
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = Command::new(skip::MEMCACHED);
        // Root has to name a user; for others it means nothing.
        command.args(["-u", "root", "-t", "2"]);
        if self.has_unix_socket {
            command.arg("-s").arg(place.socket());
        } else {
            command.args(["-l", "127.0.0.1", "-U", "0", "-p", &place.port.to_string()]);
        }
        if self.login.is_some() {
            command.arg("-Y").arg(place.folder().join(LOGINS));
        }
        command.args(&self.arguments);
        command
    }

    fn answers(&self, place: &Place, pid: u32) -> bool {
        let stats = Connection::open(self, place).and_then(|mut connection| connection.ask(b"stats"));
        stats.is_ok_and(|stats| stat_of(&stats, "pid") == Some(pid.to_string()))
    }
}

impl Server<MemcachedOptions> {
    /// Three servers that know nothing of each other.
    pub fn fleet(options: &MemcachedOptions) -> [Self; 3] {
        array::from_fn(|_| Server::start(options.clone()))
    }

    /// As `memcached://127.0.0.1:11211`, or `memcached://user:password@…` with a login.
    pub fn url(&self) -> String {
        let login = self.options.login.as_ref();
        let login = login.map(|(user, password)| format!("{user}:{password}@")).unwrap_or_default();
        format!("memcached://{login}{}", self.address())
    }

    /// Sends a line, or one and its data behind `\r\n`, and gives the reply as text, without the end of its last
    /// line: `set key 0 0 5\r\nvalue` gives `STORED`.
    ///
    /// Each call is a connection of its own, logged in. An error is a reply as any other.
    #[track_caller]
    pub fn command(&self, line: &str) -> String {
        let reply = String::from_utf8_lossy(&self.ask(line.as_bytes())).replace("\r\n", "\n");
        reply.trim_end_matches('\n').to_owned()
    }

    /// The same with bytes, the reply as it is.
    #[track_caller]
    pub fn ask(&self, request: &[u8]) -> Vec<u8> {
        let connection = Connection::open(&self.options, &self.place);
        self.answered(connection.and_then(|mut connection| connection.ask(request)))
    }

    /// One line of `stats`, as `curr_items`.
    pub fn stat(&self, name: &str) -> Option<String> {
        stat_of(&self.ask(b"stats"), name)
    }

    /// Empties it.
    pub fn flush(&self) {
        assert_eq!(self.command("flush_all"), "OK");
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection to a server, logged in.
struct Connection {
    stream: BufReader<Box<dyn Stream>>,
}

impl Connection {
    fn open(options: &MemcachedOptions, place: &Place) -> io::Result<Self> {
        let stream: Box<dyn Stream> = if options.has_unix_socket {
            let stream = UnixStream::connect(place.socket())?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))?;
            Box::new(stream)
        } else {
            let stream = TcpStream::connect(("127.0.0.1", place.port))?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))?;
            Box::new(stream)
        };
        let mut connection = Connection { stream: BufReader::new(stream) };
        if let Some((user, password)) = &options.login {
            let words = format!("{user} {password}");
            connection.ask(format!("set login 0 0 {}\r\n{words}", words.len()).as_bytes())?;
        }
        Ok(connection)
    }

    /// Sends one request and reads its reply, which is whole when the next request is answered.
    fn ask(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.get_mut().write_all(&[request, NOTHING].concat())?;
        let mut reply = Vec::new();
        loop {
            let start = reply.len();
            self.stream.read_until(b'\n', &mut reply)?;
            match &reply[start..] {
                b"" => return Err(io::ErrorKind::UnexpectedEof.into()),
                NOTHING_DONE => {
                    reply.truncate(start);
                    return Ok(reply);
                }
                line => {
                    let data = data_behind(line);
                    self.stream.by_ref().take(data).read_to_end(&mut reply)?;
                }
            }
        }
    }
}

/// How many bytes follow a line that announces a value, `VALUE key flags 5` or `VA 5 flags`.
fn data_behind(line: &[u8]) -> u64 {
    let line = String::from_utf8_lossy(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let length = match words.as_slice() {
        ["VALUE", _, _, length, ..] | ["VA", length, ..] => length.parse().ok(),
        _ => None,
    };
    length.map_or(0, |length: u64| length + 2)
}

fn stat_of(stats: &[u8], name: &str) -> Option<String> {
    let stats = String::from_utf8_lossy(stats);
    let mut lines = stats.lines().filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
    lines.find_map(|(found, value)| (found == name).then(|| value.to_owned()))
}
