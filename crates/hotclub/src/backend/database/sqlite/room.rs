//! Room for more: limits of entries and bytes, who goes, what is over, and what is known of use.
//!
//! Everything is done in bounded steps by the writes that come by, within their transactions.
use super::super::layout::Layout;
use super::config::{Eviction, SqliteConfig};
use super::store::{Store, is_live};
use super::table::{Candidate, Failure, Head, Place, Totals};
use crate::backend::Limit;
use hotclub_net::locks::Mutex;
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// So many are looked at to find victims. Of a larger store, at most a quarter of them goes in one step.
const SAMPLE: usize = 1024;
/// So often one write looks for what is over, among so many entries. In milliseconds.
const SWEPT: u64 = 1000;
const SWEEP: usize = 256;
/// A use is news if the last one is so old, in milliseconds.
const USE: u64 = 1000;
/// So many uses are kept before a reader writes them down, and so many at most.
const USES: usize = 128;
const MOST_USES: usize = 4096;
/// Readers try so often, in milliseconds.
const FLUSHED: u64 = 100;
/// A table that does not know its totals is counted anew so often, in milliseconds.
const COUNTED: u64 = 30_000;
/// A write evicts for so long at most.
const EVICTING: Duration = Duration::from_millis(500);
/// An eviction for bytes goes on down to this part of the limit.
const KEPT: (i64, i64) = (19, 20);

#[derive(Debug)]
pub(super) struct Room {
    eviction: Eviction,
    max_bytes: i64,
    limit: Option<Limit>,
    // Short: a few words are read and changed.
    state: Mutex<State>,
    uses: Mutex<HashMap<String, u64>>,
    /// How many those are: a reader need not take the lock to know.
    pending: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    swept: u64,
    flushed: u64,
    sweep_from: Option<Place>,
    /// How many rows there are, where the layout keeps no totals; and since when that is known.
    counted: Option<(i64, u64)>,
    /// A cull that is not at its end goes on until so many entries are left.
    target: Option<i64>,
}

impl Room {
    pub(super) fn new(config: &SqliteConfig) -> Self {
        Room {
            eviction: config.eviction,
            max_bytes: i64::try_from(config.max_bytes).unwrap_or(i64::MAX),
            limit: config.limit,
            state: Mutex::default(),
            uses: Mutex::default(),
            pending: AtomicUsize::new(0),
        }
    }

    /// An entry was read.
    pub(super) fn used(&self, key: &str, before: u64, now: u64) {
        // A layout that keeps no use says 0.
        if self.eviction != Eviction::Use || before == 0 || now < before.saturating_add(USE) {
            return;
        }
        let mut uses = self.uses.lock();
        if uses.len() < MOST_USES || uses.contains_key(key) {
            uses.insert(key.to_owned(), now);
            self.pending.store(uses.len(), Relaxed);
        }
    }

    pub(super) fn changed(&self, entries: i64) {
        if entries != 0
            && let Some((counted, _)) = &mut self.state.lock().counted
        {
            *counted += entries;
        }
    }

    pub(super) fn cleared(&self) {
        let mut state = self.state.lock();
        (state.counted, state.target, state.sweep_from) = (None, None, None);
    }
}

/// SQLite takes no row of more than 1,000,000,000 bytes (SQLITE_MAX_LENGTH), and its other columns have some of them.
const MOST_ROW: usize = 999_990_000;

impl Store {
    /// Before a write: culls if the limit of entries is reached, writes down what was used, looks for what is over.
    pub(super) fn make_room(
        &self,
        connection: &Connection,
        limit: Option<Limit>,
        now: u64,
    ) -> Result<(), Failure> {
        self.write_uses(connection)?;
        self.sweep(connection, now)?;
        if let Some(limit) = limit.or(self.room.limit) {
            self.cull(connection, limit, now)?;
        }
        Ok(())
    }

    /// Django's cull: as many entries as the limit or more, and one in `cull_frequency` goes. What one step does not
    /// remove, the writes that follow do; others may do so too.
    fn cull(&self, connection: &Connection, limit: Limit, now: u64) -> Result<(), Failure> {
        let target = self.room.state.lock().target.take();
        if target.is_none() && self.entries(connection, limit, now)? < limit.max_entries {
            return Ok(());
        }
        let entries = self.table().totals(connection)?.entries;
        self.room.state.lock().counted = Some((entries, now));
        let target = match target.filter(|target| entries > *target) {
            Some(target) => target,
            None if entries < limit.max_entries => return Ok(()),
            None if limit.cull_frequency == 0 => {
                let gone = self.table().clear(connection, None)?;
                self.room.cleared();
                self.counts.culled.fetch_add(count(gone.entries), Relaxed);
                return Ok(());
            }
            None => entries - entries / limit.cull_frequency,
        };
        let gone = self.evict(connection, now, None, |gone, _| entries - gone > target)?;
        self.counts.culled.fetch_add(count(gone.entries), Relaxed);
        if entries - gone.entries > target && gone.entries > 0 {
            self.room.state.lock().target = Some(target);
        }
        Ok(())
    }

    /// How many entries there are: exact where totals are kept, else as far as this process knows.
    fn entries(&self, connection: &Connection, limit: Limit, now: u64) -> Result<i64, Failure> {
        if self.config().layout == Layout::Django
            && let Some((entries, since)) = self.room.state.lock().counted
            && entries < limit.max_entries
            && now < since.saturating_add(COUNTED)
        {
            return Ok(entries);
        }
        let entries = self.table().totals(connection)?.entries;
        self.room.state.lock().counted = Some((entries, now));
        Ok(entries)
    }

