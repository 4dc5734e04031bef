//! S3-FIFO: a small queue of newcomers, a main queue, and the ghosts of those that left early.
//!
//! Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023.
use super::super::change::Weigh;
use super::super::content::Content;
use super::super::node::{Pointer, Removed};
use super::Left;

/// The small queue's share of the cost: one part in this many.
const SMALL_SHARE: usize = 10;
/// Uses that a newcomer needs to move to the main queue.
const USES_TO_STAY: u64 = 2;

impl<V: Weigh> Content<V> {
    /// `spare`, if given, is in the shard with another entry at least.
    pub(super) fn evict_s3fifo(
        &mut self,
        now: u64,
        spare: Option<Pointer<V>>,
        removed: &mut Removed<V>,
    ) -> Option<Left> {
        let small_is_full = self.small.cost * SMALL_SHARE >= self.cost();
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
                    self.ghost.remember(hash, window);
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
                self.remove(oldest, removed);
                return Some(if expired { Left::Expired } else { Left::Evicted });
            }
            let uses = node.uses();
            node.set_uses(uses - 1);
            self.move_to_front_of_main(oldest);
        }
    }

    /// Whether a new key was evicted a short while ago, and so goes to the main queue at once.
    pub(in super::super) fn comes_back(&mut self, hash: u32) -> bool {
        let window = self.len();
        self.ghost.recall(hash, window)
    }
}
