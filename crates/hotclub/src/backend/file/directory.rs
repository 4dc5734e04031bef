//! The files themselves: their names, reading one, putting one in the place of another, going through all.
use super::error::Problem;
use super::locks::LOCK_FILE;
use md5::{Digest, Md5};
use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::BuildHasher as _;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

/// What the names of entries end with.
const SUFFIX: &str = ".djcache";
/// What the names of half-written entries begin with, and end with.
const TEMPORARY: (&str, &str) = (".hotclub-", ".tmp");
/// A half-written entry that is older belongs to a process that ended.
pub(super) const ABANDONED: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Whether its file system lets two files change places, as far as is known.
    exchanges: AtomicBool,
}

/// Where an entry is, and which range of locks it belongs to.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) range: usize,
}

/// A file as it was read: what it held, and where it was.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    place: u64,
}

impl Whole {
    /// Tells it from whatever takes its place, for comparisons in this process.
    pub(super) fn identity(&self) -> u64 {
        self.place ^ foldhash::quality::FixedState::default().hash_one(&self.bytes)
    }
}

/// What is found in the directory.
#[derive(Debug)]
pub(super) enum Item {
    Entry(PathBuf),
    /// Half an entry, from a process that may have ended.
    Half(PathBuf),
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Directory { path, exchanges: AtomicBool::new(true) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the entry of a full key is: the MD5 of the key, as Django names it.
    pub(super) fn place(&self, key: &str) -> Place {
        let digest = Md5::digest(key.as_bytes());
        let mut name = String::with_capacity(2 * digest.len() + SUFFIX.len());
        for byte in &digest {
            for digit in [byte >> 4, byte & 15] {
                name.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        name.push_str(SUFFIX);
        Place { path: self.path.join(name), range: usize::from(digest[0]) }
    }

    /// Makes it, and what is missing above it, for its owner alone.
    pub(super) fn make(&self) -> Result<(), Problem> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| Problem::system(&self.path, &error))
    }

    /// A whole file; nothing if there is none.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Whole>, Problem> {
        let wrong = |error: &io::Error| Problem::system(path, error);
        let Some(mut file) = open(path)? else { return Ok(None) };
        let metadata = file.metadata().map_err(|error| wrong(&error))?;
        if !metadata.is_file() {
            return Err(Problem::Foreign(path.to_owned(), "no file stands in the place of an entry"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0).saturating_add(1));
        file.read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
        Ok(Some(Whole { bytes, place: place_of(&metadata) }))
    }

    /// The first bytes of a file.
    pub(super) fn read_head<'b>(&self, path: &Path, room: &'b mut [u8]) -> Result<Option<&'b [u8]>, Problem> {
        let Some(mut file) = open(path)? else { return Ok(None) };
        let mut filled = 0;
        while filled < room.len() {
            match file.read(&mut room[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::system(path, &error)),
            }
        }
        Ok(Some(&room[..filled]))
    }

    /// Puts a new file in the place of an entry, at once for every reader; how many bytes the one before had.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<Option<u64>, Problem> {
        let temporary = match self.write_half(bytes) {
            Err(Problem::System(_, io::ErrorKind::NotFound, _)) => {
                self.make()?;
                self.write_half(bytes)?
            }
            written => written?,
        };
        let before = fs::symlink_metadata(path).ok();
        let is_taken = before.as_ref().is_some_and(fs::Metadata::is_file);
        match self.put_in_place(&temporary, path, is_taken) {
            Ok(()) => Ok(before.map(|metadata| metadata.len())),
            Err(error) => {
                drop(fs::remove_file(&temporary));
                Err(Problem::system(path, &error))
            }
        }
    }

    /// Where a file is already, the two change places and the old one is removed: no moment without either, as in a
    /// rename. ext4 and btrfs write a file to the disk at once when it is renamed over another, in case somebody relies
    /// on that without a sync, and the next write of the entry waits for that: 47 us of CPU and 120 of time, to 15 and 15.
    fn put_in_place(&self, new: &Path, place: &Path, is_taken: bool) -> io::Result<()> {
        if is_taken && self.exchanges.load(Relaxed) {
            match exchange(new, place) {
                Ok(()) => {
                    // The old one has the name of a half now: if this process ends here, it is swept like one.
                    drop(fs::remove_file(new));
                    return Ok(());
                }
                // The file system cannot.
                Err(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP) => self.exchanges.store(false, Relaxed),
                // The entry was removed meanwhile, or it is an error that renaming has too.
                Err(_) => {}
            }
        }
        fs::rename(new, place)
    }

    /// A new file of a name that nobody else has.
    fn write_half(&self, bytes: &[u8]) -> Result<PathBuf, Problem> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let process = std::process::id();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        loop {
            let number = NUMBERS.fetch_add(1, Relaxed);
            let (begin, end) = TEMPORARY;
            let path = self.path.join(format!("{begin}{process:x}-{now:x}-{number:x}{end}"));
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_CLOEXEC);
            match options.open(&path) {
                Ok(mut file) => match file.write_all(bytes) {
                    Ok(()) => return Ok(path),
                    Err(error) => {
                        drop(file);
                        drop(fs::remove_file(&path));
                        return Err(Problem::system(&path, &error));
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Problem::system(&path, &error)),
            }
        }
    }

    /// Removes a file; how many bytes it had, if it was there.
    pub(super) fn remove(&self, path: &Path) -> Result<Option<u64>, Problem> {
        let size = fs::symlink_metadata(path).map(|metadata| metadata.len()).unwrap_or(0);
        match fs::remove_file(path) {
            Ok(()) => Ok(Some(size)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Problem::system(path, &error)),
        }
    }

    /// Goes through the directory, in no order; nothing if there is none.
    pub(super) fn items(&self) -> Result<impl Iterator<Item = Item> + use<>, Problem> {
        let listing = match fs::read_dir(&self.path) {
            Ok(listing) => Some(listing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Problem::system(&self.path, &error)),
        };
        let item = |found: io::Result<fs::DirEntry>| {
            let found = found.ok()?;
            let name = found.file_name();
            let name = name.to_str()?;
            if name.ends_with(SUFFIX) {
                return Some(Item::Entry(found.path()));
            }
            let is_half = name != LOCK_FILE && name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1);
            is_half.then(|| Item::Half(found.path()))
        };
        Ok(listing.into_iter().flatten().filter_map(item))
    }
}

