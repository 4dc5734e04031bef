//! Giving an entry a new life without writing it.
use super::Fixture;
use crate::backend::GetOptions;
use crate::timeout::Life;

/// A touched entry lives from the touch on.
pub fn touch_gives_a_new_life(fixture: &Fixture) {
    let unit = fixture.unit();
    fixture.set_for("touched", "value", unit);
    fixture.set_for("left", "value", unit);
    assert_eq!(fixture.touch("touched", Life::For(unit * 100)), fixture.keeps());
    fixture.outlive(unit);
    assert_eq!(fixture.get("touched"), fixture.kept("value"));
    assert_eq!(fixture.get("left"), None);
}

/// A new life may be shorter than the rest of the old one.
pub fn touch_can_shorten_a_life(fixture: &Fixture) {
    fixture.set("key", "value");
    assert_eq!(fixture.touch("key", Life::For(fixture.unit())), fixture.keeps());
    assert_eq!(fixture.get("key"), fixture.kept("value"));
    fixture.outlive(fixture.unit());
    assert_eq!(fixture.get("key"), None);
}

/// `Life::Never` takes the deadline away; on an entry that has none it is still a touch.
pub fn touch_can_make_an_entry_stay(fixture: &Fixture) {
    fixture.set_for("key", "value", fixture.unit());
    assert_eq!(fixture.touch("key", Life::Never), fixture.keeps());
    assert_eq!(fixture.touch("key", Life::Never), fixture.keeps(), "an entry that stays can be touched");
    fixture.outlive(fixture.unit());
    assert_eq!(fixture.get("key"), fixture.kept("value"));
}

/// A touch with a timeout of zero removes, and answers that there was an entry.
pub fn touch_with_no_life_removes_the_entry(fixture: &Fixture) {
    fixture.set("key", "value");
    assert_eq!(fixture.touch("key", Life::Gone), fixture.keeps());
    assert_eq!(fixture.get("key"), None);
    assert!(!fixture.touch("key", Life::Gone));
}

/// There is nothing to touch, and nothing is made.
pub fn touch_of_a_missing_key_is_false_and_creates_nothing(fixture: &Fixture) {
    for life in [Life::Never, Life::For(fixture.unit()), Life::Gone] {
        assert!(!fixture.touch("key", life));
        assert!(!fixture.has("key"));
    }
}

/// Expired is gone for good.
pub fn touch_of_an_expired_entry_does_not_revive_it(fixture: &Fixture) {
    fixture.set_for("key", "value", fixture.unit());
    fixture.outlive(fixture.unit());
    assert!(!fixture.touch("key", Life::For(fixture.unit() * 100)));
    assert_eq!(fixture.get("key"), None);
}

/// A touch changes the life and nothing else.
pub fn touch_keeps_the_value(fixture: &Fixture) {
    fixture.set("key", "value");
    fixture.touch("key", Life::For(fixture.unit() * 100));
    assert_eq!(fixture.get("key"), fixture.kept("value"));
}

/// A read can give a new life in the same step.
pub fn a_read_can_touch_in_the_same_step(fixture: &Fixture) {
    if !fixture.can().native_touch {
        return;
    }
    let unit = fixture.unit();
    fixture.set_for("key", "value", unit);
    let touching = GetOptions { touch: Some(Life::For(unit * 100)), ..GetOptions::default() };
    assert_eq!(fixture.entry("key", &touching).expect("just stored").value, "value");
    assert_eq!(fixture.entry("missing", &touching), None);
    fixture.outlive(unit);
    assert_eq!(fixture.get("key"), fixture.kept("value"));
    assert!(!fixture.has("missing"));
}
