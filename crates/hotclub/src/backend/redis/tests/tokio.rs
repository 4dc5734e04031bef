//! What only the async door promises: few connections, runtimes and forks that come and go, cancelled tasks.
use super::*;
use crate::backend::{Backend, GetOptions, SetOptions};
use crate::{Life, Result};
use ::tokio::runtime::{Builder, Runtime};
use bytes::Bytes;
use std::future::Future;
use std::time::Instant;

mod failures;
mod runtimes;
mod sharing;

/// For the suite: within a runtime that outlives the tests.
pub(super) fn enter(work: &mut dyn FnMut()) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(runtime);
    let _entered = RUNTIME.enter();
    work();
}

pub(super) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(super) async fn set(backend: &RedisBackend, key: &str, value: &str) -> Result<bool> {
    backend.aset(key, Bytes::copy_from_slice(value.as_bytes()), &SetOptions::new(Life::Never)).await
}

pub(super) async fn get(backend: &RedisBackend, key: &str) -> Result<Option<String>> {
    let text = |entry: crate::Entry| String::from_utf8_lossy(&entry.value).into_owned();
    Ok(backend.aget(key, &GetOptions::default()).await?.map(text))
}

/// Until it works again, at most this long.
pub(super) async fn recovers(backend: &RedisBackend, within: Duration) {
    let until = Instant::now() + within;
    while let Err(error) = set(backend, "recovered", "yes").await {
        assert!(Instant::now() < until, "still: {error}");
        ::tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(get(backend, "recovered").await.unwrap().as_deref(), Some("yes"));
}

/// Runs these tasks together, whatever threads the runtime has.
pub(super) async fn together<F: Future<Output = ()> + Send + 'static>(
    count: usize,
    task: impl Fn(usize) -> F,
) {
    let tasks: Vec<_> = (0..count).map(|n| ::tokio::spawn(task(n))).collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
}
