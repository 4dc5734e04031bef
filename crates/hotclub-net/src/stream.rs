//! Sockets: TCP, unix, and TLS over TCP. Blocking with limits, or not blocking, as the door asks.
use crate::problem::{Problem, reason};
use crate::server::Server;
use crate::terms::Terms;
use crate::tls::Tls;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// TLS over a socket.
pub type Session = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<Session>),
}

impl Stream {
    /// Connects within the limit; reads and writes that block end after [`Terms::reply_limit`].
    ///
    /// # Errors
    /// Why there is no connection.
    pub fn open(server: &Server, terms: &impl Terms) -> Result<Stream, Problem> {
        let socket = match server {
            Server::Tcp(host, port) => connect_tcp(host, *port, terms.connect_limit())?,
            Server::Unix(path) => {
                let address = SockAddr::unix(path).map_err(|error| Problem::Connect(reason(&error)))?;
                connect(Domain::UNIX, &address, terms.connect_limit())?
            }
        };
        let limit = Some(terms.reply_limit());
        let limited = socket.set_read_timeout(limit).and_then(|()| socket.set_write_timeout(limit));
        limited.map_err(|error| Problem::Connect(reason(&error)))?;
        Stream::adopt(socket.into(), server, terms.tls())
    }

    /// Takes over a socket that is connected to this server. TLS begins at the first byte sent.
    ///
    /// # Errors
    /// [`Problem::Tls`] if the name of the server cannot be checked.
    pub fn adopt(socket: OwnedFd, server: &Server, tls: Option<&Tls>) -> Result<Stream, Problem> {
        let Server::Tcp(host, _) = server else { return Ok(Stream::Unix(socket.into())) };
        let socket = TcpStream::from(socket);
        // A request is one write; waiting for more would only delay it.
        drop(socket.set_nodelay(true));
        match tls {
            None => Ok(Stream::Tcp(socket)),
            Some(tls) => {
                let session = tls.session(host)?;
                Ok(Stream::Tls(Box::new(rustls::StreamOwned::new(session, socket))))
            }
        }
    }

    /// Makes reads and writes answer `WouldBlock` instead of waiting.
    ///
    /// # Errors
    /// Those of the system.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(socket) => socket.set_nonblocking(true),
            Stream::Unix(socket) => socket.set_nonblocking(true),
            Stream::Tls(session) => session.sock.set_nonblocking(true),
        }
    }

    /// Whether TLS has bytes to send though nobody wrote any: parts of its handshake.
    pub fn wants_write(&self) -> bool {
        matches!(self, Stream::Tls(session) if session.conn.wants_write())
    }

    /// To be called before it is closed with a request under way: what the system has not delivered yet is dropped. Else
    /// it would go on trying for a minute, and a write that was given up could replace what came after it.
    pub fn forget_unsent(&self) {
        forget_unsent(self);
    }

    /// Whether an idle connection is still open and silent: no end, no error, no bytes that nobody asked for.
    pub fn is_idle(&self) -> bool {
        let mut byte = [0_u8; 1];
        // SAFETY: the descriptor is open, and the buffer is one byte long.
        let count = unsafe {
            libc::recv(
                self.as_raw_fd(),
                byte.as_mut_ptr().cast(),
                byte.len(),
                libc::MSG_PEEK | libc::MSG_DONTWAIT,
            )
        };
        count < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
    }
}

/// The same for any socket.
pub fn forget_unsent(socket: &impl AsRawFd) {
    // SAFETY: the caller has the socket open for as long as the borrow lasts.
    let socket = unsafe { std::os::fd::BorrowedFd::borrow_raw(socket.as_raw_fd()) };
    // A unix socket keeps nothing that was not delivered.
    drop(socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)));
}

fn connect_tcp(host: &str, port: u16, limit: Duration) -> Result<Socket, Problem> {
    let until = Instant::now() + limit;
    let addresses = (host, port).to_socket_addrs().map_err(|error| {
        Problem::Connect(format!("the name {host:?} is not known here: {}", reason(&error)))
    })?;
    let mut last = Problem::Connect(format!("the name {host:?} has no address"));
    let mut addresses: Vec<SocketAddr> = addresses.collect();
    addresses.dedup();
    for (index, address) in addresses.iter().enumerate() {
        // The time left is shared by the addresses left: one that does not answer must not eat it all.
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        if share.is_zero() {
            return Err(Problem::ConnectLimit(limit));
        }
        match connect(Domain::for_address(*address), &SockAddr::from(*address), share) {
            Ok(socket) => return Ok(socket),
            Err(Problem::ConnectLimit(_)) => last = Problem::ConnectLimit(limit),
            Err(problem) => last = problem,
        }
    }
    Err(last)
}

fn connect(domain: Domain, address: &SockAddr, limit: Duration) -> Result<Socket, Problem> {
    let trial = || {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        if domain != Domain::UNIX {
            // A server whose machine died says nothing any more; probes notice it between requests.
            socket.set_keepalive(true)?;
        }
        socket.connect_timeout(address, limit)?;
        Ok(socket)
    };
    trial().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Problem::ConnectLimit(limit),
        _ => Problem::Connect(reason(&error)),
    })
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => socket.read(buffer),
            Stream::Unix(socket) => socket.read(buffer),
            Stream::Tls(session) => session.read(buffer),
        }
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(socket) => socket.write(bytes),
            Stream::Unix(socket) => socket.write(bytes),
            Stream::Tls(session) => session.write(bytes),
        }
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => Ok(()),
            Stream::Tls(session) => session.flush(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Stream::Tcp(socket) => socket.as_raw_fd(),
            Stream::Unix(socket) => socket.as_raw_fd(),
            Stream::Tls(session) => session.sock.as_raw_fd(),
        }
    }
}
