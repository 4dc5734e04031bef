//! What a backend says about itself.
use super::Fixture;
use crate::backend::GetOptions;

/// The scheme is the room's name as URLs write it.
pub fn the_scheme_is_a_bare_word(fixture: &Fixture) {
    let scheme = fixture.backend().scheme();
    assert!(!scheme.is_empty() && scheme.bytes().all(|letter| letter.is_ascii_lowercase()), "{scheme:?}");
}

/// Layers ask once and rely on the answer.
pub fn the_capability_is_always_the_same(fixture: &Fixture) {
    let before = fixture.can();
    fixture.set("key", "value");
    assert_eq!(fixture.can(), before);
}

/// Where a backend counts: hits, misses, sets and deletes, and a peek counts as nothing.
pub fn lookups_and_writes_are_counted(fixture: &Fixture) {
    let Some(before) = fixture.backend().stats() else { return };
    fixture.set("a", "1");
    fixture.set("a", "2");
    fixture.set("b", "3");
    for key in ["a", "missing", "a", "b"] {
        fixture.get(key);
        fixture.has(key);
    }
    fixture.entry("a", &GetOptions::peek());
    fixture.delete("b");
    fixture.delete("missing");
    let after = fixture.backend().stats().expect("a backend that counts goes on counting");
    assert_eq!((after.hits - before.hits, after.misses - before.misses), (3, 1));
    assert_eq!((after.sets - before.sets, after.deleted - before.deleted), (3, 1));
    assert_eq!(after.entries, 1);
    assert!(after.bytes > 0, "an entry weighs something");
}

/// Errors say whose they are.
pub fn an_error_names_the_backend(fixture: &Fixture) {
    let error = fixture.backend().incr("missing", 1).expect_err("there is nothing to count");
    assert_eq!((error.backend(), error.action()), (Some(fixture.backend().scheme()), Some("incr")));
}
