//! How many entries there are, and room for more: Django's MAX_ENTRIES and CULL_FREQUENCY with its counts, without
//! listing the directory on each write.
//!
//! The count is exact while one process writes, since it counts what it does. Others are seen when the directory is
//! counted anew: when the limit seems to be reached, and after a while. Going through it takes bounded steps of the
//! writes that come by, but for the one that finds the limit reached.
use super::directory::{ABANDONED, Directory, Item};
use super::error::Problem;
use super::format::{MOST_HEADER, is_over, read_expiry};
use crate::backend::Limit;
use hotclub_net::locks::Mutex;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// After this time others may have written much.
const COUNTED_ANEW: Duration = Duration::from_secs(30);
/// So often one write looks for what is over, among so many files.
const SWEPT: Duration = Duration::from_secs(1);
const SWEEP: usize = 64;
/// Most victims that one write removes, and most files that one looks at.
const VICTIMS: usize = 512;
const COUNT: usize = 1024;
/// A cull for bytes goes down to this part of the limit.
const KEPT: f64 = 0.9;

#[derive(Debug, Default)]
pub(super) struct Room(Mutex<State>);

/// What was counted, and how far the running count has come.
#[derive(Default)]
struct State {
    known: Option<Known>,
    counting: Option<(Listing, Known)>,
    sweeping: Option<Listing>,
    swept: Option<Instant>,
    /// Victims that wait for their turn.
    doomed: Vec<PathBuf>,
}

type Listing = Box<dyn Iterator<Item = Item> + Send>;

#[derive(Debug, Clone, Copy)]
struct Known {
    entries: i64,
    bytes: i64,
    since: Instant,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("known", &self.known).finish_non_exhaustive()
    }
}

/// What was removed to make room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) culled: u64,
    pub(super) expired: u64,
}

