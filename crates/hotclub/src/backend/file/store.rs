//! The verbs over files: what is read, and what is one step for all processes.
use super::config::FileConfig;
use super::directory::{Directory, Item, Place, Whole};
use super::error::Problem;
use super::format::{self, Expiry, MOST_HEADER, is_over, read_expiry, write_expiry};
use super::locks::{Held, Locks};
use super::room::Room;
use crate::backend::{Condition, Limit};
use crate::error::Result as Answer;
use crate::fork::PerProcess;
use crate::stats::Stats;
use crate::timeout::Life;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

/// A store of files. Values are bytes that are compressed as they are: pickles, where Django is to read them.
#[derive(Debug)]
pub struct Store {
    config: FileConfig,
    directory: Directory,
    locks: Locks,
    room: PerProcess<Room>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    sets: AtomicU64,
    expired: AtomicU64,
    culled: AtomicU64,
    deleted: AtomicU64,
}

/// An entry that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The value, inflated.
    pub value: Vec<u8>,
    /// When it ends, in seconds since 1970; `None`: never.
    pub expiry: Option<f64>,
    /// For [`Condition::IfCas`].
    pub cas: u64,
}

/// How an entry is written.
#[derive(Debug, Clone, Copy)]
pub struct Write {
    /// How long it lives.
    pub life: Life,
    /// When it is written.
    pub condition: Condition,
    /// The caller's limit; without one the store's.
    pub limit: Option<Limit>,
}

impl Store {
    /// A store that follows this configuration. Nothing is made before the first write.
    ///
    /// # Errors
    /// As [`FileConfig::check`].
    pub fn new(config: FileConfig) -> Answer<Self> {
        config.check()?;
        crate::fork::watch();
        let directory = Directory::new(config.path.clone());
        let locks = Locks::new(&directory, config.lock_limit);
        Ok(Store { config, directory, locks, room: PerProcess::new(), counts: Counts::default() })
    }

    /// What it was told.
    pub fn config(&self) -> &FileConfig {
        &self.config
    }

    fn room(&self) -> &Room {
        self.room.get_or(Room::default)
    }

