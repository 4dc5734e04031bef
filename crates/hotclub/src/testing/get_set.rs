//! Storing, reading, removing.
use super::Fixture;
use crate::backend::{GetOptions, SetOptions};
use crate::timeout::Life;
use bytes::Bytes;

/// A miss is `None`, not an error.
pub fn a_missing_key_is_none(fixture: &Fixture) {
    assert_eq!(fixture.get("key"), None);
    assert!(!fixture.has("key"));
}

/// A set is read back as it was stored.
pub fn what_was_set_is_read_back(fixture: &Fixture) {
    fixture.set("key", "value");
    assert_eq!(fixture.get("key"), fixture.kept("value"));
    assert_eq!(fixture.get("key"), fixture.kept("value"), "reading takes nothing away");
    assert_eq!(fixture.get("other"), None);
}

/// The newest value counts, whatever the lengths.
pub fn a_set_replaces_the_value(fixture: &Fixture) {
    for text in ["short", "a rather longer value than the one before", "", "end"] {
        fixture.set("key", text);
        assert_eq!(fixture.get("key"), fixture.kept(text));
    }
}

/// An empty value is a value.
pub fn an_empty_value_is_a_hit(fixture: &Fixture) {
    fixture.set("key", "");
    assert_eq!(fixture.get("key"), fixture.kept(""));
    assert_eq!(fixture.has("key"), fixture.keeps());
}

/// Values are bytes: no byte is special, and length is no matter.
pub fn any_bytes_are_kept(fixture: &Fixture) {
    let every_byte: Vec<u8> = (0..=255).collect();
    for value in [every_byte.clone(), every_byte.repeat(250), b"\r\nEND\r\n".to_vec(), vec![0]] {
        let value = Bytes::from(value);
        let stored = fixture.backend().set("key", value.clone(), &SetOptions::new(Life::Never));
        assert_eq!(stored.ok(), Some(true));
        let read = fixture.entry("key", &GetOptions::default()).map(|entry| entry.value);
        assert_eq!(read, fixture.keeps().then_some(value));
    }
}

/// Keys that look alike are different keys.
pub fn keys_are_compared_byte_by_byte(fixture: &Fixture) {
    let keys =
        [":1:key", ":1:Key", ":1:key:", ":1:ke", ":2:key", ":1:é", ":1:e\u{301}", ":1:日本", ":1:%C3%A9"];
    for key in keys {
        fixture.set(key, key);
    }
    for key in keys {
        assert_eq!(fixture.get(key), fixture.kept(key));
    }
    assert_eq!(fixture.delete(":1:é"), fixture.keeps());
    assert_eq!(fixture.get(":1:e\u{301}"), fixture.kept(":1:e\u{301}"));
}

/// Peeking differs in what it counts, not in what it answers.
pub fn peeking_answers_as_reading_does(fixture: &Fixture) {
    fixture.set("key", "value");
    for key in ["key", "missing"] {
        assert_eq!(fixture.entry(key, &GetOptions::peek()), fixture.entry(key, &GetOptions::default()));
    }
}

/// A delete removes its key and no other, and says whether there was an entry.
pub fn deleting_removes_one_entry(fixture: &Fixture) {
    fixture.set("key", "value");
    fixture.set("other", "stays");
    assert_eq!(fixture.delete("key"), fixture.keeps());
    assert_eq!(fixture.get("key"), None);
    assert_eq!(fixture.get("other"), fixture.kept("stays"));
}

/// Deleting what is not there is no error.
pub fn deleting_twice_is_safe(fixture: &Fixture) {
    assert!(!fixture.delete("never_there"), "there was nothing to delete");
    fixture.set("key", "value");
    fixture.delete("key");
    assert!(!fixture.delete("key"), "the second delete finds nothing");
}
