//! The options of `sqlite://`: each with its default and its doc.
use super::super::layout::{Layout, check_table};
use crate::backend::Limit;
use crate::config::{Options, parse_bytes};
use crate::error::{Error, Result};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Which entries go when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Eviction {
    /// Those that were not read or written for the longest time.
    #[default]
    Use,
    /// Those that were written first.
    Age,
    /// None: a write that finds no room is refused.
    Never,
}

/// What a write waits for: how much of the newest may be lost when the machine (not a process) ends suddenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// Nothing; a power failure may damage the file.
    Off,
    /// The disk, when the log is written back: a power failure loses the newest writes and damages nothing.
    #[default]
    Normal,
    /// The disk, at each write.
    Full,
}

/// Where the file is, and how much it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SqliteConfig {
    /// The file. It is made at the first use, readable by its owner alone, and so is its directory.
    pub path: PathBuf,
    /// Which columns there are. Default `own`.
    pub layout: Layout,
    /// The table, under layout `django`. Django's LOCATION.
    pub table: String,
    /// The store's own limit of entries; callers may bring another. Default: none.
    pub limit: Option<Limit>,
    /// Most bytes of keys and values, under layout `own`. Default 1 GiB.
    pub max_bytes: u64,
    /// Who goes when there is no room, under layout `own`. Default: by use.
    pub eviction: Eviction,
    /// What writes wait for, under layout `own`. Default `normal`.
    pub synchronous: Synchronous,
    /// A lock that somebody else holds for longer is an error. Default 5 s, as Python's own module has it.
    pub lock_limit: Duration,
}

impl SqliteConfig {
    /// Every option with its meaning.
    pub const OPTIONS: &'static [(&'static str, &'static str)] = &[
        ("layout", "`own` (default), or `django`: a table of Django's DatabaseCache"),
        ("table", "with layout `django`: the table, which is Django's LOCATION"),
        ("max_entries", "most entries; default no limit"),
        ("cull_frequency", "one in this many entries is culled when there are too many, 0 = all; default 3"),
        ("max_bytes", "most bytes of keys and values, as a number or like `64MiB`; default 1GiB"),
        ("eviction", "who goes when there is no room: `use` (default: least recently used), `age`, `never`"),
        ("synchronous", "what a write waits for: `off`, `normal` (default) or `full`"),
        ("lock_limit", "seconds to wait for a lock that somebody else holds; default 5"),
    ];

    /// The defaults, for this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        SqliteConfig {
            path: path.into(),
            layout: Layout::Own,
            table: String::new(),
            limit: None,
            max_bytes: 1 << 30,
            eviction: Eviction::Use,
            synchronous: Synchronous::Normal,
            lock_limit: Duration::from_secs(5),
        }
    }

    /// The table `table` of a Django site in this file.
    pub fn django(path: impl Into<PathBuf>, table: impl Into<String>) -> Self {
        SqliteConfig { layout: Layout::Django, table: table.into(), ..SqliteConfig::new(path) }
    }

    pub(super) fn read(path: PathBuf, options: &mut Options) -> Result<Self> {
        let mut config = SqliteConfig::new(path);
        take(options, "layout", &mut config.layout)?;
        if config.layout == Layout::Django {
            let only_own = ["max_bytes", "eviction", "synchronous"];
            if let Some(name) = only_own.into_iter().find(|name| options.has(name)) {
                return Err(Error::config(format!(
                    "{name} is of layout `own`; Django's table knows no such thing"
                )));
            }
            config.table = options
                .take("table")
                .ok_or_else(|| Error::config("layout=django needs the table: table=cache_table"))?;
        } else if options.has("table") {
            return Err(Error::config("table is of layout `django`: layout=django&table=cache_table"));
        }
        take(options, "eviction", &mut config.eviction)?;
        take(options, "synchronous", &mut config.synchronous)?;
        let cull_frequency = options.take_integer("cull_frequency")?.unwrap_or(3);
        config.limit =
            options.take_integer("max_entries")?.map(|max_entries| Limit { max_entries, cull_frequency });
        if let Some(text) = options.take("max_bytes") {
            config.max_bytes = parse_bytes("max_bytes", &text)? as u64;
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
        let path = self.path.as_os_str();
        if path.is_empty() {
            return Err(Error::config("sqlite needs a file: sqlite:///var/cache/site.db"));
        }
        if path == ":memory:" {
            return Err(Error::config("sqlite needs a file; entries in memory are kept by memory://"));
        }
        match self.layout {
            Layout::Own => Ok(()),
            Layout::Django => check_table(&self.table),
        }
    }
}

fn take<T: FromStr<Err = Error>>(options: &mut Options, name: &str, to: &mut T) -> Result<()> {
    if let Some(text) = options.take(name) {
        *to = text.parse()?;
    }
    Ok(())
}

/// diskcache's names of the same are taken too.
impl FromStr for Eviction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "use" | "least-recently-used" => Ok(Eviction::Use),
            "age" | "least-recently-stored" => Ok(Eviction::Age),
            "never" | "none" => Ok(Eviction::Never),
            _ => Err(Error::config(format!("eviction must be `use`, `age` or `never`, not {text:?}"))),
        }
    }
}

impl FromStr for Synchronous {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "off" => Ok(Synchronous::Off),
            "normal" => Ok(Synchronous::Normal),
            "full" => Ok(Synchronous::Full),
            _ => Err(Error::config(format!("synchronous must be `off`, `normal` or `full`, not {text:?}"))),
        }
    }
}
