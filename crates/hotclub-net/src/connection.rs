//! The blocking door to one server: one write, one read, and a limit on both.
use crate::problem::Problem;
use crate::received::Received;
use crate::server::Server;
use crate::stream::{Session, Stream};
use crate::terms::{Skimmed, Terms};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// A connection that has been greeted. After any error it must be dropped: what comes next on it is unknown.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    limit: Duration,
    /// A request was sent, or half of one, and its replies are not here.
    under_way: bool,
    /// When it was last put back.
    pub(crate) idle_since: Instant,
}

impl Connection {
    pub(crate) fn open<T: Terms>(server: &Server, terms: &T, role: T::Role) -> Result<Self, Problem> {
        let mut stream = Stream::open(server, terms)?;
        if let Stream::Tls(session) = &mut stream {
            shake_hands(session, terms.reply_limit())?;
        }
        let mut connection =
            Connection { stream, limit: terms.reply_limit(), under_way: false, idle_since: Instant::now() };
        let mut next = Some(terms.greeting(role)?).filter(|greeting| greeting.replies > 0);
        while let Some(greeting) = next {
            let mut received = Received::default();
            connection.send(&greeting.bytes)?;
            connection.receive::<T::Skim>(greeting.replies, &mut received)?;
            next = terms.agreed(role, received.bytes())?;
        }
        Ok(connection)
    }

    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.under_way = true;
        let mut rest = bytes;
        let mut until: Option<Instant> = None;
        loop {
            match self.stream.write(rest) {
                Ok(0) => return Err(Problem::lost(&io::ErrorKind::WriteZero.into())),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error, self.limit)),
            }
            if rest.is_empty() {
                return self.stream.flush().map_err(|error| broken(&error, self.limit));
            }
            self.is_in_time(&mut until)?;
        }
    }

    /// The limit of the socket is for one system call; a server that trickles must not stretch it.
    fn is_in_time(&self, until: &mut Option<Instant>) -> Result<(), Problem> {
        let now = Instant::now();
        match now > *until.get_or_insert(now + self.limit) {
            true => Err(Problem::ReplyLimit(self.limit)),
            false => Ok(()),
        }
    }

    #[inline]
    pub(crate) fn receive<S: Skimmed>(
        &mut self,
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let before = received.bytes().len();
        let mut skim = S::default();
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
                self.under_way = false;
                return Ok(());
            }
            self.is_in_time(&mut until)?;
        }
    }

    /// Whether it can be used for a request that must not be lost: looks at the socket, one system call.
    pub(crate) fn is_idle(&self) -> bool {
        self.stream.is_idle()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.under_way {
            self.stream.forget_unsent();
        }
    }
}

/// The whole handshake, within the limit.
fn shake_hands(session: &mut Session, limit: Duration) -> Result<(), Problem> {
    let (connection, socket) = (&mut session.conn, &mut session.sock);
    let until = Instant::now() + limit;
    let mut step = || {
        while connection.wants_write() {
            connection.write_tls(socket)?;
        }
        if !connection.is_handshaking() {
            return Ok(true);
        }
        if connection.read_tls(socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Err(error) = connection.process_new_packets() {
            // Tells the server why, if it still listens.
            drop(connection.write_tls(socket));
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        match Instant::now() > until {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(false),
        }
    };
    loop {
        match step() {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(no_handshake(&error, limit)),
        }
    }
}

fn no_handshake(error: &io::Error, limit: Duration) -> Problem {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            let limit = limit.as_secs_f64();
            Problem::Connect(format!("no TLS handshake within {limit} s: is it spoken on this port?"))
        }
        _ => Problem::tls(error),
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
