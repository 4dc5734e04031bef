//! One connection that many tasks share. Socket, TLS and greeting are ours; the crate carries requests over it.
use super::translate;
use crate::backend::redis::batch::{Answers, Batch, Received};
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::error::{Problem, reason};
use crate::backend::redis::handshake::{self, Role};
use crate::backend::redis::resp::Skim;
use crate::backend::redis::server::Server;
use crate::backend::redis::tls;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, RedisConnectionInfo};
use socket2::SockRef;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// A connection that has been greeted. It ends when nobody holds it any more, whatever is still under way.
#[derive(Debug)]
pub(super) struct Wire {
    connection: MultiplexedConnection,
    /// Writes and reads; belongs to the runtime that made this, and ends with it.
    driver: AbortHandle,
    /// The same socket once more, to look whether it is still open.
    socket: OwnedFd,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Wire {
    pub(super) async fn open(server: &Server, config: &RedisConfig, role: Role) -> Result<Wire, Problem> {
        let (mut stream, socket) = connect(server, config).await?;
        let limit = config.reply_limit;
        let greeting = greet(&mut stream, config, role);
        timeout(limit, greeting).await.unwrap_or(Err(Problem::ReplyLimit(limit)))?;
        // Limits are kept outside, where one covers a whole exchange.
        let settings = AsyncConnectionConfig::new().set_response_timeout(None);
        let nothing_to_say = RedisConnectionInfo::default().set_skip_set_lib_name();
        let (connection, driver) = MultiplexedConnection::new_with_config(&nothing_to_say, stream, settings)
            .await
            .map_err(|error| translate::problem(&error))?;
        Ok(Wire { connection, driver: tokio::spawn(driver).abort_handle(), socket })
    }

    /// Sends commands and puts so many replies behind what is in `received`. Whoever stops waiting disturbs nobody:
    /// the replies are dropped when they come.
    pub(super) async fn exchange(
        &self,
        bytes: &[u8],
        replies: usize,
        limit: Duration,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let mut connection = self.connection.clone();
        let commands = translate::commands(bytes, replies)?;
        let exchange = async {
            // Alone, a command also hears of replies that cannot be read; in company it hears that there are none.
            let mut each = commands.cmd_iter();
            match (each.next(), each.next()) {
                (Some(alone), None) => Ok(vec![connection.send_packed_command(alone).await?]),
                _ => connection.send_packed_commands(&commands, 0, replies).await,
            }
        };
        let values = match timeout(limit, exchange).await {
            Ok(values) => values.map_err(|error| translate::problem(&error))?,
            Err(_) => return Err(Problem::ReplyLimit(limit)),
        };
        values.iter().for_each(|value| translate::reply(value, received));
        Ok(())
    }

    /// Whether nothing is known against it.
    pub(super) fn is_alive(&self) -> bool {
        !self.driver.is_finished()
    }

    /// Whether it can be used for a request that must not be lost: looks at the socket, one system call.
    pub(super) fn is_open(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&self.socket).peek(&mut byte) {
            Ok(count) => count > 0,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}
type Stream = Box<dyn Duplex>;

async fn connect(server: &Server, config: &RedisConfig) -> Result<(Stream, OwnedFd), Problem> {
    let limit = config.connect_limit;
    match server {
        Server::Unix(path) => {
            let socket = within(limit, UnixStream::connect(path)).await?;
            let twin = twin(&socket)?;
            Ok((Box::new(socket), twin))
        }
        Server::Tcp(host, port) => {
            let socket = connect_tcp(host, *port, limit).await?;
            let twin = twin(&socket)?;
            match &config.tls {
                None => Ok((Box::new(socket), twin)),
                Some(tls) => {
                    let connector = tokio_rustls::TlsConnector::from(tls.config().clone());
                    let handshake = connector.connect(tls::server_name(host)?, socket);
                    let limit = config.reply_limit;
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
async fn greet(stream: &mut Stream, config: &RedisConfig, role: Role) -> Result<(), Problem> {
    let (mut hello, mut answers) = (Batch::default(), Answers::default());
    handshake::greet(&mut hello, config, role)?;
    if hello.is_empty() {
        return Ok(());
    }
    stream.write_all(hello.bytes()).await.map_err(|error| Problem::lost(&error))?;
    stream.flush().await.map_err(|error| Problem::lost(&error))?;
    let (mut skim, received) = (Skim::default(), &mut answers.received);
    while !skim.advance(received.bytes(), hello.len())? {
        match stream.read(received.room(skim.needs())).await {
            Ok(0) => return Err(Problem::lost(&io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => received.filled(count),
            Err(error) => return Err(Problem::lost(&error)),
        }
    }
    handshake::check(&answers)
}