/// Lets two files change places in one step.
fn exchange(one: &Path, other: &Path) -> Result<(), i32> {
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| libc::EINVAL);
    let (one, other) = (name(one)?, name(other)?);
    let (here, flags) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
    // SAFETY: both names end with a zero and live until the call returns.
    let done = unsafe { libc::syscall(libc::SYS_renameat2, here, one.as_ptr(), here, other.as_ptr(), flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)) }
}

/// A file that is no symlink; nothing if there is none.
fn open(path: &Path) -> Result<Option<File>, Problem> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK);
    match options.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::system(path, &error)),
    }
}

/// Tells a file from most that take its place, and from what it becomes if it is written in place. Not from all: what is
/// removed leaves its number to the next file, and times have the steps of a clock.
fn place_of(metadata: &fs::Metadata) -> u64 {
    let changed =
        (metadata.ctime() as u64).wrapping_mul(1_000_000_007).wrapping_add(metadata.ctime_nsec() as u64);
    changed.rotate_left(17) ^ metadata.ino().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_names_that_django_gives_them() {
        let directory = Directory::new("/d".into());
        for (key, name) in [
            (":1:foo", "9fe685f2d059d8a11303e9e64be4cc7b.djcache"),
            (":1:é", "28be1541b2aa688fec6084a6e1a8490c.djcache"),
        ] {
            assert_eq!(directory.place(key).path, Path::new("/d").join(name));
        }
    }
}
