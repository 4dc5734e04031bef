//! Flights under a model checker: no wake-up is lost, one leads at a time, everybody returns.
//!
//! A lost wake-up shows as a deadlock, which the checker reports with its schedule.
use crate::Error;
use crate::entry::{Entry, Flags};
use crate::error::ErrorKind;
use crate::fill::flight::{Flights, Landing, Leader, Outcome, Role};
use crate::testing::shuttle::check;
use ::shuttle::future::block_on;
use ::shuttle::thread;
use bytes::Bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};

/// What a caller does with the lead, if it gets it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Plan {
    /// Loads a value.
    Load,
    /// Loads a value and does not share it.
    Keep,
    /// Fails.
    Fail,
    /// Goes away in the middle: a panic, a cancelled task.
    Leave,
    /// Waits a little and goes away, also as a follower.
    GiveUp,
}

#[derive(Default)]
struct Stage {
    leading: AtomicUsize,
    loads: AtomicUsize,
}

impl Stage {
    fn lead(&self, leader: Leader<'_>, plan: Plan) {
        assert_eq!(self.leading.fetch_add(1, SeqCst), 0, "two lead at once");
        self.loads.fetch_add(1, SeqCst);
        thread::yield_now();
        self.leading.fetch_sub(1, SeqCst);
        match plan {
            Plan::Load => leader.land(Landing::Value(Entry::new(Bytes::from_static(b"value"), Flags::RAW))),
            Plan::Keep => leader.land(Landing::Unshared),
            Plan::Fail => leader.fail(Error::new(ErrorKind::Loader, "failed")),
            Plan::Leave | Plan::GiveUp => drop(leader),
        }
    }

    /// One call; how it ended, as the caller of `get_or_set` would see it.
    fn call(&self, flights: &Flights, plan: Plan) {
        let follower = match flights.join("key") {
            Role::Leader(leader) => return self.lead(leader, plan),
            Role::Follower(follower) => follower,
        };
        if plan == Plan::GiveUp {
            let polled = follower.poll(&mut Context::from_waker(Waker::noop()));
            (0..4).for_each(|_| thread::yield_now()); // time in which it may be woken, in vain
            if let std::task::Poll::Ready(Outcome::Leads(leader)) = polled {
                self.lead(leader, plan);
            }
            return;
        }
        match block_on(poll_fn(|context| follower.poll(context))) {
            Outcome::Leads(leader) => self.lead(leader, plan),
            Outcome::Landed(Landing::Value(entry)) => assert_eq!(entry.value, "value"),
            Outcome::Landed(Landing::Failed(error)) => assert_eq!(error.kind(), ErrorKind::Loader),
            Outcome::Landed(Landing::Unshared) => {}
            Outcome::TimedOut => unreachable!("there is no limit here"),
        }
    }
}

/// Every caller returns, whatever the schedule, and nothing is left behind.
fn all_return(plans: &'static [Plan]) {
    check(move || {
        let (flights, stage) = (Arc::new(Flights::new()), Arc::new(Stage::default()));
        let start = |&plan: &Plan| {
            let (flights, stage) = (flights.clone(), stage.clone());
            thread::spawn(move || stage.call(&flights, plan))
        };
        let running: Vec<_> = plans.iter().map(start).collect();
        running.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(stage.loads.load(SeqCst) >= 1, "somebody loaded");
        assert_eq!(flights.len(), 0, "no flight is left");
    });
}

#[test]
fn callers_of_one_value_return() {
    all_return(&[Plan::Load, Plan::Load, Plan::Load]);
}

#[test]
fn callers_return_if_one_leaves() {
    all_return(&[Plan::Leave, Plan::Load, Plan::Load]);
    all_return(&[Plan::Leave, Plan::Leave, Plan::Leave]);
}

#[test]
fn callers_return_if_one_fails() {
    all_return(&[Plan::Fail, Plan::Load, Plan::Load]);
    all_return(&[Plan::Fail, Plan::Fail, Plan::Load]);
    all_return(&[Plan::Fail, Plan::Fail, Plan::Fail, Plan::Fail]);
}

#[test]
fn callers_return_if_followers_give_up() {
    all_return(&[Plan::GiveUp, Plan::Leave, Plan::Load]);
    all_return(&[Plan::GiveUp, Plan::GiveUp, Plan::Leave, Plan::Load]);
}

#[test]
fn callers_return_if_values_are_not_shared() {
    all_return(&[Plan::Keep, Plan::Keep, Plan::Load]);
}

#[test]
fn callers_return_from_any_mixture() {
    all_return(&[Plan::Load, Plan::Fail, Plan::Leave, Plan::GiveUp, Plan::Keep]);
}
