//! What stands between a client and a server, and spoils replies when told to.
use super::{ports, wait};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a connection to the server, or the port's return, may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of a reply is read at once, and how many such pieces may be on their way.
const PIECE: usize = 16 * 1024;
const PIECES: usize = 64;
/// How often a delayed piece looks whether anybody still waits for it.
const GLANCE: Duration = Duration::from_millis(5);

/// What happens to replies. Requests always reach the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Fault {
    /// They pass.
    #[default]
    None,
    /// They come later by this, one behind the other as they came: latency, not a slower line.
    Delay(Duration),
    /// This many more bytes of them pass on each connection, then it is closed.
    CutAfter(usize),
    /// Whatever the server says, these bytes come instead.
    Garbage(Vec<u8>),
    /// Nothing comes, and connections stay open.
    Swallow,
    /// Open connections are closed and new ones refused, as if no server were there.
    Refuse,
}

/// A TCP proxy on a free loopback port whose [`Fault`] is switched while it runs; ends on drop.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    // Held while the port is opened or closed, by one test at a time.
    accepting: Mutex<Option<JoinHandle<()>>>,
    owner: u32,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    stopping: AtomicBool,
    // Held for a look or a change of a few words, never while anything is read or written.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fault: Fault,
    /// Counts the changes of `fault`: each connection counts its bytes from the last one.
    generation: u64,
    accepted: u64,
    open: HashMap<u64, Arc<Connection>>,
    pumps: Vec<JoinHandle<()>>,
}

/// Both ends of what goes through.
#[derive(Debug)]
struct Connection {
    number: u64,
    client: TcpStream,
    server: TcpStream,
    closed: AtomicBool,
}

impl FaultProxy {
    /// A proxy in front of a server on loopback that lets everything pass.
    pub fn start(server_port: u16) -> Self {
        let target = SocketAddr::from(([127, 0, 0, 1], server_port));
        let shared = Shared { target, stopping: AtomicBool::new(false), state: Mutex::default() };
        let (listener, shared) = (ports::listen(), Arc::new(shared));
        let port = ports::port_of(&listener);
        let accepting = Mutex::new(Some(accept(listener, &shared)));
        FaultProxy { port, shared, accepting, owner: process::id() }
    }

    /// Where clients connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As `127.0.0.1:6379`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on, on open connections too, this happens.
    pub fn set(&self, fault: Fault) {
        let refuses = fault == Fault::Refuse;
        {
            let mut state = self.shared.state.lock();
            state.fault = fault;
            state.generation += 1;
        }
        let mut accepting = self.accepting.lock();
        match accepting.take() {
            Some(thread) if refuses => {
                self.stop_accepting(thread);
                self.cut();
            }
            None if !refuses => *accepting = Some(self.accept_again()),
            unchanged => *accepting = unchanged,
        }
    }

    /// Closes every open connection, once.
    pub fn cut(&self) {
        let open: Vec<_> = self.shared.state.lock().open.values().cloned().collect();
        open.iter().for_each(|connection| connection.close());
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.shared.state.lock().accepted
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.shared.state.lock().open.len()
    }

    fn accept_again(&self) -> JoinHandle<()> {
        // An outgoing connection of anybody may have got the number for a while.
        let listener = wait::until(LIMIT, || TcpListener::bind(("127.0.0.1", self.port)).ok());
        let listener = listener.unwrap_or_else(|| panic!("port {} stayed taken", self.port));
        self.shared.stopping.store(false, Ordering::Release);
        accept(listener, &self.shared)
    }

    fn stop_accepting(&self, thread: JoinHandle<()>) {
        self.shared.stopping.store(true, Ordering::Release);
        // It waits for somebody to come.
        TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], self.port)), LIMIT).ok();
        thread.join().ok();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // A forked child has none of the threads.
        if self.owner != process::id() {
            return;
        }
        if let Some(thread) = self.accepting.get_mut().take() {
            self.stop_accepting(thread);
        }
        self.cut();
        let pumps = std::mem::take(&mut self.shared.state.lock().pumps);
        pumps.into_iter().for_each(|pump| drop(pump.join()));
    }
}

fn accept(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if shared.stopping.load(Ordering::Acquire) {
                return;
            }
            // Without a server the client is dropped, and sees its connection closed.
            connect(client, &shared).ok();
        }
    })
}

/// Connects a client to the server, and starts what carries their bytes.
fn connect(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&shared.target, LIMIT)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut state = shared.state.lock();
    state.accepted += 1;
    let number = state.accepted;
    let connection = Arc::new(Connection { number, client, server, closed: AtomicBool::new(false) });
    state.open.insert(number, Arc::clone(&connection));
    state.pumps.retain(|pump| !pump.is_finished());
    state.pumps.extend(pumps(&connection, shared));
    Ok(())
}

/// Three threads: requests; replies as they come in and are spoilt; replies when their time has come.
fn pumps(connection: &Arc<Connection>, shared: &Arc<Shared>) -> [JoinHandle<()>; 3] {
    let (sender, receiver) = sync_channel(PIECES);
    let requests = Arc::clone(connection);
    let (replies, fault) = (Arc::clone(connection), Arc::clone(shared));
    let (last, all) = (Arc::clone(connection), Arc::clone(shared));
    [
        thread::spawn(move || {
            io::copy(&mut &requests.client, &mut &requests.server).ok();
            requests.server.shutdown(Shutdown::Write).ok();
        }),
        thread::spawn(move || read_replies(&replies, &fault, &sender)),
        thread::spawn(move || {
            write_replies(&last, &receiver);
            last.close();
            all.state.lock().open.remove(&last.number);
        }),
    ]
}

/// A piece of a reply, and when it may be seen.
type Piece = (Instant, Vec<u8>);

/// Reads what the server says and passes on what the fault leaves of it, until an end.
fn read_replies(connection: &Connection, shared: &Shared, sender: &SyncSender<Piece>) {
    let mut buffer = vec![0; PIECE];
    let (mut generation, mut passed) = (0, 0);
    while let Ok(length @ 1..) = (&connection.server).read(&mut buffer) {
        let (fault, now) = shared.fault();
        if now != generation {
            (generation, passed) = (now, 0);
        }
        let bytes = &buffer[..length];
        let (due, piece, ends) = match fault {
            Fault::None => (Instant::now(), bytes.to_vec(), false),
            Fault::Delay(delay) => (Instant::now() + delay, bytes.to_vec(), false),
            Fault::CutAfter(limit) => {
                let left = limit.saturating_sub(passed);
                (Instant::now(), bytes[..length.min(left)].to_vec(), length >= left)
            }
            Fault::Garbage(garbage) => (Instant::now(), garbage, false),
            Fault::Swallow | Fault::Refuse => continue,
        };
        passed += piece.len();
        if sender.send((due, piece)).is_err() || ends {
            return;
        }
    }
}

/// Writes pieces to the client, each at its time, until there are no more or nobody wants them.
fn write_replies(connection: &Connection, receiver: &Receiver<Piece>) {
    while let Ok((due, piece)) = receiver.recv() {
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if connection.closed.load(Ordering::Acquire) {
                return;
            }
            thread::sleep(left.min(GLANCE));
        }
        if (&connection.client).write_all(&piece).is_err() {
            return;
        }
    }
}

impl Shared {
    fn fault(&self) -> (Fault, u64) {
        let state = self.state.lock();
        (state.fault.clone(), state.generation)
    }
}

impl Connection {
    /// Both ends; every thread of this connection comes to its end.
    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.client.shutdown(Shutdown::Both).ok();
        self.server.shutdown(Shutdown::Both).ok();
    }
}
