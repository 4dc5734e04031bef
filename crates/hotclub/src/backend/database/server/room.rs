//! How many rows there are, and room for more: Django's MAX_ENTRIES and CULL_FREQUENCY with its counts, without
//! counting the table on each write.
//!
//! The count is exact while one process writes, since every write says how many rows are new. What others did is seen
//! when the table is counted anew: when the limit seems to be reached, and after a while.
use super::error::Trouble;
use super::session::Session;
use super::store::add;
use super::table::Found;
use super::verbs::MOST_ROWS;
use crate::backend::Limit;
use hotclub_net::locks::Mutex;
use std::time::{Duration, Instant};

/// After this time others may have written much.
const COUNTED_ANEW: Duration = Duration::from_secs(30);
/// So often one write removes rows whose time is over, so many at a time.
const SWEPT: Duration = Duration::from_secs(1);
const SWEEP: i64 = 256;
/// So many of these steps a cull takes before it takes what is left.
const SWEEPS: usize = 16;
/// A read is noted that comes this many milliseconds after the use that is known.
const NOTED: i64 = 60_000;

/// What is known of the rows of a table.
#[derive(Debug, Default)]
pub(super) struct Room {
    rows: Option<(i64, Instant)>,
    swept: Option<Instant>,
    /// Somebody will look for what was not used for longest.
    is_limited: bool,
    is_culling: bool,
}

impl Room {
    fn known(&self) -> Option<i64> {
        self.rows.filter(|(_, since)| since.elapsed() < COUNTED_ANEW).map(|(rows, _)| rows)
    }

    fn know(&mut self, rows: i64) {
        self.rows = Some((rows, Instant::now()));
    }

    /// So many rows more, or fewer.
    pub(super) fn change(&mut self, by: i64) {
        if let Some((rows, _)) = &mut self.rows {
            *rows = (*rows + by).max(0);
        }
    }

    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        self.rows = None;
    }

    /// Whether it is time for a step of sweeping; the others need not.
    fn is_due(&mut self) -> bool {
        let due = self.swept.is_none_or(|swept| swept.elapsed() > SWEPT);
        if due {
            self.swept = Some(Instant::now());
        }
        due
    }
}

/// Somebody of this process culls, until this is dropped, also by who does not wait for the end.
struct Culling<'a>(&'a Mutex<Room>);

impl Drop for Culling<'_> {
    fn drop(&mut self) {
        self.0.lock().is_culling = false;
    }
}

impl Session<'_> {
    /// Before a write: removes some rows whose time is over, and culls if the limit is reached.
    pub(super) async fn make_room(&mut self, limit: Option<Limit>) -> Result<(), Trouble> {
        let due = self.state.room.lock().is_due();
        if due && self.sweep().await? == SWEEP {
            self.state.room.lock().swept = None;
        }
        let Some(limit) = limit.or(self.config.limit) else { return Ok(()) };
        self.state.room.lock().is_limited = true;
        let known = self.state.room.lock().known();
        if known.is_some_and(|rows| rows < limit.max_entries) {
            return Ok(());
        }
        if self.count().await? < limit.max_entries {
            return Ok(());
        }
        // One at a time: two would each remove their part.
        let state = self.state;
        if std::mem::replace(&mut state.room.lock().is_culling, true) {
            return Ok(());
        }
        let _culling = Culling(&state.room);
        self.sweep_and_cull(limit).await
    }

    async fn sweep_and_cull(&mut self, limit: Limit) -> Result<(), Trouble> {
        for _ in 0..SWEEPS {
            if self.sweep().await? < SWEEP {
                break;
            }
        }
        let rows = self.count().await?;
        if rows >= limit.max_entries { self.cull(limit, rows).await } else { Ok(()) }
    }

    /// After a read, where there is a limit: a statement more, but once a minute for an entry.
    pub(super) async fn note_use(&mut self, found: &[&Found]) -> Result<(), Trouble> {
        if !self.table.is_own() || !(self.config.limit.is_some() || self.state.room.lock().is_limited) {
            return Ok(());
        }
        let before = self.now.saturating_sub(NOTED);
        let due = found.iter().filter(|found| found.used < before);
        let keys: Vec<&str> = due.filter_map(|found| std::str::from_utf8(&found.key).ok()).collect();
        for keys in keys.chunks(MOST_ROWS) {
            let noted = self.ask(self.table.note_use(keys, self.now)).await;
            unless_busy(noted.map(|answer| answer.affected))?;
        }
        Ok(())
    }

    async fn count(&mut self) -> Result<i64, Trouble> {
        let rows = self.ask(self.table.rows()).await?.number();
        self.state.room.lock().know(rows);
        Ok(rows)
    }

    async fn sweep(&mut self) -> Result<i64, Trouble> {
        let removed = self.ask(self.table.sweep(self.now, SWEEP)).await;
        let removed = unless_busy(removed.map(|answer| answer.affected))?;
        add(&self.counts.expired, removed);
        let removed = i64::try_from(removed).unwrap_or(SWEEP);
        self.state.room.lock().change(-removed);
        Ok(removed)
    }

    async fn cull(&mut self, limit: Limit, rows: i64) -> Result<(), Trouble> {
        let victims = if limit.cull_frequency == 0 { rows } else { rows / limit.cull_frequency };
        let removed = self.ask(self.table.cull(victims.max(0))).await;
        let removed = unless_busy(removed.map(|answer| answer.affected))?;
        add(&self.counts.culled, removed);
        self.state.room.lock().change(-i64::try_from(removed).unwrap_or(i64::MAX));
        Ok(())
    }
}

/// Somebody else who removes the same rows is no hindrance.
fn unless_busy(removed: Result<u64, Trouble>) -> Result<u64, Trouble> {
    match removed {
        Err(Trouble::Conflict(_)) => Ok(0),
        other => other,
    }
}
