//! The fingerprints of what was evicted lately: a key that comes back soon goes straight to the main queue.

/// A direct-mapped table of `fingerprint << 32 | time`, where time counts evictions.
///
/// One word an entry instead of a queue and a set (12 bytes and two cache misses more): a newer
/// fingerprint may push an older one out of its place early, which costs a little memory of the past
/// and never correctness.
#[derive(Default)]
pub(super) struct Ghost {
    places: Box<[u64]>,
    time: u32,
}

const LEAST_PLACES: usize = 64;

impl Ghost {
    /// Remembers an evicted hash; `window` is how many evictions back it stays known.
    pub(super) fn remember(&mut self, hash: u32, window: usize) {
        if self.places.is_empty() || self.places.len() < window {
            self.grow(window);
        }
        self.time = self.time.wrapping_add(1);
        let place = self.place(hash);
        self.places[place] = u64::from(hash) << 32 | u64::from(self.time);
    }

    /// How many evictions ago this hash was evicted, if within the window; forgets it.
    pub(super) fn recall(&mut self, hash: u32, window: usize) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let place = self.place(hash);
        let (known, time) = ((self.places[place] >> 32) as u32, self.places[place] as u32);
        let age = self.time.wrapping_sub(time) as usize;
        if time == 0 || known != hash || age > window {
            return None;
        }
        self.places[place] = 0;
        Some(age)
    }

    fn place(&self, hash: u32) -> usize {
        (hash.wrapping_mul(0x9E37_79B1) >> 7) as usize & (self.places.len() - 1)
    }

    fn grow(&mut self, window: usize) {
        let size = window.next_power_of_two().max(LEAST_PLACES);
        let old = std::mem::replace(&mut self.places, vec![0; size].into_boxed_slice());
        for kept in old.into_iter().filter(|&kept| kept != 0) {
            let place = self.place((kept >> 32) as u32);
            self.places[place] = kept;
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.places.len() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evicted_hash_is_known_once() {
        let mut ghost = Ghost::default();
        ghost.remember(7, 100);
        assert_eq!(ghost.recall(8, 100), None);
        assert_eq!(ghost.recall(7, 100), Some(0));
        assert_eq!(ghost.recall(7, 100), None);
    }

    #[test]
    fn what_left_the_window_is_forgotten() {
        let mut ghost = Ghost::default();
        ghost.remember(7, 10);
        for other in 100..111 {
            ghost.remember(other, 10);
        }
        assert_eq!(ghost.recall(7, 10), None);
    }

    #[test]
    fn the_last_entry_of_a_shard_may_be_evicted_first() {
        let mut ghost = Ghost::default();
        ghost.remember(7, 0);
        assert_eq!(ghost.recall(8, 0), None);
    }

    #[test]
    fn growing_keeps_what_is_known() {
        let mut ghost = Ghost::default();
        ghost.remember(7, 10);
        ghost.remember(8, 5000);
        assert!(ghost.heap_bytes() >= 5000 * 8);
        assert_eq!(ghost.recall(7, 5000), Some(1));
    }
}
