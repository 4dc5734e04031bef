//! The execution table of real runs.
use hotclub::testing::block_on;
use hotclub::trace::{Step, Trace, record, record_async, timed};
use hotclub::{Cache, blocking};
use std::time::Duration;

fn actions(table: &Trace) -> Vec<String> {
    table.steps().into_iter().map(|step| step.action).collect()
}

/// Columns by the names of the table: backend, get result, set action, output.
fn cells(step: &Step) -> [&str; 4] {
    [&step.backend, &step.get_result, &step.set_action, &step.output]
}

#[test]
fn a_miss_and_a_hit_are_told_as_on_the_pages() {
    let cache = blocking::Cache::memory();
    let request = || cache.get_or_set_with("products", 60, |_| "guitar violin".to_owned()).unwrap();
    let (answers, table) = record(|| [request(), request()]);
    assert_eq!(answers, ["guitar violin"; 2]);
    assert_eq!(
        actions(&table),
        [
            r#"get("products")"#,
            r#"check: "products" is None"#,
            "generate",
            r#"add("products")"#,
            r#"get("products")"#,
        ]
    );
    let steps = table.steps();
    assert_eq!(cells(&steps[0]), ["memory", "None", "", ""]);
    assert_eq!(cells(&steps[1]), ["", "", "", "true: generate"]);
    assert_eq!(cells(&steps[3]), ["memory", "", "stored, timeout 60 s", "true"]);
    assert_eq!(steps[4].get_result, "'guitar violin'");
}

#[test]
fn both_doors_print_the_same_table() {
    let blocking = blocking::Cache::memory();
    let ((), one) = record(|| {
        blocking.set_for("key", &1, 0).unwrap();
        blocking.get_or_set("key", |_| 7).unwrap();
        blocking.incr("key", 1).unwrap();
        blocking.delete("key").unwrap();
    });
    let waiting = Cache::memory();
    let ((), two) = block_on(record_async(async {
        waiting.set_for("key", &1, 0).await.unwrap();
        waiting.get_or_set("key", |_| async { 7 }).await.unwrap();
        waiting.incr("key", 1).await.unwrap();
        waiting.delete("key").await.unwrap();
    }));
    let timeless = |table: &Trace| -> Vec<Step> {
        let mut steps = table.steps();
        steps.iter_mut().for_each(|step| step.time = Duration::ZERO);
        steps
    };
    assert_eq!(timeless(&one), timeless(&two));
    assert_eq!(one.steps().len(), 7);
}

#[test]
fn what_a_write_did_is_told() {
    let cache = blocking::Cache::memory();
    let ((), table) = record(|| {
        cache.set_for("key", &1, None::<u32>).unwrap();
        cache.set_for("other", &1, 0).unwrap();
        cache.add("key", &2).unwrap();
        cache.delete("key").unwrap();
        cache.delete("key").unwrap();
        cache.incr("key", 1).unwrap_err();
    });
    let told: Vec<(String, String)> =
        table.steps().into_iter().map(|step| (step.set_action, step.output)).collect();
    let words = ["no timeout", "not kept", "not stored", "deleted", "nothing to delete", ""];
    assert!(told.iter().zip(words).all(|((set_action, _), word)| set_action.contains(word)), "{told:?}");
    assert!(told[5].1.contains("key not found"), "errors are told too: {told:?}");
}

#[test]
fn steps_that_are_no_cache_calls_have_their_time() {
    let (sum, table) =
        record(|| timed("add up", || (0..10_000_u64).fold(0, |sum, n| std::hint::black_box(sum + n))));
    assert_eq!(sum, 49_995_000);
    assert!(table.steps()[0].time > Duration::ZERO);
}

#[test]
fn nothing_is_recorded_outside_of_a_recording() {
    let cache = blocking::Cache::memory();
    let ((), table) = record(|| cache.set("key", &1).unwrap());
    cache.get::<i32>("key").unwrap();
    assert_eq!(actions(&table), [r#"set("key")"#]);
}

#[test]
fn tasks_are_recorded_apart() {
    let cache = Cache::memory();
    let table_of = |key: &'static str| {
        let cache = cache.clone();
        record_async(async move {
            for _ in 0..3 {
                cache.set(key, &1).await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (((), one), ((), two)) = runtime.block_on(async { tokio::join!(table_of("one"), table_of("two")) });
    assert_eq!(actions(&one), [r#"set("one")"#; 3]);
    assert_eq!(actions(&two), [r#"set("two")"#; 3]);
}
