//! The right to fill a key, and tags: where they are claimed, and the refusal where they are not.
use super::Fixture;
use crate::backend::{Filled, GetOptions, Lease, LeaseOptions, SetOptions, Tag, Token};
use crate::error::Result;
use crate::timeout::Life;
use crate::{Error, ErrorKind};
use bytes::Bytes;
use std::fmt::Debug;

fn refused<T: Debug>(fixture: &Fixture, verb: &str, answer: Result<T>) {
    let error: Error = answer.expect_err("a verb that is not claimed is refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{verb}");
    assert_eq!((error.backend(), error.action()), (Some(fixture.backend().scheme()), Some(verb)));
    assert!(!error.is_temporary(), "trying again does not help");
}

/// Without the claim every verb of leases says so, naming backend and verb, and stores nothing.
pub fn leases_are_refused_where_they_are_not_claimed(fixture: &Fixture) {
    if fixture.can().leases {
        return;
    }
    let (backend, token, options) = (fixture.backend(), Token(7), SetOptions::new(Life::Never));
    refused(fixture, "lease", backend.lease("key", &LeaseOptions::new(fixture.unit())));
    refused(fixture, "fill", backend.fill("key", &token, Bytes::from_static(b"value"), &options));
    refused(fixture, "release", backend.release("key", &token));
    assert!(!fixture.has("key"));
}

/// Without the claim every verb of tags says so; a read must not pretend that tags are fresh.
pub fn tags_are_refused_where_they_are_not_claimed(fixture: &Fixture) {
    if fixture.can().tags {
        return;
    }
    refused(fixture, "bump", fixture.backend().bump(&[Tag(1)]));
    refused(fixture, "stamp", fixture.backend().stamp(&[Tag(1)]));
    fixture.set("key", "value");
    let tagged = GetOptions { tags: vec![Tag(1)], ..GetOptions::default() };
    match fixture.backend().get("key", &tagged) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        Ok(entry) => assert_eq!(entry, None, "an entry must not be given without the stamps asked for"),
    }
}

fn take(fixture: &Fixture) -> Lease {
    fixture.backend().lease("key", &LeaseOptions::new(fixture.unit() * 10)).expect("lease answers")
}

fn granted(fixture: &Fixture) -> Token {
    match take(fixture) {
        Lease::Granted { token, .. } => token,
        other => panic!("nobody holds the lease, and yet: {other:?}"),
    }
}

fn fill(fixture: &Fixture, token: &Token, text: &'static str) -> Filled {
    let value = Bytes::from_static(text.as_bytes());
    fixture.backend().fill("key", token, value, &SetOptions::new(Life::Never)).expect("fill answers")
}

/// Who holds the lease stores; who asks afterwards gets the value.
pub fn a_lease_lets_its_holder_fill(fixture: &Fixture) {
    if !fixture.can().leases {
        return;
    }
    let token = granted(fixture);
    assert_eq!(fill(fixture, &Token(token.0 ^ 1), "forged"), Filled::Lost);
    assert_eq!(fill(fixture, &token, "value"), Filled::Stored);
    assert_eq!(fixture.get("key").as_deref(), Some("value"));
    let Lease::Hit(entry) = take(fixture) else { panic!("there is a value now") };
    assert_eq!(entry.value, "value");
    assert_eq!(fill(fixture, &token, "again"), Filled::Lost, "a lease is good for one fill");
}

/// One holder at a time.
pub fn a_second_caller_does_not_get_the_lease(fixture: &Fixture) {
    if !fixture.can().leases {
        return;
    }
    let token = granted(fixture);
    assert!(matches!(take(fixture), Lease::Busy { .. }));
    assert_eq!(fill(fixture, &token, "value"), Filled::Stored);
}

/// A reader that was slower than the delete cannot put the old value back.
pub fn a_delete_ends_the_lease(fixture: &Fixture) {
    if !fixture.can().leases {
        return;
    }
    let token = granted(fixture);
    fixture.delete("key");
    assert_eq!(fill(fixture, &token, "old"), Filled::Lost);
    assert_eq!(fixture.get("key"), None);
}

/// An authoritative write wins over a load that was under way.
pub fn a_set_makes_a_running_fill_refused(fixture: &Fixture) {
    if !fixture.can().leases {
        return;
    }
    let token = granted(fixture);
    fixture.set("key", "set");
    assert!(matches!(fill(fixture, &token, "loaded"), Filled::Lost | Filled::Superseded));
    assert_eq!(fixture.get("key").as_deref(), Some("set"));
}

/// A lease given back is free at once.
pub fn a_released_lease_can_be_taken_again(fixture: &Fixture) {
    if !fixture.can().leases {
        return;
    }
    let token = granted(fixture);
    fixture.backend().release("key", &token).expect("release answers");
    assert_eq!(fill(fixture, &token, "late"), Filled::Lost);
    granted(fixture);
}
