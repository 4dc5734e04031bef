//! The few connections of this process to one file: opened when they are needed, lent to one verb at a time.
use super::super::error::Problem;
use super::super::layout::Layout;
use super::config::{SqliteConfig, Synchronous};
use super::forks::{self, Closes, Running};
use super::table::{Failure, Table};
use crate::error::ErrorKind;
use hotclub_net::locks::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::cell::Cell;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// More than so many threads at once open theirs for one verb.
const KEPT: usize = 8;
const NO_DATABASE: &str = "the file is no SQLite database";
/// Statements that a connection keeps prepared: all that there are.
const STATEMENTS: usize = 64;

#[derive(Debug)]
pub(super) struct Connections {
    config: SqliteConfig,
    // Short: one is taken out or put back.
    idle: Mutex<Vec<Link>>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    /// Device and inode: the file may be removed and made anew while it is open.
    file: (u64, u64),
}

/// A connection that nobody else has, until this is dropped.
#[derive(Debug)]
pub(super) struct Lent<'a> {
    link: Option<Link>,
    home: &'a Connections,
    // The last to go: a fork waits for it, and finds the connection at home.
    _running: Running,
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.link.as_ref().expect("it is there until it is dropped").connection
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else { return };
        // A verb that did not come to its end leaves a transaction open.
        if !link.connection.is_autocommit() {
            return;
        }
        let mut idle = self.home.idle.lock();
        if idle.len() < KEPT {
            idle.push(link);
        }
    }
}

impl Lent<'_> {
    /// Not to be lent again: who knows in which state it is.
    pub(super) fn give_up(mut self) {
        self.link = None;
    }
}

impl Closes for Connections {
    fn close(&self) {
        // Closed one after the other, after the lock.
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        // Not while a fork copies what SQLite locks meanwhile; and never halves.
        match forks::enter() {
            Ok(_running) => drop(idle),
            Err(_) => std::mem::forget(idle),
        }
    }
}

impl Connections {
    pub(super) fn new(config: SqliteConfig) -> Arc<Self> {
        let connections = Arc::new(Connections { config, idle: Mutex::default() });
        let closes: Arc<dyn Closes> = connections.clone();
        forks::watch(Arc::downgrade(&closes));
        connections
    }

    pub(super) fn config(&self) -> &SqliteConfig {
        &self.config
    }

    /// Lends a connection to the file that is there now; its verb waits so long for locks.
    pub(super) fn take(&self, table: &dyn Table, limit: Duration) -> Result<Lent<'_>, Problem> {
        let running = forks::enter().map_err(|(kind, what)| self.problem(kind, what))?;
        WAIT.set(Wait { limit, since: None });
        let mut link = self.idle.lock().pop();
        if link.as_ref().is_some_and(|link| identity(&self.config.path).ok() != Some(link.file)) {
            // All others are of the same file.
            drop(link.take());
            self.close();
        }
        let link = match link {
            Some(link) => link,
            None => self.open(table)?,
        };
        Ok(Lent { link: Some(link), home: self, _running: running })
    }

    pub(super) fn problem(&self, kind: ErrorKind, what: impl Into<String>) -> Problem {
        Problem::new(kind, self.config.path.display().to_string(), what)
    }

    /// What went wrong, in our words.
    pub(super) fn told(&self, failure: impl Into<Failure>) -> Problem {
        let (kind, what) = match failure.into() {
            Failure::Sql(error) => words(&error, self.config.lock_limit),
            Failure::Said(kind, what) => (kind, what),
        };
        self.problem(kind, what)
    }

    /// Opens the file, and makes and checks what has to be in it. Others may be doing so at the same time.
    fn open(&self, table: &dyn Table) -> Result<Link, Problem> {
        let began = Instant::now();
        loop {
            match self.try_open(table) {
                Err(problem)
                    if problem.kind() == ErrorKind::Timeout && began.elapsed() < self.config.lock_limit =>
                {
                    thread::sleep(Duration::from_millis(2));
                }
                opened => return opened,
            }
        }
    }

    fn try_open(&self, table: &dyn Table) -> Result<Link, Problem> {
        let path = &self.config.path;
        let system = |error: io::Error| {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
            self.problem(ErrorKind::Unavailable, text)
        };
        if !make(path, self.config.lock_limit).map_err(system)? {
            return Err(self.problem(ErrorKind::Corrupt, NO_DATABASE));
        }
        let file = identity(path).map_err(system)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let told = |error: rusqlite::Error| self.told(error);
        let mut connection = Connection::open_with_flags(path, flags).map_err(told)?;
        // SQLite is content with less than it was asked for.
        if connection.is_readonly("main").map_err(told)? {
            return Err(system(io::ErrorKind::PermissionDenied.into()));
        }
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.busy_handler(Some(wait)).map_err(told)?;
        if self.config.layout == Layout::Own {
            self.set_up(&mut connection).map_err(told)?;
        }
        table.make(&connection).map_err(|failure| self.told(failure))?;
        // The log is found by name: it may be that of another file, which took this one's place meanwhile.
        if identity(path).ok() != Some(file) {
            return Err(self.problem(ErrorKind::Timeout, "the file is replaced again and again"));
        }
        Ok(Link { connection, file })
    }

    /// How an own file is written.
    fn set_up(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let synchronous = match self.config.synchronous {
            Synchronous::Off => "OFF",
            Synchronous::Normal => "NORMAL",
            Synchronous::Full => "FULL",
        };
        // The last one that closes the file, before a fork say, need not write the log back.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mut written_back = 0;
        connection.wal_hook(Some(move |log: &mut Wal, pages| {
            write_back(log, pages, &mut written_back);
            Ok(())
        }))?;
        connection
            .execute_batch(&format!("PRAGMA synchronous={synchronous}; PRAGMA journal_size_limit=67108864"))
    }
}

