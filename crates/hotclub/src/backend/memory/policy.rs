//! Who has to leave: the list of eviction policies, one file each.
use super::change::Weigh;
use super::content::Content;
use super::node::{Pointer, Removed};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

mod lru;
mod s3fifo;

pub(super) use s3fifo::History;

/// Who is evicted when room is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Exact least-recently-used order with Django's culling: a write that finds MAX_ENTRIES entries
    /// first removes one in CULL_FREQUENCY. One shard, so that counts and order are exact.
    Lru,
    /// S3-FIFO (Yang et al., SOSP 2023): newcomers prove themselves in a small queue, so scans do not
    /// flush what is in use. Sharded; a hit takes a shared lock only.
    S3Fifo,
}

impl Policy {
    pub(super) const NAMES: [(&str, Policy); 2] = [("lru", Policy::Lru), ("s3-fifo", Policy::S3Fifo)];

    /// The name used in options and URLs.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Lru => "lru",
            Policy::S3Fifo => "s3-fifo",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Policy::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|&(_, policy)| policy).ok_or_else(|| {
            let names = Policy::NAMES.map(|(name, _)| name).join(", ");
            Error::config(format!("policy must be one of {names}, not {text:?}"))
        })
    }
}

/// How an entry left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Expired,
    Evicted,
}

impl<V: Weigh> Content<V> {
    /// Makes room by one entry, but not `spare`, which was just written; `None` if nothing is left to take.
    pub(super) fn evict(
        &mut self,
        policy: Policy,
        now: u64,
        spare: Option<Pointer<V>>,
        removed: &mut Removed<V>,
    ) -> Option<Left> {
        match policy {
            // What was just written is the most recent one.
            Policy::Lru => self.evict_least_recent(now, removed),
            Policy::S3Fifo => self.evict_s3fifo(now, spare, removed),
        }
    }
}
