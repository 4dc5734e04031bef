//! Who goes when there is no room, and when.
use super::{FOR_EVER, Folder, set, value};
use crate::backend::Limit;
use crate::backend::database::sqlite::{Eviction, Item, SqliteConfig, Store, Write};
use crate::clock::ManualClock;
use crate::{ErrorKind, Flags, Life};
use std::time::Duration;

/// What an entry of a key of two letters and a hundred bytes weighs.
const ONE: u64 = 2 + 100 + 64;

fn store(folder: &Folder, change: impl FnOnce(&mut SqliteConfig)) -> (Store, ManualClock) {
    let hand = ManualClock::new();
    let mut config = SqliteConfig::new(folder.file());
    change(&mut config);
    (Store::with_clock(config, hand.clock()).unwrap(), hand)
}

fn ten(store: &Store, hand: &ManualClock) {
    for number in 0..10 {
        hand.advance(Duration::from_secs(2));
        set(store, &format!("k{number}"), &[7; 100]);
    }
}

fn left(store: &Store) -> Vec<usize> {
    (0..10).filter(|number| store.has(&format!("k{number}")).unwrap()).collect()
}

#[test]
fn the_least_recently_used_go_first() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| config.max_bytes = 10 * ONE);
    ten(&store, &hand);
    assert_eq!(left(&store).len(), 10, "that is just room for ten");
    hand.advance(Duration::from_secs(2));
    for key in ["k0", "k1", "k4"] {
        assert!(value(&store, key).is_some());
    }
    hand.advance(Duration::from_secs(2));
    set(&store, "ka", &[7; 100]);
    set(&store, "kb", &[7; 100]);
    let left = left(&store);
    assert!([0, 1, 4].iter().all(|read| left.contains(read)), "{left:?}");
    assert!(!left.contains(&2) && !left.contains(&3), "{left:?}");
    assert!(value(&store, "ka").is_some() && value(&store, "kb").is_some());
    let stats = store.stats().unwrap();
    assert!(stats.bytes <= 10 * ONE && stats.evicted > 0, "{stats}");
}

#[test]
fn by_age_reading_changes_nothing() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| {
        (config.max_bytes, config.eviction) = (10 * ONE, Eviction::Age);
    });
    ten(&store, &hand);
    hand.advance(Duration::from_secs(2));
    assert!(value(&store, "k0").is_some());
    set(&store, "ka", &[7; 100]);
    assert!(!left(&store).contains(&0), "it was the first");
    assert!(left(&store).contains(&9));
}

#[test]
fn what_is_over_goes_before_what_is_not() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| config.max_bytes = 10 * ONE);
    let brief = Write { life: Life::For(Duration::from_millis(10)), ..FOR_EVER };
    ten(&store, &hand);
    assert!(store.set("k9", &[7; 100], Flags::RAW, brief).unwrap());
    // Within the second in which nobody looks for what is over.
    hand.advance(Duration::from_millis(20));
    set(&store, "ka", &[7; 100]);
    let left = left(&store);
    assert!(!left.contains(&9) && left.len() >= 8, "{left:?}");
}

#[test]
fn where_nothing_may_go_a_write_is_refused_and_the_old_value_is_not_current() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| {
        (config.max_bytes, config.eviction) = (10 * ONE, Eviction::Never);
    });
    ten(&store, &hand);
    let error = store.set("ka", &[7; 100], Flags::RAW, FOR_EVER).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(error.to_string().starts_with("sqlite: set failed ("), "{error}");
    assert_eq!(left(&store).len(), 10);
    let item = |key: &str, size: usize| Item { key: key.into(), value: vec![7; size], flags: Flags::RAW };
    let written = store.set_many(&[item("k0", 100), item("k1", 101), item("k2", 99)], FOR_EVER).unwrap();
    assert_eq!(written, [true, false, true]);
    assert_eq!(value(&store, "k1"), None, "it is not the value that was meant to be there");
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_value_larger_than_everything_is_refused_and_evicts_nothing() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| config.max_bytes = 10 * ONE);
    ten(&store, &hand);
    let error = store.set("k0", &[7; 10_000], Flags::RAW, FOR_EVER).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(left(&store), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_large_store_stays_within_its_limit_in_steps() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| config.max_bytes = 3000 * ONE);
    for batch in 0..50 {
        hand.advance(Duration::from_secs(2));
        let item =
            |number: i32| Item { key: format!("{batch}-{number}"), value: vec![7; 100], flags: Flags::RAW };
        let items: Vec<Item> = (0..200).map(item).collect();
        store.set_many(&items, FOR_EVER).unwrap();
    }
    let stats = store.stats().unwrap();
    assert!(stats.bytes <= 3000 * ONE && stats.entries > 2000, "{stats}");
    let newest = (0..200).filter(|number| store.has(&format!("49-{number}")).unwrap()).count();
    let oldest = (0..200).filter(|number| store.has(&format!("0-{number}")).unwrap()).count();
    assert!(newest > 190 && oldest < 5, "of the newest {newest} are left, of the oldest {oldest}");
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[test]
fn djangos_limits_have_djangos_counts() {
    for (cull_frequency, expected) in [(3, 29), (0, 19)] {
        let folder = Folder::new();
        let (store, _hand) = store(&folder, |_| {});
        let limit = Limit { max_entries: 30, cull_frequency };
        for number in 1..50 {
            let write = Write { life: Life::For(Duration::from_secs(1000)), limit: Some(limit), ..FOR_EVER };
            assert!(store.set(&format!("cull{number}"), b"value", Flags::RAW, write).unwrap());
        }
        let count = (1..50).filter(|number| store.has(&format!("cull{number}")).unwrap()).count();
        assert_eq!(count, expected, "frequency {cull_frequency}");
    }
}

