//! Both doors of a backend lead to the same room.
use super::{Fixture, block_on};
use crate::backend::{Backend, Condition, GetOptions, Item, LeaseOptions, Op, Scope, SetOptions, Tag, Token};
use crate::entry::Flags;
use crate::error::Result;
use crate::timeout::Life;
use bytes::Bytes;
use std::fmt::Debug;

/// An answer as text: errors by kind, so that keys in messages do not matter.
fn text<T: Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => format!("{:?} in {:?}", error.kind(), error.action()),
    }
}

/// The same script of verbs through one door: `$wait` takes the answer out of what `$verb` returns.
macro_rules! script {
    ($backend:expr, $of:ident, $wait:expr, $set:ident $get:ident $delete:ident $incr:ident $touch:ident
     $get_many:ident $set_many:ident $delete_many:ident) => {{
        let backend: &dyn Backend = $backend;
        let key = |name: &str| format!("{}:{name}", $of);
        let (a, b, c) = (key("a"), key("b"), key("c"));
        let value = |text: &'static str| Bytes::from_static(text.as_bytes());
        let (never, read) = (SetOptions::new(Life::Never), GetOptions::default());
        let add = never.clone().when(Condition::IfAbsent);
        let items = [
            Item { key: &b, value: value("2"), flags: Flags::TEXT },
            Item { key: &c, value: value("x"), flags: Flags::RAW },
        ];
        let (two, all) = ([b.as_str(), &c], [c.as_str(), &a, &b]);
        vec![
            text($wait(backend.$get(&a, &read))),
            text($wait(backend.$set(&a, value("1"), &never))),
            text($wait(backend.$set(&a, value("9"), &add))),
            text($wait(backend.$get(&a, &read))),
            text($wait(backend.$incr(&a, 41))),
            text($wait(backend.$incr(&b, 1))),
            text($wait(backend.$set_many(&items, &never))),
            text($wait(backend.$incr(&c, 1))),
            text($wait(backend.$get_many(&all, &read))),
            text($wait(backend.$touch(&a, Life::Gone))),
            text($wait(backend.$touch(&b, Life::Never))),
            text($wait(backend.$delete(&a))),
            text($wait(backend.$delete_many(&two))),
            text($wait(backend.$get_many(&all, &read))),
        ]
    }};
}

/// One script of verbs through each door, on keys of its own; then the verbs without keys.
pub fn every_verb_answers_as_its_blocking_twin(fixture: &Fixture) {
    fixture.within(|| compare_the_doors(fixture));
}

fn compare_the_doors(fixture: &Fixture) {
    let backend = fixture.backend();
    let (blocking, waiting) = ("blocking", "async");
    let one = script!(
        backend, blocking, |answer| answer, set get delete incr touch get_many set_many delete_many
    );
    let two = script!(
        backend, waiting, block_on, aset aget adelete aincr atouch aget_many aset_many adelete_many
    );
    assert_eq!(one, two);
    fixture.set("key", "value");
    assert_eq!(text(block_on(backend.aclear(Scope::All))), "()");
    assert_eq!(fixture.get("key"), None);
    if fixture.can().leases {
        return;
    }
    let (lease, token) = (LeaseOptions::new(fixture.unit()), Token(7));
    let (never, tags) = (SetOptions::new(Life::Never), [Tag(1)]);
    assert_eq!(text(block_on(backend.alease("key", &lease))), text(backend.lease("key", &lease)));
    let value = || Bytes::from_static(b"value");
    let filled = text(backend.fill("key", &token, value(), &never));
    assert_eq!(text(block_on(backend.afill("key", &token, value(), &never))), filled);
    assert_eq!(text(block_on(backend.arelease("key", &token))), text(backend.release("key", &token)));
    assert_eq!(text(block_on(backend.abump(&tags))), text(backend.bump(&tags)));
    assert_eq!(text(block_on(backend.astamp(&tags))), text(backend.stamp(&tags)));
}

fn is_there<T>(answer: &Op<'_, T>) -> bool {
    matches!(answer, Op::Ready(Some(_)))
}

/// Inline means: the answer is there before anybody waits for it.
pub fn an_inline_backend_answers_at_once(fixture: &Fixture) {
    if !fixture.can().inline {
        return;
    }
    let (backend, never, read) = (fixture.backend(), SetOptions::new(Life::Never), GetOptions::default());
    assert!(is_there(&backend.aset("key", Bytes::from_static(b"1"), &never)));
    assert!(is_there(&backend.aget("key", &read)));
    assert!(is_there(&backend.aget_many(&["key"], &read)));
    assert!(is_there(&backend.aset_many(&[], &never)));
    assert!(is_there(&backend.aincr("key", 1)));
    assert!(is_there(&backend.atouch("key", Life::Never)));
    assert!(is_there(&backend.adelete("key")));
    assert!(is_there(&backend.adelete_many(&["key"])));
    assert!(is_there(&backend.aclear(Scope::All)));
}
