//! What this room promises: the shared suite for each variant, then the promises that only it makes.
use super::{MemoryBackend, MemoryConfig, Policy};
use crate::testing::conformance;

mod capacity;
mod clearing;
mod django;
mod drops;
mod expiry;
mod hit_ratio;
mod named;
mod random_verbs;
#[cfg(shuttle)]
mod shuttle;
mod statistics;
mod threads;

conformance!(s3fifo_by_bytes, |clock| MemoryBackend::with_clock(MemoryConfig::bytes(1 << 20), clock));
conformance!(s3fifo_by_entries, |clock| MemoryBackend::with_clock(MemoryConfig::entries(10_000), clock));
conformance!(lru, |clock| MemoryBackend::with_clock(MemoryConfig::lru(10_000, 3), clock));
conformance!(lru_by_bytes, |clock| {
    MemoryBackend::with_clock(MemoryConfig::bytes(1 << 20).with_policy(Policy::Lru), clock)
});
conformance!(one_shard, |clock| MemoryBackend::with_clock(
    MemoryConfig::bytes(1 << 20).with_shards(1),
    clock
));
conformance!(many_shards, |clock| MemoryBackend::with_clock(
    MemoryConfig::bytes(8 << 20).with_shards(64),
    clock
));

/// The second form of the suite: time passes by itself, in units short enough for a test.
mod in_real_time {
    use super::*;
    use crate::testing::{Fixture, timeouts, touch};
    use std::time::Duration;

    fn fixture() -> Fixture {
        Fixture::in_real_time(MemoryBackend::default).with_unit(Duration::from_millis(300))
    }

    #[test]
    fn an_entry_lives_until_its_deadline() {
        timeouts::an_entry_lives_until_its_deadline(&fixture());
    }

    #[test]
    fn deadlines_can_be_read() {
        timeouts::deadlines_can_be_read(&fixture());
    }

    #[test]
    fn touch_gives_a_new_life() {
        touch::touch_gives_a_new_life(&fixture());
    }
}
