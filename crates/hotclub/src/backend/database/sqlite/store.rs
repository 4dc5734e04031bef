//! The verbs: each one short transaction over one of the layouts.
use super::super::error::Problem;
use super::super::layout::Layout;
use super::config::{Eviction, SqliteConfig};
use super::connections::{self, Connections, Lent};
use super::django::Django;
use super::forks::{self, Closes, Running};
use super::own::Own;
use super::room::Room;
use super::table::{Failure, Head, New, Row, Table, Totals};
use super::words::{Found, Item, Put, Write};
use crate::backend::Condition;
use crate::clock::Clock;
use crate::entry::Flags;
use crate::error::{Error, ErrorKind, Result as Answer};
use crate::stats::Stats;
use crate::timeout::Life;
use hotclub_net::locks::TimedMutex;
use rusqlite::{Connection, ErrorCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Most entries that one transaction of a many-verb writes: others wait as long.
const BATCH: usize = 500;

/// A store in a SQLite file.
#[derive(Debug)]
pub struct Store {
    connections: Arc<Connections>,
    /// Writers of this process wait here for each other: SQLite would have them ask again and again.
    turns: TimedMutex<()>,
    table: Box<dyn Table>,
    clock: Clock,
    pub(super) room: Room,
    pub(super) counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) sets: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) culled: AtomicU64,
    pub(super) deleted: AtomicU64,
}

type Done<T> = Result<T, Problem>;

impl Store {
    /// A store that follows this configuration. Nothing is opened before the first verb.
    ///
    /// # Errors
    /// As [`SqliteConfig::check`].
    pub fn new(config: SqliteConfig) -> Answer<Self> {
        Store::with_clock(config, Clock::system())
    }

    /// The same by a clock of one's own.
    ///
    /// # Errors
    /// As [`SqliteConfig::check`].
    pub fn with_clock(config: SqliteConfig, clock: Clock) -> Answer<Self> {
        config.check()?;
        let table: Box<dyn Table> = match config.layout {
            Layout::Own => Box::new(Own { by_use: config.eviction == Eviction::Use }),
            Layout::Django => Box::new(Django::new(&config.table)),
        };
        let room = Room::new(&config);
        let connections = Connections::new(config);
        Ok(Store { connections, turns: TimedMutex::new(()), table, clock, room, counts: Counts::default() })
    }

    /// What it was told.
    pub fn config(&self) -> &SqliteConfig {
        self.connections.config()
    }

    /// What connections keep in memory is no news of the file.
    pub(super) fn forget(&self) {
        self.connections.close();
    }

    pub(super) fn table(&self) -> &dyn Table {
        &*self.table
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.deadline(self.clock.now_ms()).0
    }

    /// No fork begins before this is dropped. For verbs that have locks of ours beside their transaction.
    pub(super) fn running(&self, verb: &'static str) -> Answer<Running> {
        forks::enter().map_err(|(kind, what)| told(verb)(self.connections.problem(kind, what)))
    }

