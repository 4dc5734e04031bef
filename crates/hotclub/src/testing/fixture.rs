//! What a case gets: a fresh backend, its clock, and short words for the verbs.
use crate::backend::{Backend, Capability, Condition, GetOptions, SetOptions, Shared};
use crate::clock::{Clock, ManualClock};
use crate::entry::Entry;
use crate::timeout::Life;
use bytes::Bytes;
use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// A fresh backend for one case.
///
/// The short verbs panic on an error of the backend: a case that expects one asks [`Fixture::backend`].
#[derive(Debug)]
pub struct Fixture {
    backend: Arc<dyn Backend>,
    hand: Option<ManualClock>,
    unit: Duration,
    runtime: Option<Runtime>,
    kept: Kept,
}

/// What lives as long as the case: a server that it has for itself.
struct Kept(Option<Box<dyn Any + Send + Sync>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Kept(something)" } else { "Kept(nothing)" })
    }
}

/// Enters a runtime, does the work there, and leaves it.
struct Runtime(Box<Enter>);
type Enter = dyn Fn(&mut dyn FnMut()) + Send + Sync;

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runtime")
    }
}

impl Fixture {
    /// A backend on a clock that the cases move by hand.
    pub fn by_hand<B: Backend>(make: impl FnOnce(Clock) -> B) -> Self {
        let hand = ManualClock::new();
        let backend = Arc::new(make(hand.clock()));
        Fixture { backend, hand: Some(hand), unit: Duration::from_secs(60), runtime: None, kept: Kept(None) }
    }

    /// A backend whose clock cannot be moved: the cases about time wait for real, in units of a second.
    pub fn in_real_time<B: Backend>(make: impl FnOnce() -> B) -> Self {
        Fixture {
            backend: Arc::new(make()),
            hand: None,
            unit: Duration::from_secs(1),
            runtime: None,
            kept: Kept(None),
        }
    }

    /// The same with another unit, for backends that know times shorter than a second.
    #[must_use]
    pub fn with_unit(mut self, unit: Duration) -> Self {
        self.unit = unit;
        self
    }

    /// The same for a backend whose async door needs a runtime: `enter` does what it is given within one.
    ///
    /// ```
    /// # use hotclub::{backend::dummy::DummyBackend, testing::Fixture};
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let fixture = Fixture::in_real_time(|| DummyBackend).with_runtime(move |work| {
    ///     let _entered = runtime.enter();
    ///     work();
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_runtime(mut self, enter: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        self.runtime = Some(Runtime(Box::new(enter)));
        self
    }

    /// The same, holding this until the case is over.
    #[must_use]
    pub fn keeping(mut self, what: impl Send + Sync + 'static) -> Self {
        self.kept = Kept(Some(Box::new(what)));
        self
    }

    /// Does this within the runtime of the backend, if it has one: what [`block_on`] waits for is driven there.
    pub fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        let Some(Runtime(enter)) = &self.runtime else { return work() };
        let (mut work, mut result) = (Some(work), None);
        enter(&mut || result = work.take().map(|work| work()));
        result.expect("a runtime does what it is given, once")
    }

    /// The backend to judge.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// What it claims.
    pub fn can(&self) -> Capability {
        self.backend.capability()
    }

    /// Whether it keeps anything; a dummy does not.
    pub fn keeps(&self) -> bool {
        self.can().shared != Shared::Nobody
    }

    /// The shortest life that cases use.
    pub fn unit(&self) -> Duration {
        self.unit
    }

    /// The clock that was given to the backend.
    pub fn clock(&self) -> Clock {
        self.hand.as_ref().map_or(Clock::system(), ManualClock::clock)
    }

    /// Whether time is moved by hand, and so exact.
    pub fn is_by_hand(&self) -> bool {
        self.hand.is_some()
    }

    /// Lets exactly this time pass, or at least this time on a real clock.
    pub fn pass(&self, time: Duration) {
        match &self.hand {
            Some(hand) => hand.advance(time),
            None => std::thread::sleep(time),
        }
    }

    /// Lets time pass until an entry of this life, written before, must be gone.
    ///
    /// On a real clock that is a unit more: backends may count in whole units.
    pub fn outlive(&self, life: Duration) {
        match &self.hand {
            Some(hand) => hand.advance(life),
            None => std::thread::sleep(life + self.unit + Duration::from_millis(20)),
        }
    }

    /// Reads an entry.
    pub fn entry(&self, key: &str, options: &GetOptions) -> Option<Entry> {
        self.backend.get(key, options).expect("get answers")
    }

    /// Reads a text.
    pub fn get(&self, key: &str) -> Option<String> {
        let entry = self.entry(key, &GetOptions::default())?;
        Some(String::from_utf8(entry.value.to_vec()).expect("the case stored text"))
    }

    /// Whether there is an entry.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key, &GetOptions::peek()).is_some()
    }

    /// What [`Fixture::get`] must give for a text that was stored: nothing, if nothing is kept.
    pub fn kept(&self, text: &str) -> Option<String> {
        self.keeps().then(|| text.to_owned())
    }

    /// Stores a text without an end.
    pub fn set(&self, key: &str, text: &str) {
        assert!(self.set_with(key, text, &SetOptions::new(Life::Never)), "a plain set always takes place");
    }

    /// Stores a text for this long.
    pub fn set_for(&self, key: &str, text: &str, life: Duration) {
        assert!(
            self.set_with(key, text, &SetOptions::new(Life::For(life))),
            "a plain set always takes place"
        );
    }

    /// Stores a text; whether it was.
    pub fn set_with(&self, key: &str, text: &str, options: &SetOptions) -> bool {
        self.backend.set(key, Bytes::copy_from_slice(text.as_bytes()), options).expect("set answers")
    }

    /// Stores a text without an end if the condition holds; whether it did.
    pub fn set_when(&self, key: &str, text: &str, condition: Condition) -> bool {
        self.set_with(key, text, &SetOptions::new(Life::Never).when(condition))
    }

    /// Gives an entry a new life; whether there was one.
    pub fn touch(&self, key: &str, life: Life) -> bool {
        self.backend.touch(key, life).expect("touch answers")
    }

    /// Removes an entry; whether there was one.
    pub fn delete(&self, key: &str) -> bool {
        self.backend.delete(key).expect("delete answers")
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread. No runtime: what it waits for must wake it by itself.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        std::thread::park();
    }
}
