//! What is rare and waits (asking sentinels, asking for the map of a cluster) is done by the blocking client, in a
//! thread of its own: one discovery serves both doors and all runtimes.
use std::thread;
use tokio::sync::oneshot;

/// Does this in a thread; `None` if it cannot be started.
///
/// Not `spawn_blocking`: a runtime that ends waits for such work, and a server that says nothing would hold it up.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, result) = oneshot::channel();
    let task = move || drop(done.send(work()));
    thread::Builder::new().name("hotclub-redis".to_owned()).spawn(task).ok()?;
    result.await.ok()
}
