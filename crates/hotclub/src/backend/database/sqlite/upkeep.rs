//! What is done now and then: removing all that is over, checking, repairing, giving space back.
use super::super::error::Problem;
use super::super::layout::Layout;
use super::connections;
use super::store::Store;
use super::table::{Failure, Totals};
use crate::error::{Error, ErrorKind, Result as Answer};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What is wrong with a damaged file can be very much.
const MOST_FINDINGS: i64 = 100;

impl Store {
    /// Removes every entry whose time is over, in bounded transactions; how many.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn expire(&self) -> Answer<u64> {
        let (mut from, mut count) = (None, 0);
        loop {
            let now = self.now();
            let step = self.write(|connection| self.sweep_step(connection, from.as_ref(), now));
            let (gone, next) = step.map_err(told("expire"))?;
            count += u64::try_from(gone.entries).unwrap_or(0);
            match next {
                Some(next) => from = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// Looks through the whole file; what is wrong with it, in words. An empty list: nothing is.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn check(&self) -> Answer<Vec<String>> {
        let _running = self.running("check")?;
        self.forget();
        let checked = self.read(|connection| {
            // All of one moment.
            connection.execute_batch("BEGIN")?;
            let mut findings = integrity(connection)?;
            if findings.is_empty() && self.config().layout == Layout::Own {
                let (kept, real) = (self.table().totals(connection)?, real_totals(connection)?);
                if kept != real {
                    findings.push(format!(
                        "the totals say {} entries of {} bytes, and there are {} of {}",
                        kept.entries, kept.bytes, real.entries, real.bytes
                    ));
                }
            }
            connection.execute_batch("COMMIT")?;
            Ok(findings)
        });
        match checked {
            Err(problem) if problem.kind() == ErrorKind::Corrupt => {
                Ok(vec![problem.into_error("sqlite", "check").message().to_owned()])
            }
            checked => checked.map_err(told("check")),
        }
    }

    /// Mends what [`Store::check`] finds, and says what it did; an empty list: there was nothing to do.
    ///
    /// Totals are counted anew. A damaged file is set aside under another name, and an empty one takes its place: what
    /// could still be read of it might be older than what was deleted. Other processes see that at their next verb.
    ///
    /// # Errors
    /// The file cannot be written or renamed. A file of layout `django` is not ours to mend.
    pub fn repair(&self) -> Answer<Vec<String>> {
        if self.config().layout != Layout::Own {
            return Err(
                Error::unsupported("sqlite", "repair").in_place(self.config().path.display().to_string())
            );
        }
        let _running = self.running("repair")?;
        let checked = connections::identity(&self.config().path).ok();
        let findings = self.check()?;
        if findings.is_empty() {
            return Ok(Vec::new());
        }
        let counted = self.write(|connection| {
            if !integrity(connection)?.is_empty() {
                return Err(Failure::said(ErrorKind::Corrupt, "damaged"));
            }
            let real = real_totals(connection)?;
            connection.execute("DELETE FROM total", [])?;
            connection.execute("INSERT INTO total VALUES (1, ?1, ?2)", [real.entries, real.bytes])?;
            Ok(real)
        });
        match counted {
            Ok(real) => {
                Ok(vec![format!("the totals are {} entries of {} bytes now", real.entries, real.bytes)])
            }
            Err(problem) if problem.kind() == ErrorKind::Corrupt => self.set_aside(checked),
            Err(problem) => Err(told("repair")(problem)),
        }
    }

    /// Unless somebody else did so meanwhile, with the file that was checked.
    fn set_aside(&self, checked: Option<(u64, u64)>) -> Answer<Vec<String>> {
        let path = &self.config().path;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let with = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
        let aside = with(&format!(".damaged-{now}"));
        let system = |error: std::io::Error| {
            let text = error.to_string().to_lowercase();
            Error::new(ErrorKind::Unavailable, text)
                .at("sqlite", "repair")
                .in_place(path.display().to_string())
        };
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let lock = connections::lock(directory, self.config().lock_limit).map_err(system)?;
        if connections::identity(path).ok() != checked {
            return Ok(vec!["somebody else put another file in its place meanwhile".to_owned()]);
        }
        std::fs::rename(path, &aside).map_err(system)?;
        // The log belongs to that file; under this name it would be taken for the new one's.
        for end in ["-wal", "-shm"] {
            match std::fs::rename(with(end), PathBuf::from(format!("{}{end}", aside.display()))) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(system(error)),
                _ => {}
            }
        }
        drop(lock);
        self.read(|connection| self.table().totals(connection)).map_err(told("repair"))?;
        Ok(vec![format!(
            "the file was damaged: it is {} now, and an empty one took its place",
            aside.display()
        )])
    }

    /// Gives the space of what was removed back to the file system. Needs as much space again while it works, and
    /// nobody else can write meanwhile.
    ///
    /// # Errors
    /// The file cannot be written, or somebody else is within a verb for longer than the limit of locks.
    pub fn compact(&self) -> Answer<()> {
        let done = self.read(|connection| {
            connection.execute_batch("VACUUM")?;
            // The log holds the new form; with it written back, the file is as small as it gets.
            let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            Ok(busy == 0)
        });
        done.map(drop).map_err(told("compact"))
    }

    /// Bytes that the file and its log have on the disk.
    pub fn volume(&self) -> u64 {
        let size = |end: &str| {
            let name = format!("{}{end}", self.config().path.display());
            std::fs::metadata(name).map_or(0, |metadata| metadata.len())
        };
        size("") + size("-wal")
    }
}

fn integrity(connection: &Connection) -> Result<Vec<String>, Failure> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MOST_FINDINGS})"))?;
    let mut findings: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    findings.retain(|finding| finding != "ok");
    Ok(findings)
}

fn real_totals(connection: &Connection) -> Result<Totals, Failure> {
    let sql = "SELECT count(*), coalesce(sum(size), 0) FROM entry";
    Ok(connection.query_row(sql, [], |row| Ok(Totals { entries: row.get(0)?, bytes: row.get(1)? }))?)
}

fn told(verb: &'static str) -> impl Fn(Problem) -> Error {
    move |problem| problem.into_error("sqlite", verb)
}
