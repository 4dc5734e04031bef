//! Writes that take place only if: add, replace, compare-and-set.
use super::Fixture;
use crate::ErrorKind;
use crate::backend::{Condition, GetOptions, SetOptions};
use crate::timeout::Life;
use bytes::Bytes;

/// The first value stays.
pub fn add_keeps_the_first_value(fixture: &Fixture) {
    assert!(fixture.set_when("key", "first", Condition::IfAbsent));
    assert_eq!(fixture.set_when("key", "second", Condition::IfAbsent), !fixture.keeps());
    assert_eq!(fixture.get("key"), fixture.kept("first"));
}

/// A deleted key is absent.
pub fn add_after_a_delete_stores(fixture: &Fixture) {
    fixture.set("key", "first");
    fixture.delete("key");
    assert!(fixture.set_when("key", "second", Condition::IfAbsent));
    assert_eq!(fixture.get("key"), fixture.kept("second"));
}

/// `add(key, value, 0)` on a missing key is true, and nothing is stored.
pub fn add_with_no_life_stores_nothing(fixture: &Fixture) {
    let gone = SetOptions::new(Life::Gone).when(Condition::IfAbsent);
    assert!(fixture.set_with("key", "value", &gone));
    assert_eq!(fixture.get("key"), None);
}

/// `add(key, value, 0)` on a present key is false, and the entry stays.
pub fn add_with_no_life_keeps_the_first_value(fixture: &Fixture) {
    fixture.set("key", "first");
    let gone = SetOptions::new(Life::Gone).when(Condition::IfAbsent);
    assert_eq!(fixture.set_with("key", "second", &gone), !fixture.keeps());
    assert_eq!(fixture.get("key"), fixture.kept("first"));
}

/// A replace writes only over an entry.
pub fn replace_needs_an_entry(fixture: &Fixture) {
    assert!(!fixture.set_when("key", "new", Condition::IfPresent));
    assert_eq!(fixture.get("key"), None);
    fixture.set("key", "old");
    assert_eq!(fixture.set_when("key", "new", Condition::IfPresent), fixture.keeps());
    assert_eq!(fixture.get("key"), fixture.kept("new"));
}

/// A replace with a timeout of zero removes.
pub fn replace_with_no_life_removes_the_entry(fixture: &Fixture) {
    let gone = SetOptions::new(Life::Gone).when(Condition::IfPresent);
    assert!(!fixture.set_with("key", "new", &gone), "there is nothing to replace");
    fixture.set("key", "old");
    assert_eq!(fixture.set_with("key", "new", &gone), fixture.keeps());
    assert_eq!(fixture.get("key"), None);
}

fn token(fixture: &Fixture, key: &str) -> u64 {
    let wanted = GetOptions { want_cas: true, ..GetOptions::default() };
    let entry = fixture.entry(key, &wanted).expect("the case stored an entry");
    entry.cas.expect("a backend that claims cas gives a token when asked")
}

/// A token is good for one write.
pub fn compare_and_set_works_once(fixture: &Fixture) {
    if !fixture.can().cas {
        return;
    }
    fixture.set("key", "old");
    let seen = token(fixture, "key");
    assert_eq!(token(fixture, "key"), seen, "reading changes nothing");
    assert!(fixture.set_when("key", "new", Condition::IfCas(seen)));
    assert!(!fixture.set_when("key", "late", Condition::IfCas(seen)));
    assert_eq!(fixture.get("key").as_deref(), Some("new"));
}

/// Every way to change a value changes the token, also if the value is the same again.
pub fn compare_and_set_sees_every_change(fixture: &Fixture) {
    if !fixture.can().cas {
        return;
    }
    type Change = fn(&Fixture);
    let changes: [(&str, Change); 4] = [
        ("set", |fixture| fixture.set("key", "1")),
        ("incr", |fixture| assert_eq!(fixture.backend().incr("key", 0).ok(), Some(1))),
        ("replace", |fixture| assert!(fixture.set_when("key", "1", Condition::IfPresent))),
        ("delete and set", |fixture| {
            fixture.delete("key");
            fixture.set("key", "1");
        }),
    ];
    for (name, change) in changes {
        fixture.set("key", "1");
        let seen = token(fixture, "key");
        change(fixture);
        assert!(!fixture.set_when("key", "late", Condition::IfCas(seen)), "{name} was not noticed");
        assert_eq!(fixture.get("key").as_deref(), Some("1"));
    }
}

/// The token of an entry that is gone is good for nothing.
pub fn compare_and_set_needs_an_entry(fixture: &Fixture) {
    if !fixture.can().cas {
        return;
    }
    fixture.set_for("key", "old", fixture.unit());
    let seen = token(fixture, "key");
    fixture.outlive(fixture.unit());
    assert!(!fixture.set_when("key", "late", Condition::IfCas(seen)));
    assert!(!fixture.set_when("missing", "late", Condition::IfCas(seen)));
    assert!(!fixture.has("key") && !fixture.has("missing"));
}

/// A backend that does not claim it refuses: it must not write and say that the condition held.
pub fn compare_and_set_is_refused_where_it_is_not_claimed(fixture: &Fixture) {
    if fixture.can().cas {
        return;
    }
    fixture.set("key", "old");
    let options = SetOptions::new(Life::Never).when(Condition::IfCas(1));
    match fixture.backend().set("key", Bytes::from_static(b"new"), &options) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        Ok(stored) => assert!(!stored && !fixture.keeps(), "only a backend that keeps nothing may answer"),
    }
    assert_eq!(fixture.get("key"), fixture.kept("old"));
}
