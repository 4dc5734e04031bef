//! S3-FIFO with a small queue that finds its own size: newcomers prove themselves in it, the proven are in
//! the main queue, and ghosts tell which of the two is too short.
//!
//! Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023; the
//! size follows Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003. With a
//! tenth of the room for newcomers, where recency is everything, hits were 11 points behind exact LRU.
use super::super::change::Weigh;
use super::super::content::Content;
use super::super::ghost::Ghost;
use super::super::node::{Pointer, Removed};
use super::Left;

/// Bounds of the small queue's share of the cost.
const LEAST_SHARE: f32 = 0.1;
const MOST_SHARE: f32 = 0.9;
/// A newcomer that comes back within this part of a turnover was thrown out too early.
const EARLY: usize = 10;
/// The evicted of the main queue are remembered for this part of a turnover.
const PROVEN: usize = 2;
/// Uses that a newcomer needs to move to the main queue.
const USES_TO_STAY: u64 = 1;

/// What a shard remembers of those it evicted, and what it has learnt from their return.
pub(in super::super) struct History {
    newcomers: Ghost,
    proven: Ghost,
    /// The small queue's share of the cost.
    small_share: f32,
}

impl Default for History {
    fn default() -> Self {
        History { newcomers: Ghost::default(), proven: Ghost::default(), small_share: LEAST_SHARE }
    }
}

impl History {
    pub(in super::super) fn heap_bytes(&self) -> usize {
        self.newcomers.heap_bytes() + self.proven.heap_bytes()
    }
}

impl<V: Weigh> Content<V> {
    /// `spare`, if given, is in the shard with another entry at least.
    pub(super) fn evict_s3fifo(
        &mut self,
        now: u64,
        spare: Option<Pointer<V>>,
        removed: &mut Removed<V>,
    ) -> Option<Left> {
        let small_is_full = self.small.cost as f32 >= self.cost() as f32 * self.history.small_share;
        let is_alone = |oldest| Some(oldest) == spare && self.main.is_front(oldest);
        if small_is_full || self.main.back().is_none_or(is_alone) {
            while let Some(newcomer) = self.small.back() {
                if Some(newcomer) == spare {
                    if self.small.is_front(newcomer) {
                        break; // alone
                    }
                    self.move_to_front_of_small(newcomer);
                    continue;
                }
                let node = self.node_mut(newcomer);
                if node.is_expired(now) {
                    self.remove(newcomer, removed);
                    return Some(Left::Expired);
                }
                if node.uses() < USES_TO_STAY {
                    let hash = node.hash;
                    self.remove(newcomer, removed);
                    let window = self.len();
                    self.history.newcomers.remember(hash, window);
                    return Some(Left::Evicted);
                }
                node.set_uses(0);
                self.move_to_front_of_main(newcomer);
            }
        }
        self.evict_from_main(now, spare, removed)
    }

    /// Ends: every round takes an entry out or lowers its count of uses, which is at most 3, but for
    /// `spare`, which comes round again only after all others.
    fn evict_from_main(
        &mut self,
        now: u64,
        spare: Option<Pointer<V>>,
        removed: &mut Removed<V>,
    ) -> Option<Left> {
        loop {
            let oldest = self.main.back()?;
            if Some(oldest) == spare {
                if self.main.is_front(oldest) {
                    return None; // alone
                }
                self.move_to_front_of_main(oldest);
                continue;
            }
            let node = self.node_mut(oldest);
            let expired = node.is_expired(now);
            if expired || node.uses() == 0 {
                let hash = node.hash;
                self.remove(oldest, removed);
                if !expired {
                    let window = self.len() / PROVEN;
                    self.history.proven.remember(hash, window);
                }
                return Some(if expired { Left::Expired } else { Left::Evicted });
            }
            let uses = node.uses();
            node.set_uses(uses - 1);
            self.move_to_front_of_main(oldest);
        }
    }

    /// Whether a new key was evicted a short while ago, and so goes to the main queue at once.
    ///
    /// Its return also says which queue is too short. As in ARC, the step is larger where that queue is the
    /// smaller one.
    pub(in super::super) fn comes_back(&mut self, hash: u32) -> bool {
        let window = self.len().max(1);
        let (small, main) = (self.small.cost.max(1) as f32, self.main.cost.max(1) as f32);
        let history = &mut self.history;
        let newcomer = history.newcomers.recall(hash, window);
        let proven = history.proven.recall(hash, window / PROVEN);
        if newcomer.is_some_and(|age| age <= window / EARLY) {
            history.small_share += (main / small).max(1.0) / window as f32;
        } else if proven.is_some() {
            history.small_share -= (small / main).max(1.0) / window as f32;
        }
        history.small_share = history.small_share.clamp(LEAST_SHARE, MOST_SHARE);
        newcomer.is_some() || proven.is_some()
    }
}
