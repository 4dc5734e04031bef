//! Single-flight: who loads, who waits, who takes over. One table for threads and tasks alike.
use super::wait::{self, Waiters};
use crate::entry::Entry;
use crate::error::Error;
use crate::sync::Mutex;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// After this many failed loads of one flight the error goes to everybody who still waits.
const MOST_FAILURES: u32 = 2;
const SHARDS: usize = 16;

/// What a flight ended with.
#[derive(Debug, Clone)]
pub(crate) enum Landing {
    /// A stored value.
    Value(Entry),
    /// A loaded value that is not stored: followers load for themselves.
    Unshared,
    /// The loaders failed.
    Failed(Error),
}

#[derive(Debug)]
enum State {
    /// Somebody is loading.
    Loading,
    /// The leader is gone; the next who looks leads.
    Vacant,
    Landed(Landing),
}

#[derive(Debug)]
struct Inner {
    state: State,
    failures: u32,
    waiters: Waiters,
}

#[derive(Debug)]
pub(crate) struct Flight(Mutex<Inner>);

/// The flights of one cache.
#[derive(Debug)]
pub(crate) struct Flights {
    shards: Box<[Mutex<Table>]>,
}

#[derive(Debug, Default)]
struct Table {
    flights: HashMap<Box<str>, Arc<Flight>>,
    /// After a fork the leaders of the parent do not exist: the child starts empty.
    process: u32,
}

impl Table {
    fn of_this_process(&mut self) -> &mut HashMap<Box<str>, Arc<Flight>> {
        let process = std::process::id();
        if self.process != process {
            self.process = process;
            // Leaked: the parent's wakers belong to threads and runtimes that are not here.
            std::mem::forget(std::mem::take(&mut self.flights));
        }
        &mut self.flights
    }
}

/// What a caller of a missing key is.
pub(crate) enum Role<'f> {
    Leader(Leader<'f>),
    Follower(Follower<'f>),
}

impl Flights {
    pub(crate) fn new() -> Self {
        Flights { shards: (0..SHARDS).map(|_| Mutex::new(Table::default())).collect() }
    }

    fn table(&self, key: &str) -> &Mutex<Table> {
        let hash =
            key.bytes().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        &self.shards[hash % SHARDS]
    }

    /// Joins the flight of a key, or starts it.
    pub(crate) fn join(&self, key: &str) -> Role<'_> {
        let mut table = self.table(key).lock();
        let flights = table.of_this_process();
        if let Some(flight) = flights.get(key) {
            let flight = flight.clone();
            let mut inner = flight.0.lock();
            if let State::Vacant = inner.state {
                inner.state = State::Loading;
                drop(inner);
                return Role::Leader(Leader::new(self, key, flight));
            }
            let waiter = inner.waiters.register();
            drop(inner);
            return Role::Follower(Follower { flights: self, key: key.into(), flight, waiter });
        }
        let inner = Inner { state: State::Loading, failures: 0, waiters: Waiters::default() };
        let flight = Arc::new(Flight(Mutex::new(inner)));
        flights.insert(key.into(), flight.clone());
        Role::Leader(Leader::new(self, key, flight))
    }

    /// Ends a flight: later callers start a new one, those who wait are woken.
    fn land(&self, key: &str, flight: &Arc<Flight>, landing: Landing) {
        let mut table = self.table(key).lock();
        let flights = table.of_this_process();
        if flights.get(key).is_some_and(|current| Arc::ptr_eq(current, flight)) {
            flights.remove(key);
        }
        let mut inner = flight.0.lock();
        inner.state = State::Landed(landing);
        let woken = inner.waiters.take_all();
        drop(inner);
        drop(table);
        woken.into_iter().for_each(std::task::Waker::wake);
    }

    /// The leader is gone without a value: the first follower takes over, or the flight ends.
    fn hand_over(&self, key: &str, flight: &Arc<Flight>) {
        flight.0.lock().state = State::Vacant;
        self.find_a_leader(key, flight);
    }

    /// Wakes the first follower of a flight without a leader; without followers the flight ends.
    fn find_a_leader(&self, key: &str, flight: &Arc<Flight>) {
        let mut table = self.table(key).lock();
        let flights = table.of_this_process();
        let inner = flight.0.lock();
        if !matches!(inner.state, State::Vacant) {
            return;
        }
        if inner.waiters.is_empty() {
            if flights.get(key).is_some_and(|current| Arc::ptr_eq(current, flight)) {
                flights.remove(key);
            }
            return;
        }
        let next = inner.waiters.first();
        drop(inner);
        drop(table);
        next.into_iter().for_each(std::task::Waker::wake);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|table| table.lock().flights.len()).sum()
    }

    /// How many wait for the leader of a key.
    #[cfg(test)]
    pub(crate) fn waiting(&self, key: &str) -> usize {
        let flight = self.table(key).lock().flights.get(key).cloned();
        flight.map_or(0, |flight| flight.0.lock().waiters.len())
    }
}

