//! How large keys and values may be.
use super::Fixture;
use crate::ErrorKind;
use crate::backend::{Condition, SetOptions};
use crate::timeout::Life;
use bytes::Bytes;

/// Larger values than this are not made only to be refused.
const LARGEST: usize = 16 << 20;

fn too_large(fixture: &Fixture) -> Option<Bytes> {
    let most = fixture.can().max_value.filter(|&most| most <= LARGEST)?;
    Some(Bytes::from(vec![b'x'; most + 1]))
}

/// A set that fails must not leave the value that it was to replace.
pub fn a_value_beyond_the_limit_is_refused_and_leaves_nothing_old(fixture: &Fixture) {
    let Some(value) = too_large(fixture) else { return };
    fixture.set("key", "old");
    fixture.set("other", "stays");
    let error = fixture.backend().set("key", value, &SetOptions::new(Life::Never)).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(fixture.get("key"), None, "stale data must not outlive a failed set");
    assert_eq!(fixture.get("other"), fixture.kept("stays"));
}

/// An add that could not have taken place does no harm.
pub fn an_add_beyond_the_limit_keeps_the_first_value(fixture: &Fixture) {
    let Some(value) = too_large(fixture) else { return };
    fixture.set("key", "first");
    let add = SetOptions::new(Life::Never).when(Condition::IfAbsent);
    match fixture.backend().set("key", value, &add) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::TooLarge),
        Ok(stored) => assert!(!stored),
    }
    assert_eq!(fixture.get("key"), fixture.kept("first"));
}

/// A key of the greatest length is a key like any other; its neighbour is another.
pub fn the_longest_key_is_kept(fixture: &Fixture) {
    let most = fixture.can().max_key.unwrap_or(4096);
    let (longest, neighbour) = ("k".repeat(most), format!("{}j", "k".repeat(most - 1)));
    fixture.set(&longest, "value");
    assert_eq!(fixture.get(&longest), fixture.kept("value"));
    assert_eq!(fixture.get(&neighbour), None);
    assert_eq!(fixture.delete(&longest), fixture.keeps());
}