    /// Reads with one statement, which is its own transaction.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Done<T> {
        let lent = self.connections.take(self.table(), self.config().lock_limit)?;
        let done = work(&lent);
        self.end(lent, done)
    }

    /// Writes in a transaction: all of it comes about or nothing. What time it is `work` asks itself, after the wait.
    pub(super) fn write<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Failure>) -> Done<T> {
        self.write_within(self.config().lock_limit, work)
    }

    /// The same with a limit of its own for locks.
    pub(super) fn write_within<T>(
        &self,
        limit: Duration,
        work: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Done<T> {
        let lent = self.connections.take(self.table(), limit)?;
        let Some(turn) = self.turns.lock_for(limit) else {
            return self.end(lent, Err(Failure::said(ErrorKind::Timeout, connections::held(limit))));
        };
        let run = |sql| -> Result<(), Failure> { Ok(lent.prepare_cached(sql)?.execute([]).map(drop)?) };
        let done = run("BEGIN IMMEDIATE").and_then(|()| work(&lent)).and_then(|done| {
            run("COMMIT")?;
            Ok(done)
        });
        // Given back while a fork still waits for this verb.
        drop(turn);
        self.end(lent, done)
    }

    fn end<T>(&self, lent: Lent<'_>, done: Result<T, Failure>) -> Done<T> {
        done.map_err(|failure| {
            // What was begun is undone with its connection; who did not get the lock has begun nothing.
            match &failure {
                Failure::Sql(error) if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) => {
                    lent.give_up()
                }
                _ => drop(lent),
            }
            self.connections.told(failure)
        })
    }

    /// Reads an entry; nothing if there is none, or its time is over.
    ///
    /// # Errors
    /// The file cannot be read, or is no store of this layout.
    pub fn get(&self, key: &str) -> Answer<Option<Found>> {
        let _running = self.running("get")?;
        let now = self.now();
        let found = self.read(|connection| self.table.row(connection, key)).map_err(told("get"))?;
        let found = self.counted(key, found, now);
        self.flush_if_many(now);
        Ok(found)
    }

    fn counted(&self, key: &str, row: Option<Row>, now: u64) -> Option<Found> {
        let row = row.filter(|row| is_live(row.deadline, now));
        let count = if row.is_some() { &self.counts.hits } else { &self.counts.misses };
        count.fetch_add(1, Relaxed);
        if let Some(row) = &row {
            self.room.used(key, row.used, now);
        }
        row.map(found)
    }

    /// The same without counting as use, as hit or as miss.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn peek(&self, key: &str) -> Answer<Option<Found>> {
        let now = self.now();
        let row = self.read(|connection| self.table.row(connection, key)).map_err(told("get"))?;
        Ok(row.filter(|row| is_live(row.deadline, now)).map(found))
    }

    /// Whether there is a live entry.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn has(&self, key: &str) -> Answer<bool> {
        let now = self.now();
        let head = self.read(|connection| self.table.head(connection, key)).map_err(told("has_key"))?;
        Ok(head.is_some_and(|head| head.is_this && is_live(head.deadline, now)))
    }

    /// Reads many entries, all of one moment.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_many(&self, keys: &[String]) -> Answer<Vec<Option<Found>>> {
        let _running = self.running("get_many")?;
        let now = self.now();
        let rows = self.read(|connection| {
            connection.prepare_cached("BEGIN")?.execute([])?;
            let rows: Result<Vec<_>, _> = keys.iter().map(|key| self.table.row(connection, key)).collect();
            connection.prepare_cached("COMMIT")?.execute([])?;
            rows
        });
        let rows = rows.map_err(told("get_many"))?;
        let found = keys.iter().zip(rows).map(|(key, row)| self.counted(key, row, now)).collect();
        self.flush_if_many(now);
        Ok(found)
    }

    /// Writes an entry if the condition holds; whether it did.
    ///
    /// # Errors
    /// The file cannot be written; there is no room and nothing may be evicted.
    pub fn set(&self, key: &str, value: &[u8], flags: Flags, write: Write) -> Answer<bool> {
        let done = self.write(|connection| {
            let now = self.now();
            self.make_room(connection, write.limit, now)?;
            self.put(connection, key, value, flags, write, now)
        });
        let verb = if write.condition == Condition::IfAbsent { "add" } else { "set" };
        match done.map_err(told(verb))? {
            Put::NoRoom => Err(self.no_room(verb, key, value)),
            put => Ok(put == Put::Written),
        }
    }

    #[cold]
    fn no_room(&self, verb: &'static str, key: &str, value: &[u8]) -> Error {
        let what = self.lacking(key, value);
        told(verb)(self.connections.problem(ErrorKind::TooLarge, what))
    }

    #[cold]
    fn lacking(&self, key: &str, value: &[u8]) -> String {
        if !self.fits(value) {
            return format!("sqlite takes no value of {} bytes", value.len());
        }
        let (size, most) = (self.table.size(key, value), self.config().max_bytes);
        format!("{size} bytes find no room in {most}, and no entry may go or all would not be enough")
    }

    /// Writes many entries, a few hundred of them in one transaction; which were written. Not those that find no room.
    ///
    /// # Errors
    /// As [`Store::set`]. What earlier transactions wrote stays.
    pub fn set_many(&self, items: &[Item], write: Write) -> Answer<Vec<bool>> {
        let mut written = Vec::with_capacity(items.len());
        for items in items.chunks(BATCH) {
            let batch = self.write(|connection| {
                let now = self.now();
                let put = |item: &Item| {
                    self.make_room(connection, write.limit, now)?;
                    self.put(connection, &item.key, &item.value, item.flags, write, now)
                };
                items.iter().map(put).collect::<Result<Vec<Put>, Failure>>()
            });
            written.extend(batch.map_err(told("set_many"))?.into_iter().map(|put| put == Put::Written));
        }
        Ok(written)
    }

    fn put(
        &self,
        connection: &Connection,
        key: &str,
        value: &[u8],
        flags: Flags,
        write: Write,
        now: u64,
    ) -> Result<Put, Failure> {
        let head = self.table.head(connection, key)?;
        let is_there = head.is_some_and(|head| head.is_this && is_live(head.deadline, now));
        let holds = match write.condition {
            Condition::Always => true,
            Condition::IfAbsent => !is_there,
            Condition::IfPresent => is_there,
            Condition::IfCas(cas) => {
                is_there && self.table.row(connection, key)?.is_some_and(|row| row.cas == Some(cas))
            }
        };
        if !holds {
            return Ok(Put::Unwritten);
        }
        let deadline = deadline(write.life, now);
        let size = self.table.size(key, value);
        let has_room = deadline.is_none() || (self.fits(value) && self.has_room(connection, size, head)?);
        let Some(deadline) = deadline.filter(|_| has_room) else {
            if let Some(head) = head.filter(|head| head.is_this) {
                self.take_out(connection, key, head)?;
            }
            return Ok(if has_room { Put::Written } else { Put::NoRoom });
        };
        self.put_in(connection, key, &New { value, flags, deadline, now }, head)?;
        self.counts.sets.fetch_add(1, Relaxed);
        Ok(Put::Written)
    }

    /// Writes what is to stand there, and what that does to the totals.
    fn put_in(
        &self,
        connection: &Connection,
        key: &str,
        new: &New<'_>,
        head: Option<Head>,
    ) -> Result<(), Failure> {
        self.table.put(connection, key, new)?;
        let by = Totals {
            entries: i64::from(head.is_none()),
            bytes: self.table.size(key, new.value) - head.map_or(0, |head| head.size),
        };
        self.room.changed(by.entries);
        if let Some(totals) = self.table.change(connection, by)? {
            self.make_bytes(connection, totals, key, new.now)?;
        }
        Ok(())
    }

    /// Removes what stands there.
    fn take_out(&self, connection: &Connection, key: &str, head: Head) -> Result<(), Failure> {
        self.table.remove(connection, key)?;
        self.room.changed(-1);
        self.table.change(connection, Totals { entries: -1, bytes: -head.size }).map(drop)
    }

    /// Removes an entry: whether there was one, and whether its time was not over.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn delete(&self, key: &str) -> Answer<(bool, bool)> {
        self.write(|connection| self.delete_in(connection, key, self.now())).map_err(told("delete"))
    }

    fn delete_in(&self, connection: &Connection, key: &str, now: u64) -> Result<(bool, bool), Failure> {
        let Some(head) = self.table.head(connection, key)?.filter(|head| head.is_this) else {
            return Ok((false, false));
        };
        self.take_out(connection, key, head)?;
        self.counts.deleted.fetch_add(1, Relaxed);
        Ok((true, is_live(head.deadline, now)))
    }

    /// Removes many entries; how many were live.
    ///
    /// # Errors
    /// As [`Store::delete`].
    pub fn delete_many(&self, keys: &[String]) -> Answer<u64> {
        let mut count = 0;
        for keys in keys.chunks(BATCH) {
            let batch = self.write(|connection| {
                let now = self.now();
                keys.iter()
                    .try_fold(0, |count, key| Ok(count + u64::from(self.delete_in(connection, key, now)?.1)))
            });
            count += batch.map_err(told("delete_many"))?;
        }
        Ok(count)
    }

    /// Gives an entry a new life; whether there was a live one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn touch(&self, key: &str, life: Life) -> Answer<bool> {
        let done = self.write(|connection| {
            let now = self.now();
            let head = self.table.head(connection, key)?;
            let Some(head) = head.filter(|head| head.is_this && is_live(head.deadline, now)) else {
                return Ok(false);
            };
            match deadline(life, now) {
                Some(deadline) => self.table.extend(connection, key, deadline)?,
                None => self.take_out(connection, key, head)?,
            }
            Ok(true)
        });
        done.map_err(told("touch"))
    }

    /// Writes what `work` makes of a live entry's value, with the deadline that it has; false if there is none. What
    /// `work` says ends it with nothing changed.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn change<E>(
        &self,
        key: &str,
        work: impl FnOnce(&Found) -> Result<(Vec<u8>, Flags), E>,
    ) -> Answer<Result<bool, E>> {
        let done = self.write(|connection| {
            let now = self.now();
            let row = self.table.row(connection, key)?.filter(|row| is_live(row.deadline, now));
            let Some(found) = row.map(found) else { return Ok(Ok(false)) };
            let (value, flags) = match work(&found) {
                Ok(made) => made,
                Err(error) => return Ok(Err(error)),
            };
            let new = New { value: &value, flags, deadline: found.deadline, now };
            let head = self.table.head(connection, key)?;
            let size = self.table.size(key, &value);
            // What is there stays: nothing was added to it.
            if !self.fits(&value) || !self.has_room(connection, size, head)? {
                return Err(Failure::Said(ErrorKind::TooLarge, self.lacking(key, &value)));
            }
            self.put_in(connection, key, &new, head)?;
            Ok(Ok(true))
        });
        done.map_err(told("incr"))
    }

    /// Writes over what was read, with the deadline that it has; false if another value or write is there now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn replace(&self, key: &str, read: &Found, value: &[u8], flags: Flags) -> Answer<bool> {
        let changed = self.change(key, |found| match found == read {
            true => Ok((value.to_vec(), flags)),
            false => Err(()),
        });
        Ok(changed?.unwrap_or(false))
    }

    /// Removes every entry, or those whose keys begin with this.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn clear(&self, prefix: Option<&str>) -> Answer<()> {
        let _running = self.running("clear")?;
        let gone = self.write(|connection| self.table.clear(connection, prefix)).map_err(told("clear"))?;
        self.counts.deleted.fetch_add(u64::try_from(gone.entries).unwrap_or(0), Relaxed);
        self.room.cleared();
        Ok(())
    }

    /// Counters of this process; entries and bytes of the file.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn stats(&self) -> Answer<Stats> {
        let totals = self.read(|connection| self.table.measured(connection)).map_err(told("stats"))?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(Stats {
            hits: self.counts.hits.load(Relaxed),
            misses: self.counts.misses.load(Relaxed),
            sets: self.counts.sets.load(Relaxed),
            expired: self.counts.expired.load(Relaxed),
            evicted: self.counts.evicted.load(Relaxed),
            culled: self.counts.culled.load(Relaxed),
            deleted: self.counts.deleted.load(Relaxed),
            entries: count(totals.entries),
            bytes: count(totals.bytes),
        })
    }
}

fn told(verb: &'static str) -> impl Fn(Problem) -> Error {
    move |problem| problem.into_error("sqlite", verb)
}

fn found(row: Row) -> Found {
    Found { value: row.value, flags: row.flags, deadline: row.deadline, cas: row.cas }
}

pub(super) fn is_live(deadline: Option<u64>, now: u64) -> bool {
    deadline.is_none_or(|deadline| deadline > now)
}

/// The deadline of a life that begins now; `None`: it has none to begin.
fn deadline(life: Life, now: u64) -> Option<Option<u64>> {
    match life {
        Life::Gone => None,
        Life::Never => Some(None),
        Life::For(time) => {
            let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            Some(Some(now.saturating_add(milliseconds).min(i64::MAX.unsigned_abs())))
        }
    }
}
