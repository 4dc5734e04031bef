//! What is one step for all processes: a lock for each range of keys, in a file beside the entries.
//!
//! The lock is one of *open file descriptions* (Linux, `F_OFD_SETLK`): it is held by this process's own description of
//! the file, ends with the process however that ends, and says nothing about threads; so each range also has a mutex. The
//! child of a fork opens a description of its own. Not for network file systems.
use super::directory::Directory;
use super::error::Problem;
use crate::fork::PerProcess;
use hotclub_net::locks::{Mutex, TimedGuard, TimedMutex};
use std::array;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Ranges of keys.
pub(super) const RANGES: usize = 256;
/// What the lock file is called; Django's class neither counts nor removes it.
pub(super) const LOCK_FILE: &str = ".hotclub.lock";

#[derive(Debug)]
pub(super) struct Locks {
    path: PathBuf,
    limit: Duration,
    state: PerProcess<State>,
}

#[derive(Debug)]
struct State {
    /// Each range's: threads wait here, since those of a process share what the file knows of it.
    ranges: [TimedMutex<()>; RANGES],
    // Short: a pointer is read or replaced.
    file: Mutex<Option<Arc<File>>>,
}

/// A range that nobody else has, until this is dropped.
#[derive(Debug)]
pub(super) struct Held<'a> {
    file: Arc<File>,
    range: usize,
    _thread: TimedGuard<'a, ()>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It cannot fail for a lock that is held; the end of the process would end it too.
        drop(lock(&self.file, self.range, libc::F_UNLCK));
    }
}

impl Locks {
    pub(super) fn new(directory: &Directory, limit: Duration) -> Self {
        Locks { path: directory.path().join(LOCK_FILE), limit, state: PerProcess::new() }
    }

    /// Waits for this range, within the limit.
    pub(super) fn hold(&self, range: usize, directory: &Directory) -> Result<Held<'_>, Problem> {
        let range = range % RANGES;
        let until = Instant::now() + self.limit;
        let make = || State { ranges: array::from_fn(|_| TimedMutex::new(())), file: Mutex::default() };
        let state = self.state.get_or(make);
        let too_late = || Problem::Locked(self.path.clone(), self.limit);
        let thread = state.ranges[range].lock_for(self.limit).ok_or_else(too_late)?;
        let mut pause = Duration::from_micros(50);
        loop {
            let file = self.file(state, directory)?;
            match lock(&file, range, libc::F_WRLCK) {
                // The directory may have been removed and made anew since the file was opened.
                Ok(true) if is_there(&file) => return Ok(Held { file, range, _thread: thread }),
                Ok(true) => {
                    drop(lock(&file, range, libc::F_UNLCK));
                    state.file.lock().take_if(|known| Arc::ptr_eq(known, &file));
                    if Instant::now() > until {
                        return Err(too_late());
                    }
                }
                Ok(false) if Instant::now() > until => return Err(too_late()),
                Ok(false) => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(5));
                }
                Err(error) => return Err(Problem::system(&self.path, &error)),
            }
        }
    }

    fn file(&self, state: &State, directory: &Directory) -> Result<Arc<File>, Problem> {
        if let Some(file) = &*state.file.lock() {
            return Ok(file.clone());
        }
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).mode(0o600);
            options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(&self.path)
        };
        let opened = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                directory.make()?;
                open()
            }
            opened => opened,
        };
        let file = Arc::new(opened.map_err(|error| Problem::system(&self.path, &error))?);
        Ok(state.file.lock().get_or_insert(file).clone())
    }
}

/// Whether the file still has a name.
fn is_there(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
}

/// Takes or gives back a range; false: another process has it.
fn lock(file: &File, range: usize, kind: libc::c_int) -> io::Result<bool> {
    // SAFETY: all zeroes are a valid `flock`: plain numbers.
    let mut wanted: libc::flock = unsafe { std::mem::zeroed() };
    #[expect(clippy::cast_possible_truncation, reason = "small constants")]
    {
        wanted.l_type = kind as libc::c_short;
        wanted.l_whence = libc::SEEK_SET as libc::c_short;
    }
    (wanted.l_start, wanted.l_len) = (range as libc::off_t, 1);
    // SAFETY: the descriptor is open for as long as the borrow lasts, and the structure is the one that it wants.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const wanted) };
    if done == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES | libc::EINTR) => Ok(false),
        _ => Err(error),
    }
}
