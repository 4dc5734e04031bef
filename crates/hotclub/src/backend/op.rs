//! The answer of an async verb, which may be there already.
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A result that may be there already (memory, dummy, an L1 hit): no allocation, no runtime.
#[must_use = "futures do nothing unless awaited"]
pub enum Op<'a, T> {
    /// The answer.
    Ready(Option<T>),
    /// The answer is on its way.
    Pending(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
}

impl<'a, T> Op<'a, T> {
    /// An answer that is there.
    pub fn ready(answer: T) -> Self {
        Op::Ready(Some(answer))
    }

    /// An answer that this future brings.
    pub fn pending(future: impl Future<Output = T> + Send + 'a) -> Self {
        Op::Pending(Box::pin(future))
    }
}

impl<T: Unpin> Future for Op<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.get_mut() {
            Op::Ready(answer) => Poll::Ready(answer.take().expect("an Op is polled once after it is ready")),
            Op::Pending(future) => future.as_mut().poll(context),
        }
    }
}
