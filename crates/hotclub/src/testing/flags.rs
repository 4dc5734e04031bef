//! What the codec wrote, kept beside the value.
use super::Fixture;
use crate::backend::{GetOptions, Item, SetOptions};
use crate::entry::Flags;
use crate::timeout::Life;
use bytes::Bytes;

const SOME: [Flags; 6] =
    [Flags::RAW, Flags::PICKLE, Flags::INTEGER, Flags::MESSAGE_PACK, Flags(u32::MAX), Flags(0x8000_0001)];

fn set(fixture: &Fixture, key: &str, text: &str, flags: Flags) {
    assert!(fixture.set_with(key, text, &SetOptions::new(Life::Never).flags(flags)));
}

fn flags(fixture: &Fixture, key: &str) -> Option<Flags> {
    fixture.entry(key, &GetOptions::default()).map(|entry| entry.flags)
}

/// All 32 bits come back.
pub fn flags_are_kept_beside_the_value(fixture: &Fixture) {
    if !fixture.can().flags {
        return;
    }
    for (n, written) in SOME.into_iter().enumerate() {
        set(fixture, &format!("key{n}"), "value", written);
    }
    for (n, written) in SOME.into_iter().enumerate() {
        assert_eq!(flags(fixture, &format!("key{n}")), Some(written));
    }
}

/// A new value has its own flags.
pub fn a_set_replaces_the_flags(fixture: &Fixture) {
    if !fixture.can().flags {
        return;
    }
    for written in SOME {
        set(fixture, "key", "value", written);
        assert_eq!(flags(fixture, "key"), Some(written));
    }
}

/// What does not write a value leaves its flags.
pub fn touch_and_incr_keep_the_flags(fixture: &Fixture) {
    if !fixture.can().flags {
        return;
    }
    set(fixture, "key", "7", Flags::INTEGER);
    assert!(fixture.touch("key", Life::For(fixture.unit() * 100)));
    assert_eq!(flags(fixture, "key"), Some(Flags::INTEGER));
    assert_eq!(fixture.backend().incr("key", 1).ok(), Some(8));
    assert_eq!(flags(fixture, "key"), Some(Flags::INTEGER));
}

/// The flags of the entry win over those of the options.
pub fn set_many_keeps_the_flags_of_every_entry(fixture: &Fixture) {
    if !fixture.can().flags {
        return;
    }
    let item = |key, flags| Item { key, value: Bytes::from_static(b"1"), flags };
    let items = [item("a", Flags::INTEGER), item("b", Flags::PICKLE), item("c", Flags::RAW)];
    let options = SetOptions::new(Life::Never).flags(Flags::TEXT);
    assert_eq!(fixture.backend().set_many(&items, &options).expect("set_many answers"), [true; 3]);
    for item in items {
        assert_eq!(flags(fixture, item.key), Some(item.flags));
    }
}
