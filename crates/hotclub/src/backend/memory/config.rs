//! The options of `memory://`: each with its default and its doc.
use super::policy::Policy;
use crate::backend::Limit;
use crate::config::{Options, parse_bytes};
use crate::error::{Error, Result};

/// Limits and policy of a memory store.
///
/// ```
/// use hotclub::backend::memory::{MemoryConfig, Policy};
/// let config = MemoryConfig::default();
/// assert_eq!((config.policy(), config.max_bytes()), (Policy::S3Fifo, Some(64 << 20)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryConfig {
    policy: Policy,
    max_entries: Option<i64>,
    cull_frequency: i64,
    max_bytes: Option<usize>,
    shards: Option<usize>,
}

/// Shards are used from this many entries, or bytes, a shard.
const ENTRIES_A_SHARD: usize = 512;
/// Large enough that a shard holds many entries of a megabyte: with few, use would not protect them.
const BYTES_A_SHARD: usize = 8 << 20;
const MOST_SHARDS: usize = 64;

impl MemoryConfig {
    /// Every option with its meaning: for the reference page, and for the error that lists them.
    pub const OPTIONS: &'static [(&'static str, &'static str)] = &[
        ("policy", "who is evicted: `s3-fifo` (default) or `lru`"),
        (
            "max_bytes",
            "most bytes of keys, values and overhead, as a number or like `64MiB`; default 64MiB, or no limit if `max_entries` is given",
        ),
        ("max_entries", "most entries; default no limit"),
        (
            "cull_frequency",
            "`lru` with `max_entries`: one in this many entries is culled, 0 = all; default 3",
        ),
        ("name", "stores of one name are one store in this process; default none: a store of its own"),
    ];

    /// S3-FIFO with this many bytes.
    pub fn bytes(max_bytes: usize) -> Self {
        MemoryConfig {
            policy: Policy::S3Fifo,
            max_entries: None,
            cull_frequency: 3,
            max_bytes: Some(max_bytes.max(1)),
            shards: None,
        }
    }

    /// S3-FIFO with this many entries.
    pub fn entries(max_entries: usize) -> Self {
        let max_entries = i64::try_from(max_entries).unwrap_or(i64::MAX).max(1);
        MemoryConfig { max_bytes: None, max_entries: Some(max_entries), ..MemoryConfig::bytes(1) }
    }

    /// Exact LRU with Django's culling. A write that finds `max_entries` entries culls first.
    pub fn lru(max_entries: i64, cull_frequency: i64) -> Self {
        MemoryConfig {
            policy: Policy::Lru,
            max_entries: Some(max_entries),
            cull_frequency,
            max_bytes: None,
            shards: None,
        }
    }

    /// The same with this policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same with a limit of bytes, or none.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: Option<usize>) -> Self {
        self.max_bytes = max_bytes.map(|bytes| bytes.max(1));
        self
    }

    /// The same with a limit of entries, or none.
    #[must_use]
    pub fn with_max_entries(mut self, max_entries: Option<i64>) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// The same with this number of shards, rounded up to a power of two; `lru` always has one.
    #[must_use]
    pub fn with_shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Who is evicted.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Most bytes.
    pub fn max_bytes(&self) -> Option<usize> {
        self.max_bytes
    }

    /// Most entries.
    pub fn max_entries(&self) -> Option<i64> {
        self.max_entries
    }

    /// The entry limit that is kept by evicting one by one (`lru` culls instead).
    pub(super) fn entry_limit(&self) -> Option<usize> {
        match self.policy {
            Policy::Lru => None,
            Policy::S3Fifo => self.max_entries.map(|most| usize::try_from(most).unwrap_or(0).max(1)),
        }
    }

    pub(super) fn limit(&self) -> Option<Limit> {
        self.max_entries.map(|max_entries| Limit { max_entries, cull_frequency: self.cull_frequency })
    }

    pub(super) fn shards(&self) -> usize {
        if self.policy == Policy::Lru {
            return 1;
        }
        let by_entries = self.entry_limit().map(|most| most / ENTRIES_A_SHARD);
        let by_bytes = self.max_bytes.map(|most| most / BYTES_A_SHARD);
        let wanted = self.shards.or(by_entries.into_iter().chain(by_bytes).min());
        let wanted = wanted.unwrap_or(MOST_SHARDS).clamp(1, MOST_SHARDS);
        if self.shards.is_some() || wanted.is_power_of_two() {
            wanted.next_power_of_two()
        } else {
            wanted.next_power_of_two() / 2
        }
    }

    /// Reads the options of a URL or table; what it does not know stays in `options`.
    pub(crate) fn take_from(options: &mut Options) -> Result<Self> {
        let policy = options.take("policy").map(|text| text.parse()).transpose()?.unwrap_or(Policy::S3Fifo);
        let max_entries = options.take_integer("max_entries")?;
        if let Some(most) = max_entries.filter(|&most| most < 1) {
            return Err(Error::config(format!("max_entries must be at least 1, not {most}")));
        }
        let cull_frequency = options.take_integer("cull_frequency")?.unwrap_or(3);
        if cull_frequency < 0 {
            return Err(Error::config(format!("cull_frequency must be at least 0, not {cull_frequency}")));
        }
        let max_bytes = options.take("max_bytes").map(|text| parse_bytes("max_bytes", &text)).transpose()?;
        let default_bytes = max_entries.is_none().then_some(Self::DEFAULT_BYTES);
        let max_bytes = max_bytes.or(default_bytes);
        Ok(MemoryConfig { policy, max_entries, cull_frequency, max_bytes, shards: None })
    }

    /// What `memory://` may use if nothing is said.
    pub const DEFAULT_BYTES: usize = 64 << 20;
}

impl Default for MemoryConfig {
    fn default() -> Self {
        MemoryConfig::bytes(Self::DEFAULT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lru_has_one_shard_so_that_order_and_counts_are_exact() {
        assert_eq!(MemoryConfig::lru(1 << 20, 3).with_shards(64).shards(), 1);
    }

    #[test]
    fn small_stores_have_few_shards() {
        assert_eq!(MemoryConfig::entries(100).shards(), 1);
        assert_eq!(MemoryConfig::entries(2_000).shards(), 2);
        assert_eq!(MemoryConfig::default().shards(), 8);
        assert_eq!(MemoryConfig::entries(1_000_000).shards(), 64);
    }
}
