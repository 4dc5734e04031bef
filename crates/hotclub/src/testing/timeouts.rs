//! How long entries live.
use super::Fixture;
use crate::ErrorKind;
use crate::backend::{Condition, GetOptions, SetOptions};
use crate::clock::Deadline;
use crate::timeout::Life;
use std::time::Duration;

/// An entry is there before its deadline and gone after it.
pub fn an_entry_lives_until_its_deadline(fixture: &Fixture) {
    let life = fixture.unit() * 2;
    fixture.set_for("key", "value", life);
    if fixture.is_by_hand() {
        fixture.pass(life - Duration::from_millis(1));
    }
    assert_eq!(fixture.get("key"), fixture.kept("value"));
    fixture.outlive(if fixture.is_by_hand() { Duration::from_millis(1) } else { life });
    assert_eq!(fixture.get("key"), None);
    assert!(!fixture.has("key"));
}

/// `Life::Never` means what it says.
pub fn an_entry_without_a_timeout_stays(fixture: &Fixture) {
    fixture.set("key", "value");
    fixture.pass(if fixture.is_by_hand() { Duration::from_secs(100 * 365 * 86_400) } else { fixture.unit() });
    assert_eq!(fixture.get("key"), fixture.kept("value"));
}

/// A timeout of zero stores nothing, removes what was there, and is no error.
pub fn a_set_with_no_life_removes_the_entry(fixture: &Fixture) {
    let gone = SetOptions::new(Life::Gone);
    assert!(fixture.set_with("key", "value", &gone), "not an error, and not refused");
    assert_eq!(fixture.get("key"), None);
    fixture.set("key", "value");
    assert!(fixture.set_with("key", "value", &gone));
    assert_eq!(fixture.get("key"), None, "the old value must not come back");
}

/// A set starts a new life, longer or shorter.
pub fn a_new_set_starts_a_new_life(fixture: &Fixture) {
    let unit = fixture.unit();
    fixture.set_for("longer", "value", unit);
    fixture.set_for("longer", "value", unit * 100);
    fixture.set("shorter", "value");
    fixture.set_for("shorter", "value", unit);
    fixture.set_for("endless", "value", unit);
    fixture.set("endless", "value");
    fixture.outlive(unit);
    assert_eq!(fixture.get("longer"), fixture.kept("value"));
    assert_eq!(fixture.get("endless"), fixture.kept("value"));
    assert_eq!(fixture.get("shorter"), None);
}

/// Once the time has ended there is no entry, whichever verb asks first.
pub fn an_expired_entry_is_no_entry_to_any_verb(fixture: &Fixture) {
    let keys = ["deleted", "added", "replaced", "counted", "touched", "peeked"];
    for key in keys {
        fixture.set_for(key, "7", fixture.unit());
    }
    fixture.outlive(fixture.unit());
    assert!(!fixture.delete("deleted"), "an expired entry is not deleted a second time");
    assert!(fixture.set_when("added", "new", Condition::IfAbsent));
    assert_eq!(fixture.get("added"), fixture.kept("new"));
    assert!(!fixture.set_when("replaced", "new", Condition::IfPresent));
    assert_eq!(fixture.get("replaced"), None);
    let error = fixture.backend().incr("counted", 1).expect_err("there is nothing to count");
    assert_eq!(error.kind(), ErrorKind::KeyNotFound);
    assert!(!fixture.touch("touched", Life::Never));
    assert!(!fixture.has("peeked"));
}

/// Where deadlines can be read, they are those that were given.
pub fn deadlines_can_be_read(fixture: &Fixture) {
    if !fixture.can().ttl_readable {
        return;
    }
    let life = fixture.unit() * 3;
    fixture.set_for("key", "value", life);
    let wanted = GetOptions { want_deadline: true, ..GetOptions::default() };
    let Some(Deadline(at)) = fixture.entry("key", &wanted).expect("just stored").deadline else {
        panic!("the deadline is missing");
    };
    let clock = fixture.clock();
    let Deadline(expected) = clock.deadline(clock.now_ms() + life.as_millis() as u64);
    let slack = if fixture.is_by_hand() { 0 } else { fixture.unit().as_millis() as u64 + 500 };
    assert!(at.abs_diff(expected) <= slack, "{at} is not {expected}");
}

/// An entry that never expires has no deadline.
pub fn no_deadline_is_read_from_an_entry_without_one(fixture: &Fixture) {
    fixture.set("key", "value");
    let wanted = GetOptions { want_deadline: true, ..GetOptions::default() };
    let entry = fixture.entry("key", &wanted);
    assert_eq!(entry.is_some(), fixture.keeps());
    assert_eq!(entry.and_then(|entry| entry.deadline), None);
}
