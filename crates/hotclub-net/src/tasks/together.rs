//! Several futures at once, in the place of one: the legs of a batch through a cluster.
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// What each of them brings, in their order. Few: each is polled whenever one of them can go on.
pub async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    enum Place<F: Future> {
        Waits(Pin<Box<F>>),
        Done(F::Output),
    }
    let mut places: Vec<_> = futures.into_iter().map(|future| Place::Waits(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut all_done = true;
        for place in &mut places {
            if let Place::Waits(future) = place {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *place = Place::Done(output),
                    Poll::Pending => all_done = false,
                }
            }
        }
        if all_done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    let output = |place| match place {
        Place::Done(output) => Some(output),
        Place::Waits(_) => None,
    };
    places.into_iter().filter_map(output).collect()
}
