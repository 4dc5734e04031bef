//! One server for tasks: in each runtime a few connections, lent to one exchange at a time.
use super::runtimes::Runtimes;
use super::stream::{self, Stream, exchange};
use crate::breaker::{Breaker, Pass};
use crate::locks::Mutex;
use crate::problem::Problem;
use crate::received::Received;
use crate::server::Server;
use crate::stream::forget_unsent;
use crate::terms::{Effect, Terms};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A server as the tasks of this process see it.
#[derive(Debug)]
pub struct Node<T: Terms> {
    /// Where it is.
    pub server: Server,
    role: T::Role,
    breaker: Arc<Breaker>,
    shelves: Runtimes<Shelf>,
}

/// The connections of one runtime.
#[derive(Debug)]
struct Shelf {
    // Short: connections are pushed and popped.
    idle: Mutex<Vec<Connection>>,
    /// As many as there may be connections.
    permits: Semaphore,
}

struct Connection {
    stream: Stream,
    socket: OwnedFd,
    /// A request was sent, or half of one, and its replies are not here.
    under_way: bool,
    idle_since: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.under_way {
            forget_unsent(&self.socket);
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

/// After this time of silence a server or a firewall may have ended a connection without telling.
const TRUSTED: Duration = Duration::from_secs(1);

impl<T: Terms> Node<T> {
    /// It is not asked before the first exchange.
    pub fn new(server: Server, role: T::Role) -> Self {
        Node::beside(server, role, Arc::default())
    }

    /// The same where another way leads to the same server: what one learns about it holds for both.
    pub fn beside(server: Server, role: T::Role, breaker: Arc<Breaker>) -> Self {
        Node { server, role, breaker, shelves: Runtimes::default() }
    }

    /// Sends requests and puts the replies behind what was received before.
    ///
    /// A connection that turns out to be dead is replaced once, if `effect` allows that. Whoever stops waiting takes
    /// the connection along, and so disturbs nobody.
    ///
    /// # Errors
    /// What was in the way.
    pub async fn exchange(
        &self,
        terms: &T,
        effect: Effect,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let before = received.bytes().len();
        match self.carry(terms, effect, bytes, replies, received).await {
            Err(problem) if problem.is_disconnect() && effect != Effect::Once => {
                received.truncate(before);
                self.carry(terms, effect, bytes, replies, received).await
            }
            done => done,
        }
    }

    async fn carry(
        &self,
        terms: &T,
        effect: Effect,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let pass = Pass::new(&self.breaker, terms)?;
        let since = Instant::now();
        let result = self.lend(terms, effect, bytes, replies, received).await;
        pass.used();
        match &result {
            Ok(()) => self.breaker.succeeded(&self.server, terms),
            Err(problem) => self.breaker.note(&self.server, terms, problem, since.elapsed()),
        }
        result
    }

    async fn lend(
        &self,
        terms: &T,
        effect: Effect,
        bytes: &[u8],
        replies: usize,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let shelf = self.shelves.current(|| Shelf {
            idle: Mutex::default(),
            permits: Semaphore::new(terms.pool_size().min(Semaphore::MAX_PERMITS)),
        })?;
        let full = || Problem::PoolLimit(terms.pool_limit(), terms.pool_size());
        let permit = timeout(terms.pool_limit(), shelf.permits.acquire()).await;
        let _permit = permit.map_err(|_| full())?.map_err(|_| full())?;
        let mut connection = match shelf.take(effect == Effect::Once) {
            Some(connection) => connection,
            None => {
                let (stream, socket) = stream::open(&self.server, terms, self.role).await?;
                Connection { stream, socket, under_way: false, idle_since: Instant::now() }
            }
        };
        let limit = terms.reply_limit();
        connection.under_way = true;
        let exchanged = exchange::<T::Skim>(&mut connection.stream, bytes, replies, received);
        match timeout(limit, exchanged).await.unwrap_or(Err(Problem::ReplyLimit(limit))) {
            Ok(()) => {
                (connection.under_way, connection.idle_since) = (false, Instant::now());
                shelf.idle.lock().push(connection);
                Ok(())
            }
            Err(problem) => {
                // What else waits there leads to the same server.
                let idle = std::mem::take(&mut *shelf.idle.lock());
                drop(idle);
                Err(problem)
            }
        }
    }

    /// What was heard over one of its connections makes no sense: none of those that wait is used again.
    #[cold]
    pub fn distrust(&self) {
        if let Some(shelf) = self.shelves.existing() {
            let idle = std::mem::take(&mut *shelf.idle.lock());
            drop(idle);
        }
    }

    /// How many connections wait to be used, in all runtimes.
    pub fn connections(&self) -> usize {
        self.shelves.sum(|shelf| shelf.idle.lock().len())
    }
}

impl Shelf {
    /// A connection that waits here; `sure`: one that is seen to be open.
    fn take(&self, sure: bool) -> Option<Connection> {
        loop {
            let connection = self.idle.lock().pop()?;
            let trusted = !sure && connection.idle_since.elapsed() < TRUSTED;
            if trusted || stream::is_open(&connection.socket) {
                return Some(connection);
            }
        }
    }
}
