//! A loader that asks for its own key must not wait for itself.
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;

thread_local! {
    /// Keys being loaded by this thread, or by the task it is polling: (cache, full key).
    static LOADING: RefCell<Vec<(usize, Box<str>)>> = const { RefCell::new(Vec::new()) };
}

/// Whether the caller is inside a loader of this key of this cache.
pub(crate) fn is_loading(cache: usize, key: &str) -> bool {
    LOADING.with_borrow(|loading| loading.iter().any(|(of, loaded)| *of == cache && **loaded == *key))
}

struct Loading;

impl Loading {
    fn enter(cache: usize, key: &str) -> Self {
        LOADING.with_borrow_mut(|loading| loading.push((cache, key.into())));
        Loading
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        LOADING.with_borrow_mut(Vec::pop);
    }
}

/// Runs a loader of this key.
pub(crate) fn load<R>(cache: usize, key: &str, loader: impl FnOnce() -> R) -> R {
    let _loading = Loading::enter(cache, key);
    loader()
}

/// Runs a loader of this key, on whatever threads it is polled.
pub(crate) async fn load_async<F: Future>(cache: usize, key: &str, loader: F) -> F::Output {
    let mut loader = pin!(loader);
    let result = poll_fn(|context| {
        let _loading = Loading::enter(cache, key);
        loader.as_mut().poll(context)
    });
    result.await
}
