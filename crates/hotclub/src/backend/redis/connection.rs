//! The blocking door to one server: one write, one read, and a limit on both.
use super::batch::{Answers, Batch, Received};
use super::config::RedisConfig;
use super::error::Problem;
use super::handshake::{self, Role};
use super::resp::Skim;
use super::server::Server;
use super::stream::Stream;
use crate::clock::Clock;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// A connection that has been greeted. After any error it must be dropped: what comes next on it is unknown.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    limit: Duration,
    /// When it was last put back, by the coarse clock.
    pub(crate) idle_since: u64,
}

impl Connection {
    pub(crate) fn open(server: &Server, config: &RedisConfig, role: Role) -> Result<Self, Problem> {
        let mut stream = Stream::open(server, config)?;
        if let Stream::Tls(session) = &mut stream {
            let (connection, socket) = (&mut session.conn, &mut session.sock);
            connection.complete_io(socket).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    let limit = config.reply_limit.as_secs_f64();
                    Problem::Connect(format!("no TLS handshake within {limit} s: is it spoken on this port?"))
                }
                io::ErrorKind::InvalidData => Problem::Tls(error.to_string()),
                io::ErrorKind::UnexpectedEof => {
                    Problem::Tls("the server closed the connection: does it speak TLS on this port?".into())
                }
                _ => Problem::lost(&error),
            })?;
        }
        let mut connection =
            Connection { stream, limit: config.reply_limit, idle_since: Clock::system().now_ms() };
        let (mut hello, mut answers) = (Batch::default(), Answers::default());
        handshake::greet(&mut hello, config, role)?;
        if !hello.is_empty() {
            connection.exchange(hello.bytes(), hello.len(), &mut answers.received)?;
            handshake::check(&answers)?;
        }
        Ok(connection)
    }

    /// Sends requests and puts so many replies behind what is in `received`.
    #[inline]
    pub(crate) fn exchange(
        &mut self,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        self.send(bytes)?;
        self.receive(replies, received)
    }

    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let limit = self.limit;
        let sent = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
        sent.map_err(|error| broken(&error, limit))
    }

    #[inline]
    pub(crate) fn receive(&mut self, replies: usize, received: &mut Received) -> Result<(), Problem> {
        let before = received.bytes().len();
        let mut skim = Skim::default();
        let mut until: Option<Instant> = None;
        loop {
            let count = match self.stream.read(received.room(before + skim.needs())) {
                Ok(0) => return Err(Problem::lost(&io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(broken(&error, self.limit)),
            };
            received.filled(count);
            if skim.advance(&received.bytes()[before..], replies)? {
                if before + skim.position() != received.bytes().len() {
                    return Err(Problem::Malformed("more replies than requests".to_owned()));
                }
                return Ok(());
            }
            // The limit of the socket is for one read; a server that trickles must not stretch it.
            if Instant::now() > *until.get_or_insert_with(|| Instant::now() + self.limit) {
                return Err(Problem::ReplyLimit(self.limit));
            }
        }
    }

    /// Whether it can be used for a request that must not be lost: looks at the socket, one system call.
    pub(crate) fn is_idle(&self) -> bool {
        self.stream.is_idle()
    }
}

fn broken(error: &io::Error, limit: Duration) -> Problem {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Problem::ReplyLimit(limit),
        // What TLS says, mostly of certificates: some of it comes after the handshake.
        io::ErrorKind::InvalidData => Problem::Tls(error.to_string()),
        _ => Problem::lost(error),
    }
}
