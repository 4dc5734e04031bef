//! The connections of this process to one server: few, kept, lent to one caller at a time.
use super::config::RedisConfig;
use super::connection::Connection;
use super::error::Problem;
use super::handshake::Role;
use super::server::Server;
use crate::clock::Clock;
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// Not `crate::sync`: no model checks this one, and it waits with a limit.
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
const TRUSTED: u64 = 1_000;

impl Pool {
    pub(crate) fn new() -> Self {
        Pool { shelf: Mutex::default(), freed: Condvar::new() }
    }

    /// A connection for one exchange. `sure`: one that is seen to be open, because what is sent must not be
    /// lost and cannot be sent twice.
    pub(crate) fn take(
        &self,
        server: &Server,
        config: &RedisConfig,
        role: Role,
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
            if shelf.open < config.pool_size {
                shelf.open += 1;
                drop(shelf);
                let mut lent = Lent { pool: self, connection: None };
                lent.connection = Some(Connection::open(server, config, role)?);
                return Ok(lent);
            }
            shelf = self.wait(shelf, config.pool_limit, config.pool_size)?;
        }
    }

    /// Waits until a connection is put back.
    #[cold]
    fn wait<'a>(
        &'a self,
        mut shelf: parking_lot::MutexGuard<'a, Shelf>,
        limit: Duration,
        size: usize,
    ) -> Result<parking_lot::MutexGuard<'a, Shelf>, Problem> {
        let until = Instant::now() + limit;
        while shelf.idle.is_empty() && shelf.open >= size {
            if self.freed.wait_until(&mut shelf, until).timed_out() {
                return Err(Problem::PoolLimit(limit, size));
            }
        }
        Ok(shelf)
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
    fn idle_for(&self) -> u64 {
        let now = Clock::system().now_ms();
        self.connection.as_ref().map_or(0, |connection| now.saturating_sub(connection.idle_since))
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a loan holds its connection until it ends")
    }

    /// The exchange was complete: the next one may have it.
    #[inline]
    pub(crate) fn give_back(mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.idle_since = Clock::system().now_ms();
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
