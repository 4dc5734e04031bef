//! Counters: one for each way a lookup can end and an entry can leave.
use std::fmt;

/// What happened in a store since it was made. A snapshot; the counters themselves are relaxed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lookups that found a live entry.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Writes that stored a value.
    pub sets: u64,
    /// Entries whose time ended and that were taken out.
    pub expired: u64,
    /// Entries pushed out for room.
    pub evicted: u64,
    /// Entries taken out by Django's MAX_ENTRIES sweep.
    pub culled: u64,
    /// Entries removed by key, by prefix, or by a clear.
    pub deleted: u64,
    /// Entries in the store now, those counted whose time ended but that were not taken out yet.
    pub entries: u64,
    /// What they weigh, in bytes: keys, values and the store's own overhead.
    pub bytes: u64,
}

impl Stats {
    /// Hits among lookups, from 0 to 1; 0 before the first lookup.
    pub fn hit_ratio(&self) -> f64 {
        match self.hits + self.misses {
            0 => 0.0,
            lookups => self.hits as f64 / lookups as f64,
        }
    }

    /// Name and value of each counter, in the order of the fields.
    pub fn rows(&self) -> [(&'static str, u64); 9] {
        [
            ("hits", self.hits),
            ("misses", self.misses),
            ("sets", self.sets),
            ("expired", self.expired),
            ("evicted", self.evicted),
            ("culled", self.culled),
            ("deleted", self.deleted),
            ("entries", self.entries),
            ("bytes", self.bytes),
        ]
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.rows() {
            write!(f, "{name} {value}, ")?;
        }
        write!(f, "hit ratio {:.1} %", self.hit_ratio() * 100.0)
    }
}
