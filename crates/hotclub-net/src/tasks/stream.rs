//! A connection for tasks, from the name of its server to the end of the greeting.
use crate::problem::{Problem, reason};
use crate::received::Received;
use crate::server::Server;
use crate::terms::{Skimmed, Terms};
use crate::tls;
use socket2::SockRef;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

/// What can be read and written.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A connected socket, with TLS or without.
pub type Stream = Box<dyn Duplex>;

/// Connects and greets; the second is the same socket once more, for [`is_open`].
///
/// # Errors
/// Why there is no connection, within the limits.
pub async fn open<T: Terms>(server: &Server, terms: &T, role: T::Role) -> Result<(Stream, OwnedFd), Problem> {
    let (mut stream, socket) = connect(server, terms).await?;
    let limit = terms.reply_limit();
    let greeting = greet(&mut stream, terms, role);
    timeout(limit, greeting).await.unwrap_or(Err(Problem::ReplyLimit(limit)))?;
    Ok((stream, socket))
}

/// Whether a connection is still open and silent: one system call.
pub fn is_open(socket: &OwnedFd) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    match SockRef::from(socket).peek(&mut byte) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

async fn connect(server: &Server, terms: &impl Terms) -> Result<(Stream, OwnedFd), Problem> {
    let limit = terms.connect_limit();
    match server {
        Server::Unix(path) => {
            let socket = within(limit, UnixStream::connect(path)).await?;
            let twin = twin(&socket)?;
            Ok((Box::new(socket), twin))
        }
        Server::Tcp(host, port) => {
            let socket = connect_tcp(host, *port, limit).await?;
            let twin = twin(&socket)?;
            match terms.tls() {
                None => Ok((Box::new(socket), twin)),
                Some(tls) => {
                    let connector = tokio_rustls::TlsConnector::from(tls.config().clone());
                    let handshake = connector.connect(tls::server_name(host)?, socket);
                    let limit = terms.reply_limit();
                    match timeout(limit, handshake).await {
                        Ok(session) => Ok((Box::new(session.map_err(|error| Problem::tls(&error))?), twin)),
                        Err(_) => Err(Problem::ConnectLimit(limit)),
                    }
                }
            }
        }
    }
}

fn twin(socket: &impl AsFd) -> Result<OwnedFd, Problem> {
    socket.as_fd().try_clone_to_owned().map_err(|error| Problem::Connect(reason(&error)))
}

async fn within<T>(limit: Duration, trial: impl Future<Output = io::Result<T>>) -> Result<T, Problem> {
    match timeout(limit, trial).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(error)) => Err(Problem::Connect(reason(&error))),
        Err(_) => Err(Problem::ConnectLimit(limit)),
    }
}

async fn connect_tcp(host: &str, port: u16, limit: Duration) -> Result<TcpStream, Problem> {
    let until = Instant::now() + limit;
    let addresses = timeout_at(until, lookup_host((host, port))).await;
    let addresses = addresses.map_err(|_| Problem::ConnectLimit(limit))?.map_err(|error| {
        Problem::Connect(format!("the name {host:?} is not known here: {}", reason(&error)))
    })?;
    let mut addresses: Vec<SocketAddr> = addresses.collect();
    addresses.dedup();
    let mut last = Problem::Connect(format!("the name {host:?} has no address"));
    for (index, address) in addresses.iter().enumerate() {
        // The time left is shared by the addresses left: one that does not answer must not eat it all.
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match within(share, TcpStream::connect(address)).await {
            Ok(socket) => {
                // A request is one write; waiting for more would only delay it. A server whose machine died says
                // nothing any more; probes notice it between requests.
                drop(socket.set_nodelay(true));
                drop(SockRef::from(&socket).set_keepalive(true));
                return Ok(socket);
            }
            Err(Problem::ConnectLimit(_)) => last = Problem::ConnectLimit(limit),
            Err(problem) => last = problem,
        }
    }
    Err(last)
}

/// The first words, those of the blocking door.
async fn greet<T: Terms>(stream: &mut Stream, terms: &T, role: T::Role) -> Result<(), Problem> {
    let mut next = Some(terms.greeting(role)?).filter(|greeting| greeting.replies > 0);
    while let Some(greeting) = next {
        let mut received = Received::default();
        exchange::<T::Skim>(stream, &greeting.bytes, greeting.replies, &mut received).await?;
        next = terms.agreed(role, received.bytes())?;
    }
    Ok(())
}

/// Sends requests and puts so many replies behind what was received.
pub(super) async fn exchange<S: Skimmed>(
    stream: &mut Stream,
    bytes: &[u8],
    replies: usize,
    received: &mut Received,
) -> Result<(), Problem> {
    stream.write_all(bytes).await.map_err(|error| broken(&error))?;
    stream.flush().await.map_err(|error| broken(&error))?;
    let before = received.bytes().len();
    let mut skim = S::default();
    while !skim.advance(&received.bytes()[before..], replies)? {
        match stream.read(received.room(before + skim.needs())).await {
            Ok(0) => return Err(Problem::lost(&io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => received.filled(count),
            Err(error) => return Err(broken(&error)),
        }
    }
    match before + skim.position() == received.bytes().len() {
        true => Ok(()),
        false => Err(Problem::Malformed("more replies than requests".to_owned())),
    }
}

fn broken(error: &io::Error) -> Problem {
    match error.kind() {
        // What TLS says, mostly of certificates: some of it comes after the handshake.
        io::ErrorKind::InvalidData => Problem::Tls(error.to_string()),
        _ => Problem::lost(error),
    }
}