#[test]
fn what_is_over_is_swept_by_writes_that_come_by() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |_| {});
    let brief = Write { life: Life::For(Duration::from_secs(5)), ..FOR_EVER };
    for number in 0..1000 {
        assert!(store.set(&format!("b{number}"), b"value", Flags::RAW, brief).unwrap());
    }
    set(&store, "stays", b"value");
    hand.advance(Duration::from_secs(6));
    assert_eq!(store.stats().unwrap().entries, 1001);
    for turn in 0.. {
        assert!(turn < 20, "{}", store.stats().unwrap());
        if store.stats().unwrap().entries == 1 {
            break;
        }
        hand.advance(Duration::from_secs(1));
        set(&store, "stays", b"value");
    }
    assert_eq!(store.stats().unwrap().expired, 1000);
    assert!(value(&store, "stays").is_some());
}

#[test]
fn expire_removes_all_that_is_over_at_once() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |_| {});
    let item = |number: i32| Item { key: format!("b{number}"), value: b"value".to_vec(), flags: Flags::RAW };
    let items: Vec<Item> = (0..1000).map(item).collect();
    store.set_many(&items, Write { life: Life::For(Duration::from_secs(5)), ..FOR_EVER }).unwrap();
    set(&store, "stays", b"value");
    assert_eq!(store.expire().unwrap(), 0);
    hand.advance(Duration::from_secs(6));
    assert_eq!(store.expire().unwrap(), 1000);
    assert_eq!(store.stats().unwrap().entries, 1);
}

#[test]
fn uses_are_written_down_also_where_nobody_writes() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| config.max_bytes = 1000 * ONE);
    let keys: Vec<String> = (0..300).map(|number| format!("{number:02}")).collect();
    keys.iter().for_each(|key| set(&store, key, b"value"));
    hand.advance(Duration::from_secs(60));
    keys[..200].iter().for_each(|key| assert!(value(&store, key).is_some()));
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    let used: i64 =
        reader.query_row("SELECT count(*) FROM entry WHERE used > stored", [], |row| row.get(0)).unwrap();
    assert!((128..=200).contains(&used), "{used}");
}

#[test]
fn a_cull_that_is_not_at_its_end_removes_nothing_of_what_comes_after_a_clear() {
    let folder = Folder::new();
    let (store, _hand) = store(&folder, |_| {});
    let limited = Write { limit: Some(Limit { max_entries: 3000, cull_frequency: 2 }), ..FOR_EVER };
    let item = |number: i32| Item { key: format!("{number}"), value: vec![7; 10], flags: Flags::RAW };
    store.set_many(&(0..3000).map(item).collect::<Vec<_>>(), FOR_EVER).unwrap();
    assert!(store.set("one more", b"value", Flags::RAW, limited).unwrap());
    assert!(store.stats().unwrap().entries > 2000, "it is at its beginning: {}", store.stats().unwrap());
    // Somebody else, who knows nothing of it.
    let other = Store::new(SqliteConfig::new(folder.file())).unwrap();
    other.clear(None).unwrap();
    (0..20).for_each(|number| set(&other, &format!("{number}"), b"value"));
    for entries in 21..25 {
        assert!(store.set(&format!("new{entries}"), b"value", Flags::RAW, limited).unwrap());
        assert_eq!(store.stats().unwrap().entries, entries);
    }
}

#[test]
fn large_values_in_a_store_of_many_small_ones_stay_within_the_limit() {
    const MOST: u64 = 4 << 20;
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| config.max_bytes = MOST);
    let item = |number: i32| Item { key: format!("{number}"), value: vec![7; 10], flags: Flags::RAW };
    store.set_many(&(0..40_000).map(item).collect::<Vec<_>>(), FOR_EVER).unwrap();
    for number in 0..20 {
        hand.advance(Duration::from_secs(2));
        set(&store, &format!("large{number}"), &vec![7; 500_000]);
        let stats = store.stats().unwrap();
        assert!(stats.bytes <= MOST, "{number}: {stats}");
        assert!(value(&store, &format!("large{number}")).is_some());
    }
}

#[test]
fn what_was_just_written_stays_also_where_the_clock_was_set_back() {
    let folder = Folder::new();
    let (store, hand) = store(&folder, |config| config.max_bytes = 10 * ONE);
    ten(&store, &hand);
    // By a clock that stands still at the beginning.
    let mut config = SqliteConfig::new(folder.file());
    config.max_bytes = 10 * ONE;
    let late = Store::with_clock(config, ManualClock::new().clock()).unwrap();
    for key in ["ka", "kb", "kc"] {
        set(&late, key, &[7; 100]);
        assert!(value(&late, key).is_some(), "{key}");
    }
}
