//! Exact least-recently-used order: `main` alone is used, the most recent entry in front.
use super::super::change::Weigh;
use super::super::content::Content;
use super::super::node::Removed;
use super::Left;
use crate::backend::Limit;

/// Expired entries are looked for among this many times the number of victims, plus a few.
const LOOK: usize = 4;
const LOOK_AT_LEAST: usize = 64;

impl<V: Weigh> Content<V> {
    pub(super) fn evict_least_recent(&mut self, now: u64, removed: &mut Removed<V>) -> Option<Left> {
        let victim = self.main.back()?;
        let expired = self.node(victim).is_expired(now);
        self.remove(victim, removed);
        Some(if expired { Left::Expired } else { Left::Evicted })
    }

    /// Django's culling: at the limit, one in `cull_frequency` entries goes, or all if that is 0.
    ///
    /// Counts are Django's exactly. Victims are the expired entries near the end of the order first,
    /// then the least recently used. Returns how many had expired and how many were live.
    pub(in super::super) fn cull(&mut self, limit: Limit, now: u64, removed: &mut Removed<V>) -> (u64, u64) {
        let count = match limit.cull_frequency {
            0 => self.len(),
            frequency if frequency < 0 => 0,
            frequency => self.len() / usize::try_from(frequency).unwrap_or(usize::MAX),
        };
        let mut expired = 0;
        let mut next = self.main.back();
        for _ in 0..(count * LOOK + LOOK_AT_LEAST) {
            let Some(pointer) = next.filter(|_| expired < count) else { break };
            next = self.node(pointer).previous;
            if self.node(pointer).is_expired(now) {
                self.remove(pointer, removed);
                expired += 1;
            }
        }
        let mut culled = 0;
        while expired + culled < count && self.evict_least_recent(now, removed).is_some() {
            culled += 1;
        }
        (expired as u64, culled as u64)
    }
}
