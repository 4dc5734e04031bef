//! The founding behaviours, one test each and through both doors, over process memory.
//!
//! The numbers are those of the table; what needs a server or Django is tested where those are.
use hotclub::backend::memory::{MemoryBackend, MemoryConfig};
use hotclub::testing::{ManualClock, block_on};
use hotclub::{Cache, blocking};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

const NOT_FOUND: &str = "Not Found";

struct Stage {
    hand: ManualClock,
    cache: Cache,
}

fn stage() -> Stage {
    let hand = ManualClock::new();
    let backend = MemoryBackend::with_clock(MemoryConfig::default(), hand.clock());
    Stage { hand, cache: Cache::builder().backend(Arc::new(backend)).build() }
}

impl Stage {
    fn pass(&self, seconds: u64) {
        self.hand.advance(Duration::from_secs(seconds));
    }

    fn blocking(&self) -> blocking::Cache {
        self.cache.blocking()
    }
}

/// Runs the same lines through the blocking door and the async one: `$wait!(call)` is the answer of a call.
macro_rules! both_doors {
    ($name:ident, |$stage:ident, $cache:ident, $wait:ident| $body:block) => {
        mod $name {
            use super::*;

            #[test]
            fn blocking() {
                macro_rules! $wait {
                    ($call:expr) => {
                        $call.unwrap()
                    };
                }
                let $stage = stage();
                let $cache = $stage.blocking();
                $body
            }

            #[test]
            fn asynchronous() {
                macro_rules! $wait {
                    ($call:expr) => {
                        $call.await.unwrap()
                    };
                }
                let $stage = stage();
                let $cache = $stage.cache.clone();
                block_on(async { $body })
            }
        }
    };
}

both_doors!(b1_a_timeout_keeps_the_value_that_many_seconds, |stage, cache, wait| {
    wait!(cache.set_for("user_1", "Django", 300));
    wait!(cache.set_for("for_ever", "Django", None::<u32>));
    wait!(cache.set("default", "Django"));
    stage.pass(299);
    assert_eq!(wait!(cache.get::<String>("user_1")).as_deref(), Some("Django"));
    assert_eq!(
        wait!(cache.get::<String>("default")).as_deref(),
        Some("Django"),
        "the default is 300 seconds"
    );
    stage.pass(1);
    assert_eq!(wait!(cache.get::<String>("user_1")), None);
    assert_eq!(wait!(cache.get::<String>("default")), None);
    stage.pass(1_000_000_000);
    assert_eq!(wait!(cache.get::<String>("for_ever")).as_deref(), Some("Django"), "None means never");
});

both_doors!(b2_a_missing_key_is_none_and_a_default_takes_its_place, |_stage, cache, wait| {
    assert_eq!(wait!(cache.get::<String>("missing")), None);
    assert_eq!(wait!(cache.get::<String>("missing")).unwrap_or_else(|| NOT_FOUND.into()), NOT_FOUND);
});

both_doors!(b3_the_second_request_does_not_load, |stage, cache, wait| {
    let loads = Cell::new(0);
    for expected in [1, 1, 1] {
        let products: Option<Vec<String>> = wait!(cache.get("products"));
        let products = match products {
            Some(products) => products,
            None => {
                loads.set(loads.get() + 1);
                let products = vec!["guitar".to_owned(), "violin".to_owned()];
                wait!(cache.set_for("products", &products, 60));
                products
            }
        };
        assert_eq!((products.len(), loads.get()), (2, expected));
    }
    stage.pass(60);
    assert_eq!(wait!(cache.get::<Vec<String>>("products")), None, "after its timeout it is loaded again");
});

both_doors!(b4_delete_removes_one_and_clear_removes_all, |_stage, cache, wait| {
    for key in ["a", "b", "c"] {
        wait!(cache.set(key, &1));
    }
    assert!(wait!(cache.delete("a")));
    assert_eq!(wait!(cache.get_many::<i32, _>(["a", "b", "c"])).len(), 2);
    wait!(cache.clear());
    assert_eq!(wait!(cache.get_many::<i32, _>(["a", "b", "c"])).len(), 0);
});

both_doors!(b5_deleting_twice_is_safe, |_stage, cache, wait| {
    wait!(cache.set("key", &1));
    assert!(wait!(cache.delete("key")));
    assert!(!wait!(cache.delete("key")));
    assert!(!wait!(cache.delete("never_there")));
});

both_doors!(b6_set_delete_get_gives_the_default, |_stage, cache, wait| {
    wait!(cache.set_for("my_key", "my_value", 60));
    wait!(cache.delete("my_key"));
    assert_eq!(wait!(cache.get("my_key")).unwrap_or_else(|| NOT_FOUND.to_owned()), NOT_FOUND);
});

both_doors!(b7_after_a_save_that_deletes_the_next_read_is_fresh, |_stage, cache, wait| {
    let row = Cell::new("old name");
    for name in ["old name", "new name"] {
        row.set(name);
        wait!(cache.delete("user_1"));
        for _ in 0..2 {
            let read = wait!(cache.get::<String>("user_1")).unwrap_or_else(|| row.get().to_owned());
            wait!(cache.set_for("user_1", &read, 300));
            assert_eq!(read, name);
        }
    }
});

both_doors!(b8_timeout_and_delete_together, |stage, cache, wait| {
    let row = Cell::new(1);
    wait!(cache.set_for("row", &row.get(), 60));
    row.set(2);
    wait!(cache.delete("row"));
    assert_eq!(wait!(cache.get::<i32>("row")), None, "fresh at once after an update that deletes");
    wait!(cache.set_for("row", &row.get(), 60));
    row.set(3); // an update that nobody announces
    stage.pass(59);
    assert_eq!(wait!(cache.get("row")), Some(2), "until the timeout the old value may be served");
    stage.pass(1);
    assert_eq!(wait!(cache.get::<i32>("row")), None, "and never longer");
});

both_doors!(b14_a_timeout_of_zero_stores_nothing, |_stage, cache, wait| {
    wait!(cache.set_for("key", &1, 0));
    assert_eq!(wait!(cache.get::<i32>("key")), None);
    wait!(cache.set("key", &1));
    wait!(cache.set_for("key", &2, 0));
    assert_eq!(wait!(cache.get::<i32>("key")), None, "the old value is gone too");
    assert!(wait!(cache.add_for("key", &3, -1)), "adding for no time on a missing key is true");
    assert_eq!(wait!(cache.get::<i32>("key")), None);
});

/// Set in the child that [`b10_two_processes_do_not_see_each_other`] starts.
const CHILD: &str = "HOTCLUB_TEST_CHILD";

#[test]
fn b10_two_processes_do_not_see_each_other() {
    let cache = blocking::Cache::open("memory://founding").unwrap();
    if std::env::var_os(CHILD).is_some() {
        assert_eq!(cache.get::<String>("key").unwrap(), None, "the parent's entry is not here");
        cache.set("key", "child").unwrap();
        return;
    }
    cache.set("key", "parent").unwrap();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let child =
        again.args(["--exact", "b10_two_processes_do_not_see_each_other"]).env(CHILD, "1").output().unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
    assert_eq!(
        cache.get::<String>("key").unwrap().as_deref(),
        Some("parent"),
        "the child's entry is not here"
    );
}