impl Room {
    /// An entry was written; `before`: what stood there had so many bytes.
    pub(super) fn wrote(&self, bytes: usize, before: Option<u64>) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let before = before.map(|before| i64::try_from(before).unwrap_or(0));
        self.change(i64::from(before.is_none()), bytes - before.unwrap_or(0));
    }

    /// An entry was removed, which had so many bytes.
    pub(super) fn removed(&self, bytes: u64) {
        self.change(-1, -i64::try_from(bytes).unwrap_or(0));
    }

    fn change(&self, entries: i64, bytes: i64) {
        let mut state = self.0.lock();
        let State { known, counting, .. } = &mut *state;
        let counting = counting.as_mut().map(|(_, known)| known);
        for known in known.iter_mut().chain(counting) {
            known.entries += entries;
            known.bytes += bytes;
        }
    }

    /// Everything was removed.
    pub(super) fn emptied(&self) {
        *self.0.lock() = State { known: Some(Known::empty()), ..State::default() };
    }

    /// How many entries and bytes there are, as far as is known; counted if nothing is.
    pub(super) fn counted(&self, directory: &Directory) -> (u64, u64) {
        drop(self.entries(directory));
        let known = self.0.lock().known;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        known.map_or((0, 0), |known| (count(known.entries), count(known.bytes)))
    }

    /// Before a write: culls if the limit is reached, and does a step of what is due. `bytes`: most of all entries, and
    /// what will be written.
    pub(super) fn make(
        &self,
        directory: &Directory,
        limit: Option<Limit>,
        bytes: Option<(u64, usize)>,
        now: f64,
        remove_expired: &dyn Fn(&Path) -> bool,
    ) -> Result<Removed, Problem> {
        let mut removed = Removed { culled: self.remove_doomed(directory)?, ..Removed::default() };
        if let Some(limit) = limit {
            removed.culled += self.cull(directory, limit)?;
        }
        if let Some((most, incoming)) = bytes {
            removed.culled += self.cull_bytes(directory, most, incoming)?;
        }
        removed.expired = self.sweep(directory, now, remove_expired)?;
        Ok(removed)
    }

    /// Django's cull: as many entries as the limit or more, and one in `cull_frequency` goes.
    fn cull(&self, directory: &Directory, limit: Limit) -> Result<u64, Problem> {
        if self.entries(directory)? < limit.max_entries {
            return Ok(0);
        }
        // Others may have removed or added some.
        let mut found: Vec<PathBuf> = Vec::new();
        for item in directory.items()? {
            if let Item::Entry(path) = item {
                found.push(path);
            }
        }
        let entries = i64::try_from(found.len()).unwrap_or(i64::MAX);
        self.know(entries);
        if entries < limit.max_entries {
            return Ok(0);
        }
        let victims = match limit.cull_frequency {
            0 => found.len(),
            one_in => usize::try_from(entries / one_in).unwrap_or(0),
        };
        // The order of a listing follows no use and no age, so those at its end are as good as any.
        let doomed = found.split_off(found.len() - victims);
        self.0.lock().doomed.extend(doomed);
        self.remove_doomed(directory)
    }

    /// The oldest go until a tenth of the limit is free, or as much as is to be written.
    fn cull_bytes(&self, directory: &Directory, most: u64, incoming: usize) -> Result<u64, Problem> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let room = most - i64::try_from(incoming).unwrap_or(most);
        self.entries(directory)?;
        if self.0.lock().known.is_none_or(|known| known.bytes <= room) {
            return Ok(0);
        }
        let mut found = Vec::new();
        for item in directory.items()? {
            if let Item::Entry(path) = item
                && let Ok(metadata) = fs::symlink_metadata(&path)
            {
                let age = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((age, i64::try_from(metadata.len()).unwrap_or(0), path));
            }
        }
        let mut bytes: i64 = found.iter().map(|(_, bytes, _)| bytes).sum();
        let known =
            Known { entries: i64::try_from(found.len()).unwrap_or(i64::MAX), bytes, since: Instant::now() };
        self.0.lock().known = Some(known);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a part of it")]
        let wanted = ((most as f64 * KEPT) as i64).min(room);
        if bytes <= room {
            return Ok(0);
        }
        found.sort_unstable();
        let mut doomed = Vec::new();
        for (_, size, path) in found {
            if bytes <= wanted {
                break;
            }
            bytes -= size;
            doomed.push(path);
        }
        self.0.lock().doomed.extend(doomed);
        self.remove_doomed(directory)
    }

    /// Removes as many victims as one write may.
    fn remove_doomed(&self, directory: &Directory) -> Result<u64, Problem> {
        let victims: Vec<PathBuf> = {
            let mut state = self.0.lock();
            let from = state.doomed.len().saturating_sub(VICTIMS);
            state.doomed.split_off(from)
        };
        let mut removed = 0;
        for path in victims {
            if let Some(bytes) = directory.remove(&path)? {
                self.removed(bytes);
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The number of entries; counted at first, and a step of counting anew after a while.
    fn entries(&self, directory: &Directory) -> Result<i64, Problem> {
        let mut state = self.0.lock();
        let Some(known) = state.known else {
            drop(state);
            let mut counted = Known::empty();
            directory.items()?.for_each(|item| counted.count(&item));
            let mut state = self.0.lock();
            return Ok(state.known.get_or_insert(counted).entries);
        };
        if state.counting.is_none() && known.since.elapsed() > COUNTED_ANEW {
            state.counting = Some((Box::new(directory.items()?), Known::empty()));
        }
        if let Some((listing, counted)) = &mut state.counting {
            let mut items = 0;
            for item in listing.take(COUNT) {
                counted.count(&item);
                items += 1;
            }
            if items < COUNT {
                let counted = Known { since: Instant::now(), ..*counted };
                (state.known, state.counting) = (Some(counted), None);
                return Ok(counted.entries);
            }
        }
        Ok(known.entries)
    }

    fn know(&self, entries: i64) {
        let mut state = self.0.lock();
        let bytes = state.known.map_or(0, |known| known.bytes);
        state.known = Some(Known { entries, bytes, since: Instant::now() });
    }

    /// A step of looking for what is over: expired entries, and halves that nobody will finish.
    fn sweep(
        &self,
        directory: &Directory,
        now: f64,
        remove_expired: &dyn Fn(&Path) -> bool,
    ) -> Result<u64, Problem> {
        let step: Vec<Item> = {
            let mut state = self.0.lock();
            if state.swept.is_some_and(|swept| swept.elapsed() < SWEPT) {
                return Ok(0);
            }
            state.swept = Some(Instant::now());
            let mut listing = match state.sweeping.take() {
                Some(listing) => listing,
                None => Box::new(directory.items()?),
            };
            let step: Vec<Item> = listing.by_ref().take(SWEEP).collect();
            if step.len() == SWEEP {
                state.sweeping = Some(listing);
            }
            step
        };
        let mut expired = 0;
        let mut head = [0; MOST_HEADER];
        for item in step {
            match item {
                Item::Half(path) if is_abandoned(&path) => drop(directory.remove(&path)),
                Item::Half(_) => {}
                Item::Entry(path) => {
                    let head = directory.read_head(&path, &mut head).ok().flatten();
                    let is_expired =
                        |head: &[u8]| read_expiry(head).is_ok_and(|(expiry, _)| is_over(expiry, now));
                    if head.is_some_and(is_expired) && remove_expired(&path) {
                        expired += 1;
                    }
                }
            }
        }
        Ok(expired)
    }
}

impl Known {
    fn empty() -> Self {
        Known { entries: 0, bytes: 0, since: Instant::now() }
    }

    fn count(&mut self, item: &Item) {
        if let Item::Entry(path) = item {
            self.entries += 1;
            let size = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
            self.bytes += i64::try_from(size).unwrap_or(0);
        }
    }
}

fn is_abandoned(path: &Path) -> bool {
    let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
}
