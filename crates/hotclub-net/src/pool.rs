//! The connections of this process to one server: few, kept, lent to one caller at a time.
use crate::connection::Connection;
use crate::locks::{Condvar, Mutex, MutexGuard};
use crate::problem::Problem;
use crate::server::Server;
use crate::terms::Terms;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Pool {
    // Short: connections are pushed and popped; they are opened, used and closed outside of it.
    shelf: Mutex<Shelf>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Shelf {
    idle: Vec<Connection>,
    /// Idle and lent.
    open: usize,
}

/// After this time of silence a server or a firewall may have ended a connection without telling.
const TRUSTED: Duration = Duration::from_secs(1);

impl Pool {
    pub(crate) fn new() -> Self {
        Pool { shelf: Mutex::default(), freed: Condvar::new() }
    }

    /// A connection for one exchange. `sure`: one that is seen to be open, because what is sent must not be
    /// lost and cannot be sent twice.
    pub(crate) fn take<T: Terms>(
        &self,
        server: &Server,
        terms: &T,
        role: T::Role,
        sure: bool,
    ) -> Result<Lent<'_>, Problem> {
        let mut shelf = self.shelf.lock();
        loop {
            if let Some(connection) = shelf.idle.pop() {
                drop(shelf);
                let lent = Lent { pool: self, connection: Some(connection) };
                let trusted = !sure && lent.idle_for() < TRUSTED;
                if trusted || lent.connection.as_ref().is_some_and(Connection::is_idle) {
                    return Ok(lent);
                }
                drop(lent);
                shelf = self.shelf.lock();
                continue;
            }
            if shelf.open < terms.pool_size() {
                shelf.open += 1;
                drop(shelf);
                let mut lent = Lent { pool: self, connection: None };
                lent.connection = Some(Connection::open(server, terms, role)?);
                return Ok(lent);
            }
            shelf = self.wait(shelf, terms.pool_limit(), terms.pool_size())?;
        }
    }

    /// Waits until a connection is put back.
    #[cold]
    fn wait<'a>(
        &'a self,
        shelf: MutexGuard<'a, Shelf>,
        limit: Duration,
        size: usize,
    ) -> Result<MutexGuard<'a, Shelf>, Problem> {
        let is_early = |shelf: &mut Shelf| shelf.idle.is_empty() && shelf.open >= size;
        let (shelf, late) = self.freed.wait_while(shelf, limit, is_early);
        if late { Err(Problem::PoolLimit(limit, size)) } else { Ok(shelf) }
    }

    /// Drops the connections that wait here: they lead to a server that is gone.
    #[cold]
    pub(crate) fn forget_idle(&self) {
        let mut shelf = self.shelf.lock();
        let idle = std::mem::take(&mut shelf.idle);
        shelf.open -= idle.len();
        drop(shelf);
        self.freed.notify_all();
        drop(idle);
    }

    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.shelf.lock().open
    }
}

/// A connection on loan. Dropped, it is closed; [`Lent::give_back`] keeps it.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Lent<'_> {
    fn idle_for(&self) -> Duration {
        self.connection.as_ref().map_or(Duration::ZERO, |connection| connection.idle_since.elapsed())
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a loan holds its connection until it ends")
    }

    /// The exchange was complete: the next one may have it.
    #[inline]
    pub(crate) fn give_back(mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.idle_since = Instant::now();
            self.pool.shelf.lock().idle.push(connection);
            self.pool.freed.notify_one();
        }
        std::mem::forget(self);
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        drop(self.connection.take());
        self.pool.shelf.lock().open -= 1;
        self.pool.freed.notify_one();
    }
}
