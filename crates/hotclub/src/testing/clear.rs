//! Removing everything, or everything under a prefix.
use super::Fixture;
use crate::ErrorKind;
use crate::backend::Scope;

fn clear(fixture: &Fixture, scope: Scope<'_>) {
    fixture.backend().clear(scope).expect("clear answers");
}

/// Every entry goes, whoever wrote it.
pub fn clear_removes_every_entry(fixture: &Fixture) {
    let keys: Vec<String> = (0..200).map(|n| format!("{}:1:{n}", ["", "shop", "blog"][n % 3])).collect();
    for key in &keys {
        fixture.set_for(key, "value", fixture.unit() * 100);
    }
    clear(fixture, Scope::All);
    assert!(keys.iter().all(|key| !fixture.has(key)), "no entry is left");
}

/// There is nothing to do, and nothing wrong.
pub fn clear_of_an_empty_store_is_safe(fixture: &Fixture) {
    clear(fixture, Scope::All);
    clear(fixture, Scope::All);
    assert_eq!(fixture.get("key"), None);
}

/// After a clear the store is as good as new: old keys are absent, new entries stay.
pub fn a_cleared_store_can_be_used(fixture: &Fixture) {
    fixture.set("key", "old");
    clear(fixture, Scope::All);
    assert!(!fixture.delete("key"));
    fixture.set("key", "new");
    assert_eq!(fixture.get("key"), fixture.kept("new"));
}

/// Keys that do not start with the prefix stay.
pub fn clear_by_prefix_removes_nothing_else(fixture: &Fixture) {
    if !fixture.can().clear_prefix {
        return;
    }
    let (inside, outside) =
        (["shop:1:a", "shop:2:b", "shop:"], ["shop", "shopping:1:a", "Shop:1:a", "a:shop:1"]);
    for key in inside.into_iter().chain(outside) {
        fixture.set(key, "value");
    }
    clear(fixture, Scope::Prefix("shop:"));
    assert!(inside.iter().all(|key| !fixture.has(key)));
    assert!(outside.iter().all(|key| fixture.has(key)));
}

/// A prefix is no pattern.
pub fn clear_by_prefix_takes_the_prefix_literally(fixture: &Fixture) {
    if !fixture.can().clear_prefix {
        return;
    }
    for prefix in ["*", "?", "[ab]", "a%", "a_", "\\"] {
        fixture.set("ab:1", "stays");
        fixture.set(&format!("{prefix}:1"), "goes");
        clear(fixture, Scope::Prefix(&format!("{prefix}:")));
        assert!(fixture.has("ab:1"), "{prefix} was taken for a pattern");
        assert!(!fixture.has(&format!("{prefix}:1")));
    }
}

/// A backend that cannot refuses: it must not clear everything, nor nothing in silence.
pub fn clear_by_prefix_is_refused_where_it_is_not_claimed(fixture: &Fixture) {
    if fixture.can().clear_prefix {
        return;
    }
    fixture.set("shop:1:a", "value");
    match fixture.backend().clear(Scope::Prefix("blog:")) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        Ok(()) => assert!(!fixture.keeps(), "only a backend that keeps nothing may answer"),
    }
    assert_eq!(fixture.get("shop:1:a"), fixture.kept("value"));
}
