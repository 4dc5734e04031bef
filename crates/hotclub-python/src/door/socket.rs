//! How far a connection has come, and its socket, which never blocks.
use super::queue::Queue;
use hotclub_net::{Problem, Received, Stream};
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

#[derive(Default)]
pub(super) enum Phase {
    #[default]
    Closed,
    /// A task of the loop connects, since then.
    Connecting(Instant),
    /// The server has not yet agreed to password, database and name.
    Greeting(Stream, Words),
    Open(Stream),
}

/// The first words on a connection. What follows waits until the server has agreed to them.
pub(super) struct Words {
    bytes: Vec<u8>,
    sent: usize,
    pub(super) replies: usize,
}

impl From<hotclub_net::Greeting> for Words {
    fn from(greeting: hotclub_net::Greeting) -> Self {
        Words { bytes: greeting.bytes, sent: 0, replies: greeting.replies }
    }
}

impl Phase {
    pub(super) fn new(stream: Stream, words: Words) -> Self {
        if words.replies == 0 { Phase::Open(stream) } else { Phase::Greeting(stream, words) }
    }

    /// The server has agreed; there may be more to say before requests are.
    pub(super) fn greeted(&mut self, next: Option<Words>) {
        if let Phase::Greeting(stream, _) = std::mem::take(self) {
            *self = match next {
                Some(words) => Phase::Greeting(stream, words),
                None => Phase::Open(stream),
            };
        }
    }

    /// Whether something waits to be sent.
    pub(super) fn is_unsent<A>(&self, queue: &Queue<A>) -> bool {
        match self {
            Phase::Greeting(_, words) => words.sent < words.bytes.len(),
            Phase::Open(_) => !queue.unsent().is_empty(),
            Phase::Closed | Phase::Connecting(_) => false,
        }
    }

    pub(super) fn stream(&self) -> Option<&Stream> {
        match self {
            Phase::Greeting(stream, _) | Phase::Open(stream) => Some(stream),
            Phase::Closed | Phase::Connecting(_) => None,
        }
    }

    /// Writes what it can; whether something is left.
    pub(super) fn write<A>(&mut self, queue: &mut Queue<A>) -> Result<bool, Problem> {
        match self {
            Phase::Greeting(stream, Words { bytes, sent, .. }) => {
                while *sent < bytes.len() {
                    match write_some(stream, &bytes[*sent..])? {
                        0 => return Ok(waits_for_room(stream)),
                        count => *sent += count,
                    }
                }
                flush(stream)
            }
            Phase::Open(stream) => {
                let mut written = 0;
                while !queue.unsent().is_empty() {
                    if written > MOST_AT_ONCE {
                        return Ok(true);
                    }
                    match write_some(stream, queue.unsent())? {
                        0 => return Ok(waits_for_room(stream)),
                        count => {
                            queue.sent(count);
                            written += count;
                        }
                    }
                }
                flush(stream)
            }
            Phase::Closed | Phase::Connecting(_) => Ok(false),
        }
    }

    /// Reads what there is. `until`: how long the buffer must get before there is more to see in it.
    pub(super) fn read(&mut self, received: &mut Received, until: usize) -> Result<(), Problem> {
        let (Phase::Greeting(stream, _) | Phase::Open(stream)) = self else { return Ok(()) };
        let is_tls = matches!(stream, Stream::Tls(_));
        loop {
            let room = received.room(until.max(received.bytes().len() + AT_ONCE));
            let size = room.len();
            match stream.read(room) {
                Ok(0) => return Err(Problem::lost(&ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    received.filled(count);
                    // The loop calls again if there is more; TLS holds decrypted bytes that the loop cannot see.
                    if !is_tls && (count < size || received.bytes().len() > MOST_AT_ONCE) {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    return Err(Problem::Tls(error.to_string()));
                }
                Err(error) => return Err(Problem::lost(&error)),
            }
        }
    }
}

const AT_ONCE: usize = 64 * 1024;
/// One connection must not keep the loop from all others, neither by reading nor by writing.
const MOST_AT_ONCE: usize = 1 << 20;

/// TLS takes nothing while it waits for the other side's part of the handshake: then room is of no use, and the next
/// thing to happen is something to read.
fn waits_for_room(stream: &Stream) -> bool {
    !matches!(stream, Stream::Tls(_)) || stream.wants_write()
}

/// How much was written; 0 if nothing can be now.
fn write_some(stream: &mut Stream, bytes: &[u8]) -> Result<usize, Problem> {
    loop {
        match stream.write(bytes) {
            Ok(0) => return Err(Problem::lost(&ErrorKind::WriteZero.into())),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(Problem::Tls(error.to_string()));
            }
            Err(error) => return Err(Problem::lost(&error)),
        }
    }
}

/// Has TLS send what it holds; whether something is left.
fn flush(stream: &mut Stream) -> Result<bool, Problem> {
    if !stream.wants_write() {
        return Ok(false);
    }
    match stream.flush() {
        Ok(()) => Ok(stream.wants_write()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(true),
        Err(error) => Err(Problem::lost(&error)),
    }
}
