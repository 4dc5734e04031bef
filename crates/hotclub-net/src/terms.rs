//! What a room tells the sockets: limits, first words, and how replies end.
use crate::problem::{Malformed, Problem};
use crate::server::Server;
use crate::tls::Tls;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What may be done when an exchange breaks off, and which servers may answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// Only reads: replicas may answer, and it may be sent again.
    #[default]
    Read,
    /// Writes, and doing it twice is as good as once: it may be sent again.
    Idempotent,
    /// Writes, and doing it twice is not doing it once: never sent again once it may have arrived.
    Once,
}

/// How far whole replies go in a buffer that grows.
pub trait Skimmed: Default {
    /// Looks at what is new, up to the end of reply number `wanted`; whether that many are whole.
    ///
    /// # Errors
    /// Bytes that are no replies.
    fn advance(&mut self, bytes: &[u8], wanted: usize) -> Result<bool, Malformed>;

    /// Where the last whole thing ends.
    fn position(&self) -> usize;

    /// How long the buffer will have to be before there is more to see, where that is known.
    fn needs(&self) -> usize;
}

/// The first words on a connection.
#[derive(Debug, Default)]
pub struct Greeting {
    /// What is sent; nothing, if nothing needs to be said.
    pub bytes: Vec<u8>,
    /// How many replies come.
    pub replies: usize,
}

/// What a room says, how long it waits, and whom it tells.
pub trait Terms {
    /// What kind of server is greeted.
    type Role: Copy + fmt::Debug + Send + Sync;
    /// How replies end.
    type Skim: Skimmed;

    /// The first words to a server of this kind.
    ///
    /// # Errors
    /// They cannot be found.
    fn greeting(&self, role: Self::Role) -> Result<Greeting, Problem>;

    /// Whether the server agreed to them, and what is said next, if anything.
    ///
    /// # Errors
    /// The first refusal.
    fn agreed(&self, role: Self::Role, replies: &[u8]) -> Result<Option<Greeting>, Problem>;

    /// TLS, if it is wanted.
    fn tls(&self) -> Option<&Tls>;
    /// A connection that is not there after this time is an error.
    fn connect_limit(&self) -> Duration;
    /// A reply that is not there after this time is an error, and its connection is dropped.
    fn reply_limit(&self) -> Duration;
    /// At most this many connections to each server, in each process.
    fn pool_size(&self) -> usize;
    /// A connection of the pool that is not free after this time is an error.
    fn pool_limit(&self) -> Duration;
    /// A server that failed is asked again after at most this time; until then calls fail at once.
    fn rest(&self) -> Duration;
    /// Tells whoever listens.
    fn tell(&self, change: &Change<'_>);
}

/// Hears of changes of a server's state: once when it fails, once when it is back.
pub type Listener = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// A change of state that an operator wants to read about.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// The server at this place cannot be used, and why.
    Down(&'a Server, String),
    /// The server at this place can be used again.
    Up(&'a Server),
    /// Another server is the primary now.
    Primary(&'a Server),
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Down(server, cause) => write!(f, "{server} is down: {cause}"),
            Change::Up(server) => write!(f, "{server} is back"),
            Change::Primary(server) => write!(f, "{server} is the primary now"),
        }
    }
}

/// Terms of tests: nothing is said first, and a reply is a line.
#[cfg(test)]
pub(crate) mod plain {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug)]
    pub(crate) struct Plain {
        pub(crate) rest: Duration,
        pub(crate) told: Mutex<Vec<String>>,
    }

    impl Default for Plain {
        fn default() -> Self {
            Plain { rest: Duration::from_secs(1), told: Mutex::default() }
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Lines(usize);

    impl Skimmed for Lines {
        fn advance(&mut self, bytes: &[u8], wanted: usize) -> Result<bool, Malformed> {
            let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            self.0 = ends.nth(wanted - 1).map_or(0, |(at, _)| at + 1);
            Ok(self.0 > 0)
        }

        fn position(&self) -> usize {
            self.0
        }

        fn needs(&self) -> usize {
            0
        }
    }

    impl Terms for Plain {
        type Role = ();
        type Skim = Lines;

        fn greeting(&self, (): ()) -> Result<Greeting, Problem> {
            Ok(Greeting::default())
        }

        fn agreed(&self, (): (), _replies: &[u8]) -> Result<Option<Greeting>, Problem> {
            Ok(None)
        }

        fn tls(&self) -> Option<&Tls> {
            None
        }

        fn connect_limit(&self) -> Duration {
            Duration::from_secs(2)
        }

        fn reply_limit(&self) -> Duration {
            Duration::from_millis(500)
        }

        fn pool_size(&self) -> usize {
            2
        }

        fn pool_limit(&self) -> Duration {
            Duration::from_millis(100)
        }

        fn rest(&self) -> Duration {
            self.rest
        }

        fn tell(&self, change: &Change<'_>) {
            self.told.lock().unwrap().push(change.to_string());
        }
    }
}