    /// Whether a row takes this value.
    pub(super) fn fits(&self, value: &[u8]) -> bool {
        let most = if self.config().layout == Layout::Own { MOST_ROW } else { MOST_ROW / 4 * 3 };
        value.len() <= most
    }

    /// Whether a value of this size may be written at all.
    pub(super) fn has_room(
        &self,
        connection: &Connection,
        size: i64,
        head: Option<Head>,
    ) -> Result<bool, Failure> {
        let most = self.room.max_bytes;
        if self.room.eviction != Eviction::Never || size > most {
            return Ok(size <= most);
        }
        let taken = self.table().totals(connection)?.bytes - head.map_or(0, |head| head.size);
        Ok(taken + size <= most)
    }

    /// After a write of this key: evicts others while there are too many bytes. What takes too long is left to the
    /// writes that follow.
    pub(super) fn make_bytes(
        &self,
        connection: &Connection,
        mut totals: Totals,
        key: &str,
        now: u64,
    ) -> Result<(), Failure> {
        let (most, began) = (self.room.max_bytes, Instant::now());
        let kept = most / KEPT.1 * KEPT.0;
        let written = self.table().place(key);
        while totals.bytes > most && began.elapsed() < EVICTING {
            let wanted = totals.bytes - kept;
            let gone = self.evict(connection, now, Some(&written), |_, bytes| bytes < wanted)?;
            self.counts.evicted.fetch_add(count(gone.entries), Relaxed);
            if gone.entries == 0 {
                break;
            }
            totals.bytes -= gone.bytes;
        }
        Ok(())
    }

    /// Removes expired entries, then those that are to go first, while more are wanted; one bounded step.
    fn evict(
        &self,
        connection: &Connection,
        now: u64,
        spared: Option<&Place>,
        is_wanted: impl Fn(i64, i64) -> bool,
    ) -> Result<Totals, Failure> {
        let mut found = self.table().sample(connection, SAMPLE)?;
        let is_part = found.len() == SAMPLE;
        // By the clock it need not be the newest.
        found.retain(|candidate| Some(&candidate.place) != spared);
        found.sort_by_key(|candidate| (is_live(candidate.deadline, now), candidate.rank));
        if is_part {
            found.truncate(SAMPLE / 4);
        }
        let mut gone = Totals::default();
        for candidate in found {
            if !is_wanted(gone.entries, gone.bytes) {
                break;
            }
            self.remove(connection, &candidate, &mut gone)?;
        }
        self.went(connection, gone)?;
        Ok(gone)
    }

    fn remove(
        &self,
        connection: &Connection,
        candidate: &Candidate,
        gone: &mut Totals,
    ) -> Result<(), Failure> {
        self.table().remove_at(connection, &candidate.place)?;
        gone.entries += 1;
        gone.bytes += candidate.size;
        Ok(())
    }

    fn went(&self, connection: &Connection, gone: Totals) -> Result<(), Failure> {
        self.room.changed(-gone.entries);
        self.table().change(connection, Totals { entries: -gone.entries, bytes: -gone.bytes }).map(drop)
    }

    /// A step of looking for what is over.
    fn sweep(&self, connection: &Connection, now: u64) -> Result<(), Failure> {
        let from = {
            let mut state = self.room.state.lock();
            if now < state.swept.saturating_add(SWEPT) && state.swept <= now {
                return Ok(());
            }
            state.swept = now;
            state.sweep_from.take()
        };
        let (gone, next) = self.sweep_step(connection, from.as_ref(), now)?;
        let mut state = self.room.state.lock();
        state.sweep_from = next;
        // Much was over: there is more.
        if gone.entries > i64::try_from(SWEEP / 4).unwrap_or(0) {
            state.swept = 0;
        }
        Ok(())
    }

    pub(super) fn sweep_step(
        &self,
        connection: &Connection,
        from: Option<&Place>,
        now: u64,
    ) -> Result<(Totals, Option<Place>), Failure> {
        let (found, next) = self.table().expired(connection, from, SWEEP, now)?;
        let mut gone = Totals::default();
        for candidate in &found {
            self.remove(connection, candidate, &mut gone)?;
        }
        self.went(connection, gone)?;
        self.counts.expired.fetch_add(count(gone.entries), Relaxed);
        Ok((gone, next))
    }

    fn write_uses(&self, connection: &Connection) -> Result<(), Failure> {
        let uses = std::mem::take(&mut *self.room.uses.lock());
        self.room.pending.store(0, Relaxed);
        uses.iter().try_for_each(|(key, at)| self.table().used(connection, key, *at))
    }

    /// A reader writes down what was used, once in a while. What cannot be written now is written by the next.
    pub(super) fn flush_if_many(&self, now: u64) {
        if self.room.eviction != Eviction::Use || self.room.pending.load(Relaxed) < USES {
            return;
        }
        if now < self.room.state.lock().flushed.saturating_add(FLUSHED) {
            return;
        }
        self.room.state.lock().flushed = now;
        let kept = self.room.uses.lock().clone();
        // Nobody waits for this.
        if self.write_within(Duration::ZERO, |connection| self.write_uses(connection)).is_err() {
            self.room.uses.lock().extend(kept);
        }
    }
}

fn count(entries: i64) -> u64 {
    u64::try_from(entries).unwrap_or(0)
}