/// The right to load a key. Dropped without landing (a panic, a cancelled task), it hands over.
pub(crate) struct Leader<'f> {
    flights: &'f Flights,
    key: Box<str>,
    flight: Arc<Flight>,
    landed: bool,
}

impl<'f> Leader<'f> {
    fn new(flights: &'f Flights, key: &str, flight: Arc<Flight>) -> Self {
        Leader { flights, key: key.into(), flight, landed: false }
    }

    /// Gives the followers what was loaded.
    pub(crate) fn land(mut self, landing: Landing) {
        self.landed = true;
        self.flights.land(&self.key, &self.flight, landing);
    }

    /// The loader failed: one follower tries once more, after that all get the error.
    pub(crate) fn fail(mut self, error: Error) {
        let mut inner = self.flight.0.lock();
        inner.failures += 1;
        let give_up = inner.failures >= MOST_FAILURES;
        drop(inner);
        self.landed = true;
        if give_up {
            self.flights.land(&self.key, &self.flight, Landing::Failed(error));
        } else {
            self.flights.hand_over(&self.key, &self.flight);
        }
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        if !self.landed {
            self.flights.hand_over(&self.key, &self.flight);
        }
    }
}

/// A place in the queue behind a leader.
pub(crate) struct Follower<'f> {
    flights: &'f Flights,
    key: Box<str>,
    flight: Arc<Flight>,
    waiter: u64,
}

/// When a wait of this length that begins now ends. What no clock reaches ends in a hundred years.
fn end_of(limit: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(limit).unwrap_or(now + CENTURY)
}

/// How a wait ended.
pub(crate) enum Outcome<'f> {
    Landed(Landing),
    /// The leader is gone: this caller leads now.
    Leads(Leader<'f>),
    /// The limit of the wait passed.
    TimedOut,
}

impl<'f> Follower<'f> {
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Outcome<'f>> {
        let mut inner = self.flight.0.lock();
        match &inner.state {
            State::Landed(landing) => Poll::Ready(Outcome::Landed(landing.clone())),
            State::Vacant => {
                inner.state = State::Loading;
                inner.waiters.remove(self.waiter);
                drop(inner);
                Poll::Ready(Outcome::Leads(Leader::new(self.flights, &self.key, self.flight.clone())))
            }
            State::Loading => {
                inner.waiters.set_waker(self.waiter, context.waker());
                Poll::Pending
            }
        }
    }

    /// Waits on this thread.
    pub(crate) fn wait(self, limit: Duration) -> Outcome<'f> {
        let poll = |context: &mut Context<'_>| self.poll(context);
        wait::block(end_of(limit), poll).unwrap_or(Outcome::TimedOut)
    }

    /// Waits in a task, on any runtime.
    pub(crate) async fn wait_async(self, limit: Duration) -> Outcome<'f> {
        let mut timer = super::timer::Timer::new(end_of(limit));
        poll_fn(|context| match self.poll(context) {
            Poll::Pending => timer.poll(context).map(|()| Outcome::TimedOut),
            ready => ready,
        })
        .await
    }
}

impl Drop for Follower<'_> {
    /// A follower that stops waiting passes on a wake-up that was meant for it.
    fn drop(&mut self) {
        let mut inner = self.flight.0.lock();
        inner.waiters.remove(self.waiter);
        if matches!(inner.state, State::Vacant) {
            drop(inner);
            self.flights.find_a_leader(&self.key, &self.flight);
        }
    }
}
