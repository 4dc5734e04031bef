//! The verbs over many entries.
use super::Fixture;
use crate::backend::{GetOptions, Item, SetOptions};
use crate::entry::Flags;
use crate::timeout::Life;
use bytes::Bytes;

fn texts(fixture: &Fixture, keys: &[&str]) -> Vec<Option<String>> {
    let entries = fixture.backend().get_many(keys, &GetOptions::default()).expect("get_many answers");
    entries.into_iter().map(|entry| Some(String::from_utf8(entry?.value.to_vec()).expect("text"))).collect()
}

fn set_many(fixture: &Fixture, items: &[(&str, &'static str)], life: Life) -> Vec<bool> {
    let item = |&(key, text): &(_, &'static str)| Item {
        key,
        value: Bytes::from_static(text.as_bytes()),
        flags: Flags::TEXT,
    };
    let items: Vec<Item<'_>> = items.iter().map(item).collect();
    fixture.backend().set_many(&items, &SetOptions::new(life)).expect("set_many answers")
}

/// Answers stand in the order of the keys, with `None` where there is no entry.
pub fn get_many_answers_in_the_order_of_the_keys(fixture: &Fixture) {
    fixture.set("a", "1");
    fixture.set("b", "2");
    fixture.set("c", "3");
    fixture.delete("b");
    let expected = [fixture.kept("3"), None, None, fixture.kept("1")];
    assert_eq!(texts(fixture, &["c", "missing", "b", "a"]), expected);
}

/// A key that is asked twice is answered twice.
pub fn get_many_answers_a_key_as_often_as_it_is_asked(fixture: &Fixture) {
    fixture.set("a", "1");
    assert_eq!(
        texts(fixture, &["a", "a", "b", "a"]),
        [fixture.kept("1"), fixture.kept("1"), None, fixture.kept("1")]
    );
}

/// Every entry is written, over old ones too.
pub fn set_many_writes_every_entry(fixture: &Fixture) {
    fixture.set("b", "old");
    let written = set_many(fixture, &[("a", "1"), ("b", "2"), ("c", "3")], Life::Never);
    assert_eq!(written, [true; 3]);
    let expected = [fixture.kept("1"), fixture.kept("2"), fixture.kept("3")];
    assert_eq!(texts(fixture, &["a", "b", "c"]), expected);
}

/// The life of the options is that of every entry, and no life stores none.
pub fn set_many_gives_every_entry_the_life(fixture: &Fixture) {
    set_many(fixture, &[("a", "1"), ("b", "2")], Life::For(fixture.unit()));
    assert_eq!(texts(fixture, &["a", "b"]), [fixture.kept("1"), fixture.kept("2")]);
    fixture.outlive(fixture.unit());
    assert_eq!(texts(fixture, &["a", "b"]), [None, None]);
    fixture.set("c", "old");
    set_many(fixture, &[("c", "3"), ("d", "4")], Life::Gone);
    assert_eq!(texts(fixture, &["c", "d"]), [None, None]);
}

/// Entries are written in their order.
pub fn set_many_lets_the_last_of_equal_keys_win(fixture: &Fixture) {
    set_many(fixture, &[("a", "first"), ("b", "2"), ("a", "last")], Life::Never);
    assert_eq!(texts(fixture, &["a", "b"]), [fixture.kept("last"), fixture.kept("2")]);
}

/// The count is that of the entries that were there, each once.
pub fn delete_many_counts_what_was_there(fixture: &Fixture) {
    set_many(fixture, &[("a", "1"), ("b", "2"), ("c", "3")], Life::Never);
    let removed = fixture.backend().delete_many(&["a", "missing", "c", "a"]).expect("delete_many answers");
    assert_eq!(removed, if fixture.keeps() { 2 } else { 0 });
    assert_eq!(texts(fixture, &["a", "b", "c"]), [None, fixture.kept("2"), None]);
}

/// Nothing asked, nothing done.
pub fn no_keys_are_no_error(fixture: &Fixture) {
    assert!(texts(fixture, &[]).is_empty());
    assert!(set_many(fixture, &[], Life::Never).is_empty());
    assert_eq!(fixture.backend().delete_many(&[]).expect("delete_many answers"), 0);
}