    fn hold(&self, place: &Place) -> Result<Held<'_>, Problem> {
        self.locks.hold(place.range, &self.directory)
    }

    /// Reads an entry; nothing if there is none, or its time is over.
    ///
    /// # Errors
    /// The file cannot be read, or is no entry.
    pub fn get(&self, key: &str) -> Result<Option<Found>, Problem> {
        let found = self.peek(key)?;
        let count = if found.is_some() { &self.counts.hits } else { &self.counts.misses };
        count.fetch_add(1, Relaxed);
        Ok(found)
    }

    /// The same without counting as a hit or a miss.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn peek(&self, key: &str) -> Result<Option<Found>, Problem> {
        let place = self.directory.place(key);
        let found = match self.directory.read(&place.path)? {
            None => None,
            Some(whole) => self.open(&place, whole)?,
        };
        found
            .map(|(whole, expiry, at)| {
                let value = format::inflate(&whole.bytes[at..])
                    .map_err(|what| Problem::Corrupt(place.path.clone(), what))?;
                Ok(Found { value, expiry, cas: whole.identity() })
            })
            .transpose()
    }

    /// The deadline of what was read, and where its value begins; what is over is removed.
    fn open(&self, place: &Place, whole: Whole) -> Result<Option<(Whole, Expiry, usize)>, Problem> {
        let (expiry, at) = deadline(place, &whole.bytes)?;
        if is_over(expiry, now()) {
            self.remove_expired(&place.path, Some(place.range));
            return Ok(None);
        }
        Ok(Some((whole, expiry, at)))
    }

    /// Removes what is over, unless something else has taken its place meanwhile. It is no error if it cannot be.
    fn remove_expired(&self, path: &Path, range: Option<usize>) -> bool {
        let range = range.unwrap_or_else(|| range_of(path));
        let Ok(_held) = self.locks.hold(range, &self.directory) else { return false };
        self.remove_expired_held(path)
    }

    fn remove_expired_held(&self, path: &Path) -> bool {
        let mut head = [0; MOST_HEADER];
        let Ok(Some(head)) = self.directory.read_head(path, &mut head) else { return false };
        let is_expired = read_expiry(head).is_ok_and(|(expiry, _)| is_over(expiry, now()));
        if !is_expired {
            return false;
        }
        let Ok(Some(bytes)) = self.directory.remove(path) else { return false };
        self.room().removed(bytes);
        self.counts.expired.fetch_add(1, Relaxed);
        true
    }

    /// Whether there is a live entry; its value is not looked at.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn has(&self, key: &str) -> Result<bool, Problem> {
        Ok(self.live(&self.directory.place(key))?.is_some())
    }

    /// The deadline of a live entry.
    fn live(&self, place: &Place) -> Result<Option<Expiry>, Problem> {
        let mut head = [0; MOST_HEADER];
        let Some(head) = self.directory.read_head(&place.path, &mut head)? else { return Ok(None) };
        let (expiry, _) = deadline(place, head)?;
        Ok((!is_over(expiry, now())).then_some(expiry))
    }

    /// Writes an entry; whether its condition held.
    ///
    /// # Errors
    /// The file cannot be written: then the entry is as it was.
    pub fn set(&self, key: &str, value: &[u8], write: Write) -> Result<bool, Problem> {
        let place = self.directory.place(key);
        let mut bytes = Vec::with_capacity(value.len() / 2 + 64);
        write_expiry(expiry_of(write.life), &mut bytes);
        let bytes = format::deflate(value, self.config.level, bytes)
            .map_err(|error| Problem::system(&place.path, &error))?;
        if let Some(most) = self.config.max_bytes.filter(|most| bytes.len() as u64 > *most) {
            return self.refuse(place, write.condition, bytes.len(), most);
        }
        self.make_room(write.limit, bytes.len())?;
        let _held = self.hold(&place)?;
        if !self.allows(&place, write.condition)? {
            return Ok(false);
        }
        if write.life == Life::Gone {
            // Nothing readable remains.
            self.remove(&place)?;
            return Ok(true);
        }
        self.put(&place, &bytes)?;
        self.counts.sets.fetch_add(1, Relaxed);
        Ok(true)
    }

    /// What it was to replace does not outlive it.
    #[cold]
    fn refuse(&self, place: Place, condition: Condition, bytes: usize, most: u64) -> Result<bool, Problem> {
        let _held = self.hold(&place)?;
        if !self.allows(&place, condition)? {
            return Ok(false);
        }
        self.remove(&place)?;
        Err(Problem::TooLarge(place.path, bytes, most))
    }

    fn make_room(&self, limit: Option<Limit>, bytes: usize) -> Result<(), Problem> {
        let limit = limit.or(self.config.limit);
        let remove = |path: &Path| self.remove_expired(path, None);
        let most = self.config.max_bytes.map(|most| (most, bytes));
        let removed = self.room().make(&self.directory, limit, most, now(), &remove)?;
        if removed.culled > 0 {
            self.counts.culled.fetch_add(removed.culled, Relaxed);
        }
        Ok(())
    }

    fn allows(&self, place: &Place, condition: Condition) -> Result<bool, Problem> {
        Ok(match condition {
            Condition::Always => true,
            // What cannot be read is in the way of nobody.
            Condition::IfAbsent => !matches!(self.live(place), Ok(Some(_))),
            Condition::IfPresent => self.live(place)?.is_some(),
            Condition::IfCas(cas) => match self.directory.read(&place.path)? {
                Some(whole) => whole.identity() == cas && self.live(place)?.is_some(),
                None => false,
            },
        })
    }

    fn put(&self, place: &Place, bytes: &[u8]) -> Result<(), Problem> {
        let before = self.directory.replace(&place.path, bytes)?;
        self.room().wrote(bytes.len(), before);
        Ok(())
    }

    fn remove(&self, place: &Place) -> Result<bool, Problem> {
        let removed = self.directory.remove(&place.path)?;
        if let Some(bytes) = removed {
            self.room().removed(bytes);
        }
        Ok(removed.is_some())
    }

    /// Removes an entry; whether there was a file, live or not (Django's answer), and whether it was live.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn delete(&self, key: &str) -> Result<(bool, bool), Problem> {
        let place = self.directory.place(key);
        let _held = self.hold(&place)?;
        let was_live = self.live(&place).unwrap_or(None).is_some();
        let was_there = self.remove(&place)?;
        if was_there {
            self.counts.deleted.fetch_add(1, Relaxed);
        }
        Ok((was_there, was_there && was_live))
    }

    /// Gives an entry a new life; whether there was a live one.
    ///
    /// # Errors
    /// As [`Store::set`].
    pub fn touch(&self, key: &str, life: Life) -> Result<bool, Problem> {
        let place = self.directory.place(key);
        let _held = self.hold(&place)?;
        let Some(whole) = self.directory.read(&place.path)? else { return Ok(false) };
        let (expiry, at) = deadline(&place, &whole.bytes)?;
        if is_over(expiry, now()) || life == Life::Gone {
            let was_live = !is_over(expiry, now());
            self.remove(&place)?;
            return Ok(was_live);
        }
        let mut bytes = Vec::with_capacity(whole.bytes.len() + 32);
        write_expiry(expiry_of(life), &mut bytes);
        bytes.extend_from_slice(&whole.bytes[at..]);
        self.put(&place, &bytes)?;
        Ok(true)
    }

    /// Changes the value of a live entry in one step, keeping its deadline; nothing if there is none.
    ///
    /// # Errors
    /// As [`Store::set`]; what `change` says.
    pub fn change<E: From<Problem>>(
        &self,
        key: &str,
        change: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, E>,
    ) -> Result<Option<()>, E> {
        let place = self.directory.place(key);
        let _held = self.hold(&place)?;
        let Some(whole) = self.directory.read(&place.path)? else { return Ok(None) };
        let (expiry, at) = deadline(&place, &whole.bytes)?;
        if is_over(expiry, now()) {
            return Ok(None);
        }
        let corrupt = |what| Problem::Corrupt(place.path.clone(), what);
        let value = change(format::inflate(&whole.bytes[at..]).map_err(corrupt)?)?;
        let mut bytes = Vec::with_capacity(whole.bytes.len() + 32);
        write_expiry(expiry, &mut bytes);
        let bytes = format::deflate(&value, self.config.level, bytes)
            .map_err(|error| Problem::system(&place.path, &error))?;
        self.put(&place, &bytes)?;
        Ok(Some(()))
    }

    /// Writes over what was read, keeping its deadline; false if it was changed meanwhile.
    ///
    /// # Errors
    /// As [`Store::set`].
    pub fn replace(&self, key: &str, read: &Found, value: &[u8]) -> Result<bool, Problem> {
        let place = self.directory.place(key);
        let mut bytes = Vec::with_capacity(value.len() / 2 + 64);
        write_expiry(read.expiry, &mut bytes);
        let bytes = format::deflate(value, self.config.level, bytes)
            .map_err(|error| Problem::system(&place.path, &error))?;
        let _held = self.hold(&place)?;
        if !self.allows(&place, Condition::IfCas(read.cas))? {
            return Ok(false);
        }
        self.put(&place, &bytes)?;
        Ok(true)
    }

    /// Removes all entries, whoever wrote them, and nothing else.
    ///
    /// # Errors
    /// The first that could not be removed, after all were tried.
    pub fn clear(&self) -> Result<(), Problem> {
        let mut end = Ok(());
        let mut removed = 0;
        for item in self.directory.items()? {
            if let Item::Entry(path) = item {
                match self.directory.remove(&path) {
                    Ok(was_there) => removed += u64::from(was_there.is_some()),
                    Err(problem) => end = end.and(Err(problem)),
                }
            }
        }
        self.counts.deleted.fetch_add(removed, Relaxed);
        if end.is_ok() {
            self.room().emptied();
        }
        end
    }

    /// Counters of this process.
    pub fn stats(&self) -> Stats {
        let (entries, bytes) = self.room().counted(&self.directory);
        let Counts { hits, misses, sets, expired, culled, deleted } = &self.counts;
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        Stats {
            hits: count(hits),
            misses: count(misses),
            sets: count(sets),
            expired: count(expired),
            culled: count(culled),
            deleted: count(deleted),
            entries,
            bytes,
            ..Stats::default()
        }
    }
}

/// The deadline of what is in this place, and where its value begins.
fn deadline(place: &Place, bytes: &[u8]) -> Result<(Expiry, usize), Problem> {
    read_expiry(bytes).map_err(|what| Problem::Corrupt(place.path.clone(), what))
}

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn expiry_of(life: Life) -> Expiry {
    match life {
        Life::Never => None,
        Life::For(time) => Some(now() + time.as_secs_f64()),
        Life::Gone => Some(now() - 1.0),
    }
}

/// The range of an entry by its name, which begins with the first byte of its digest.
fn range_of(path: &Path) -> usize {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.get(..2).and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or(0)
}
