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
use crate::error::ErrorKind;
use hotclub_net::locks::Mutex;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// After this time others may have written much.
const COUNTED_ANEW: Duration = Duration::from_secs(30);
/// So often one write removes rows whose time is over, so many at a time.
const SWEPT: Duration = Duration::from_secs(1);
const SWEEP: i64 = 256;
/// So many of these steps a write takes that finds the limit reached. What is left is for the next one.
const STEPS: usize = 16;
/// Rows that one step of a cull removes, and for how long a write begins another one.
const CULLED: i64 = 10_000;
const MOST_CULLING: Duration = Duration::from_secs(2);
/// A read is noted that comes this many milliseconds after the use that is known.
const NOTED: i64 = 60_000;
/// What failed for want of time is not tried again for so long.
const REST: Duration = Duration::from_secs(5);
/// The note is not worth more of the reader's time.
const NOTING: Duration = Duration::from_millis(250);

/// What is known of the rows of a table.
#[derive(Debug, Default)]
pub(super) struct Room {
    rows: Option<(i64, Instant)>,
    swept: Option<Instant>,
    /// When a count, or the noting of a use, failed: others are not to wait for it again at once.
    uncounted: Option<Instant>,
    unnoted: Option<Instant>,
    /// Somebody will look for what was not used for longest.
    is_limited: bool,
    is_culling: bool,
}

impl Room {
    fn rests(since: Option<Instant>) -> bool {
        since.is_some_and(|since| since.elapsed() < REST)
    }

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
        let (known, rests) = {
            let room = self.state.room.lock();
            (room.known(), Room::rests(room.uncounted))
        };
        if rests || known.is_some_and(|rows| rows < limit.max_entries) {
            return Ok(());
        }
        match self.count().await {
            Ok(rows) if rows < limit.max_entries => return Ok(()),
            Ok(_) => {}
            Err(trouble) if is_busy(&trouble) => {
                self.state.room.lock().uncounted = Some(Instant::now());
                return Ok(());
            }
            Err(trouble) => return Err(trouble),
        }
        // Those of other processes are told apart in the database; here it costs nothing.
        let state = self.state;
        if std::mem::replace(&mut state.room.lock().is_culling, true) {
            return Ok(());
        }
        let _culling = Culling(&state.room);
        self.sweep_and_cull(limit).await
    }

    async fn sweep_and_cull(&mut self, limit: Limit) -> Result<(), Trouble> {
        let began = Instant::now();
        for _ in 0..STEPS {
            if self.sweep().await? < SWEEP || began.elapsed() > MOST_CULLING {
                break;
            }
        }
        let mut goal = None;
        for _ in 0..STEPS {
            if self.step(limit, &mut goal).await?.is_break() || began.elapsed() > MOST_CULLING {
                break;
            }
        }
        Ok(())
    }

    /// After a read, where there is a limit: a statement more, but once a minute for an entry. It is a help to those
    /// who cull: where it cannot be noted in time, the read is none the worse.
    pub(super) async fn note_use(&mut self, found: &[&Found]) {
        let is_wanted = {
            let room = self.state.room.lock();
            (self.config.limit.is_some() || room.is_limited) && !Room::rests(room.unnoted)
        };
        if !self.table.is_own() || !is_wanted {
            return;
        }
        let now = self.now();
        let before = now.saturating_sub(NOTED);
        let due = found.iter().filter(|found| found.used < before);
        let keys: Vec<&str> = due.filter_map(|found| std::str::from_utf8(&found.key).ok()).collect();
        let limit = self.config.reply_limit.min(NOTING);
        for keys in keys.chunks(MOST_ROWS) {
            if self.ask_within(limit, self.table.note_use(keys, now)).await.is_err() {
                // What was asked may wait on in the server.
                self.state.room.lock().unnoted = Some(Instant::now());
                return;
            }
        }
    }

    async fn count(&mut self) -> Result<i64, Trouble> {
        let rows = self.ask(self.table.rows()).await?.number();
        self.state.room.lock().know(rows);
        Ok(rows)
    }

    async fn sweep(&mut self) -> Result<i64, Trouble> {
        let removed = match self.ask(self.table.sweep(self.now(), SWEEP)).await {
            Ok(answer) => answer.affected,
            Err(trouble) if is_busy(&trouble) => 0,
            Err(trouble) => return Err(trouble),
        };
        add(&self.counts.expired, removed);
        let removed = i64::try_from(removed).unwrap_or(SWEEP);
        self.state.room.lock().change(-removed);
        Ok(removed)
    }

    /// A step of a cull, by one process at a time: two that each removed their part would remove too much. Whoever
    /// comes second counts anew, and finds the goal reached; whoever finds somebody at it leaves it to them.
    async fn step(&mut self, limit: Limit, goal: &mut Option<i64>) -> Result<ControlFlow<()>, Trouble> {
        self.holds = true;
        let (begin, commit, roll_back) = self.table.around_lock();
        if let Some(begin) = begin {
            self.say(begin).await?;
        }
        let lock = self.table.try_lock();
        let is_ours = match self.ask(lock).await {
            Ok(answer) => answer.number() == 1,
            // Where there are no such locks, as in a cluster of MariaDB, culls cannot be told apart.
            Err(Trouble::Refused(ErrorKind::Refused, _)) if begin.is_none() => true,
            Err(trouble) => return Err(trouble),
        };
        let done = if is_ours { self.cull(limit, goal).await } else { Ok(ControlFlow::Break(())) };
        let (end, flow) = match done {
            Ok(flow) => (commit, flow),
            Err(trouble) if is_busy(&trouble) => (roll_back, ControlFlow::Break(())),
            Err(trouble) => return Err(trouble),
        };
        if let Some(end) = end {
            self.say(end).await?;
        }
        if let Some(unlock) = self.table.unlock().filter(|_| is_ours) {
            match self.ask(unlock).await {
                Ok(_) | Err(Trouble::Refused(ErrorKind::Refused, _)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        self.holds = false;
        Ok(flow)
    }

    async fn cull(&mut self, limit: Limit, goal: &mut Option<i64>) -> Result<ControlFlow<()>, Trouble> {
        let rows = self.count().await?;
        let goal = *goal.get_or_insert_with(|| match limit.cull_frequency {
            _ if rows < limit.max_entries => rows,
            0 => 0,
            frequency => rows - rows / frequency,
        });
        let victims = (rows - goal).min(CULLED);
        if victims <= 0 {
            return Ok(ControlFlow::Break(()));
        }
        let removed = self.ask(self.table.cull(victims)).await?.affected;
        add(&self.counts.culled, removed);
        let removed = i64::try_from(removed).unwrap_or(CULLED);
        self.state.room.lock().change(-removed);
        Ok(if removed < CULLED { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// Somebody else has the rows: no hindrance for a write of others.
fn is_busy(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Conflict(_) | Trouble::Refused(ErrorKind::Timeout, _))
}
