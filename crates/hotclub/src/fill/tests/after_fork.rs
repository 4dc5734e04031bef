//! A child has none of its parent's threads: it must not wait for their loaders.
use super::*;
use crate::fill::flight::{Flights, Role};
use crate::testing::fork::in_a_child;

#[test]
fn a_forked_child_does_not_wait_for_a_leader_of_its_parent() {
    let flights = Flights::new();
    let Role::Leader(leader) = flights.join("key") else { panic!("nobody else is there") };
    let ended = in_a_child(|| {
        assert!(matches!(flights.join("key"), Role::Leader(_)), "the child leads its own flight");
    });
    assert_eq!(ended, 0, "1: an assertion failed in the child; -14: the child hung");
    assert!(matches!(flights.join("key"), Role::Follower(_)), "the parent's flight goes on");
    drop(leader);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_forked_child_can_load_a_key_that_its_parent_is_loading() {
    let cache = cache_that_waits(LONG);
    let value = cache.get_or_set("key", |_| {
        let ended = in_a_child(|| {
            let loaded = std::thread::scope(|scope| {
                scope.spawn(|| cache.get_or_set("key", |_| 7).unwrap()).join().unwrap()
            });
            assert_eq!(loaded, 7);
            assert_eq!(cache.get::<i32>("key").unwrap(), Some(7));
        });
        assert_eq!(ended, 0, "1: an assertion failed in the child; -14: the child hung");
        8
    });
    assert_eq!(value.unwrap(), 8);
}