/// The log is written back each time that it has grown by so many pages.
const WRITTEN_BACK: i32 = 1000;
/// Readers that are always there keep the log from beginning anew. One that has grown to so many pages is not left to
/// chance: the writer waits for them, so long at most.
const TOO_LONG: i32 = 8000;
const READERS: Duration = Duration::from_millis(100);

/// After a commit, which is done whatever becomes of this.
///
/// SQLite's own rule would do it at each commit as long as readers keep the log long, with two waits for the disk.
fn write_back(log: &mut Wal, pages: i32, before: &mut i32) {
    if pages < *before {
        *before = 0;
    }
    if pages - *before < WRITTEN_BACK {
        return;
    }
    *before = pages;
    let mode = if pages < TOO_LONG { CheckpointMode::PASSIVE } else { CheckpointMode::RESTART };
    let wait = WAIT.replace(Wait { limit: READERS, since: None });
    // Somebody else may be doing so, and the next will try again.
    drop(log.checkpoint_v2(mode));
    WAIT.set(wait);
}

/// SQLite takes a file that is smaller than its smallest page for an empty one, and writes over it.
const SMALLEST: u64 = 512;

/// Makes the file and its directory, for their owner alone; false if it cannot be a database. A file that is there is
/// never opened here: to close it would give back the locks that connections of this process have on it.
fn make(path: &Path, limit: Duration) -> io::Result<bool> {
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let directory = parent.unwrap_or(Path::new("."));
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
            make_anew(path, directory, limit)?;
            std::fs::metadata(path)?
        }
        metadata => metadata?,
    };
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(metadata.is_file() && !(1..SMALLEST).contains(&metadata.len()))
}

/// The log of a file that was removed would be taken for that of the new one: it goes first. One process at a time
/// does so, or the log of one that was quicker would go.
fn make_anew(path: &Path, directory: &Path, limit: Duration) -> io::Result<()> {
    let _lock = lock(directory, limit)?;
    // Also a link that leads nowhere yet is not ours to replace.
    if path.symlink_metadata().is_ok() {
        return Ok(());
    }
    for end in ["-wal", "-shm", "-journal"] {
        let mut log = path.as_os_str().to_owned();
        log.push(end);
        match std::fs::remove_file(log) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let new = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop);
    // Closed before others can see it: to close it later would give back the locks that this process has on it.
    let mut unseen = path.as_os_str().to_owned();
    unseen.push(format!("-new-{}", std::process::id()));
    let unseen = Path::new(&unseen);
    match std::fs::remove_file(unseen) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    new(unseen)?;
    let seen = std::fs::hard_link(unseen, path);
    std::fs::remove_file(unseen)?;
    match seen {
        Ok(()) => Ok(()),
        // Of others who make one, and know nothing of our lock.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without such links.
        Err(_) => new(path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        }),
    }
}

/// Who makes a file or takes one away has this lock of its directory.
pub(super) fn lock(directory: &Path, limit: Duration) -> io::Result<File> {
    let lock = File::open(directory)?;
    let began = Instant::now();
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::Error(error) => return Err(error),
            TryLockError::WouldBlock if began.elapsed() > limit => return Err(io::ErrorKind::TimedOut.into()),
            TryLockError::WouldBlock => thread::sleep(Duration::from_millis(1)),
        }
    }
    Ok(lock)
}

pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// How long the verb of this thread waits for locks.
#[derive(Clone, Copy)]
struct Wait {
    limit: Duration,
    since: Option<Instant>,
}

thread_local! {
    static WAIT: Cell<Wait> = const { Cell::new(Wait { limit: Duration::ZERO, since: None }) };
}

/// SQLite asks this, each time that it finds a lock taken.
fn wait(trials: i32) -> bool {
    const LONGEST: Duration = Duration::from_millis(5);
    let mut state = WAIT.get();
    let since = *state.since.get_or_insert_with(Instant::now);
    WAIT.set(state);
    if since.elapsed() > state.limit {
        return false;
    }
    let doubled = Duration::from_micros(50) * 2_u32.pow(trials.clamp(0, 7).unsigned_abs());
    thread::sleep(doubled.min(LONGEST));
    true
}

/// What is said of a lock that was waited for in vain.
pub(super) fn held(limit: Duration) -> String {
    format!("somebody else holds the lock for more than {} s", limit.as_secs_f64())
}

fn words(error: &rusqlite::Error, limit: Duration) -> (ErrorKind, String) {
    let rusqlite::Error::SqliteFailure(failure, text) = error else {
        return (ErrorKind::Corrupt, error.to_string().to_lowercase());
    };
    let said = || text.clone().unwrap_or_else(|| failure.to_string()).to_lowercase();
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (ErrorKind::Timeout, held(limit)),
        ErrorCode::DiskFull => (ErrorKind::Unavailable, "no space left".to_owned()),
        ErrorCode::DatabaseCorrupt => {
            (ErrorKind::Corrupt, format!("the file is damaged ({}); `repair` sets it aside", said()))
        }
        ErrorCode::NotADatabase => (ErrorKind::Corrupt, NO_DATABASE.to_owned()),
        ErrorCode::TooBig => (ErrorKind::TooLarge, "sqlite takes no larger value".to_owned()),
        ErrorCode::ReadOnly
        | ErrorCode::CannotOpen
        | ErrorCode::SystemIoFailure
        | ErrorCode::PermissionDenied => (ErrorKind::Unavailable, said()),
        _ => (ErrorKind::Refused, said()),
    }
}
