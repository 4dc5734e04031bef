//! Random verbs against a plain map: exactly where there is room, one-sided where there is not.
use super::*;
use crate::testing::ManualClock;
use crate::testing::op::{Check, decode, run};
use proptest::prelude::*;

fn roomy() -> Vec<MemoryConfig> {
    let by_bytes = MemoryConfig::bytes(1 << 30);
    vec![
        by_bytes.clone().with_shards(1),
        by_bytes.clone().with_shards(16),
        by_bytes.with_policy(Policy::Lru),
        MemoryConfig::entries(1 << 20),
        MemoryConfig::lru(1 << 20, 3),
    ]
}

fn tiny() -> Vec<MemoryConfig> {
    vec![
        MemoryConfig::entries(1),
        MemoryConfig::entries(4),
        MemoryConfig::entries(4).with_shards(4),
        MemoryConfig::bytes(1_500),
        MemoryConfig::bytes(1_500).with_shards(8),
        MemoryConfig::bytes(1_500).with_policy(Policy::Lru),
        MemoryConfig::lru(4, 2),
        MemoryConfig::lru(4, 0),
        MemoryConfig::lru(4, 2).with_max_bytes(Some(900)),
    ]
}

fn agrees(bytes: &[u8], configs: Vec<MemoryConfig>, check: Check) -> Result<(), TestCaseError> {
    let ops = decode(bytes);
    for config in configs {
        let hand = ManualClock::new();
        let backend = MemoryBackend::with_clock(config.clone(), hand.clock());
        run(&ops, &backend, &hand, check)
            .map_err(|difference| TestCaseError::fail(format!("{config:?}: {difference}\n{ops:#?}")))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_store_with_room_is_a_map_with_deadlines(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        agrees(&bytes, roomy(), Check::Exact)?;
    }

    #[test]
    fn a_tiny_store_forgets_but_never_lies(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        agrees(&bytes, tiny(), Check::OneSided)?;
    }
}
