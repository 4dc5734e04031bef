//! The options of `file://`: each with its default and its doc.
use crate::backend::Limit;
use crate::config::{Options, parse_bytes};
use crate::error::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;

/// Where the files are, and how many there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileConfig {
    /// The directory. It is made when the first entry is, readable by its owner alone.
    pub path: PathBuf,
    /// The store's own limit of entries; callers may bring another. Default: none.
    pub limit: Option<Limit>,
    /// Most bytes of all entries. Default: no limit.
    pub max_bytes: Option<u64>,
    /// How hard zlib tries, from 0 (not at all) to 9. Default 6, which is Django's.
    pub level: u32,
    /// A lock that another process holds for longer is an error. Default 2 s.
    pub lock_limit: Duration,
}

impl FileConfig {
    /// Every option with its meaning.
    pub const OPTIONS: &'static [(&'static str, &'static str)] = &[
        ("max_entries", "most entries; default no limit"),
        ("cull_frequency", "one in this many entries is culled when there are too many, 0 = all; default 3"),
        ("max_bytes", "most bytes of all entries, as a number or like `64MiB`; default no limit"),
        ("level", "compression by zlib, from 0 (none) to 9; default 6"),
        ("lock_limit", "seconds to wait for a lock that another process holds; default 2"),
    ];

    /// The defaults, for this directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileConfig {
            path: path.into(),
            limit: None,
            max_bytes: None,
            level: 6,
            lock_limit: Duration::from_secs(2),
        }
    }

    pub(super) fn read(path: PathBuf, options: &mut Options) -> Result<Self> {
        let mut config = FileConfig::new(path);
        let cull_frequency = options.take_integer("cull_frequency")?.unwrap_or(3);
        config.limit =
            options.take_integer("max_entries")?.map(|max_entries| Limit { max_entries, cull_frequency });
        let bytes = options.take("max_bytes").map(|text| parse_bytes("max_bytes", &text)).transpose()?;
        config.max_bytes = bytes.map(|bytes| bytes as u64);
        if let Some(level) = options.take_integer("level")? {
            config.level = u32::try_from(level).unwrap_or(u32::MAX);
        }
        if let Some(seconds) = options.take_number("lock_limit")? {
            config.lock_limit = Duration::try_from_secs_f64(seconds).map_err(|_| {
                Error::config(format!("lock_limit must be a number of seconds, not {seconds}"))
            })?;
        }
        config.check()?;
        Ok(config)
    }

    /// Checks what cannot be followed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), in words.
    pub fn check(&self) -> Result<()> {
        if self.path.as_os_str().is_empty() {
            return Err(Error::config("file needs a directory: file:///var/cache/site"));
        }
        if self.level > 9 {
            return Err(Error::config("level must be from 0 to 9"));
        }
        Ok(())
    }
}
