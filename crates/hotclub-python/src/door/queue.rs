//! What is under way on one connection: bytes that wait to be sent or answered, and who waits for them.
use super::Request;
use hotclub::clock::Clock;
use hotclub_net::Effect;
use pyo3::prelude::*;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// A request that has no answer yet.
pub(crate) struct Waiting<A> {
    pub(crate) future: Py<PyAny>,
    /// What is to be done with its replies.
    pub(crate) ask: A,
    pub(crate) effect: Effect,
    /// How many replies it will get.
    pub(crate) replies: usize,
    /// How many bytes it has.
    pub(super) length: usize,
    /// When it was asked, by the coarse clock.
    pub(super) since: u64,
    /// It was sent again after a connection broke.
    pub(super) again: bool,
}

/// Requests in the order in which they are answered. Their bytes are kept until then, to be sent again if the
/// connection breaks and that is safe.
pub(super) struct Queue<A> {
    pub(super) waiting: VecDeque<Waiting<A>>,
    bytes: Vec<u8>,
    /// Bytes before this belong to requests that were answered.
    answered: usize,
    /// Bytes before this were sent.
    sent: usize,
}

const MOST_SPARE: usize = 1 << 20;

impl<A> Default for Queue<A> {
    fn default() -> Self {
        Queue { waiting: VecDeque::new(), bytes: Vec::new(), answered: 0, sent: 0 }
    }
}

impl<A> Queue<A> {
    #[inline]
    pub(super) fn push(&mut self, request: Request<'_>, future: Py<PyAny>, ask: A) {
        self.bytes.extend_from_slice(request.bytes);
        self.waiting.push_back(Waiting {
            future,
            ask,
            effect: request.effect,
            replies: request.replies,
            length: request.bytes.len(),
            since: Clock::system().now_ms(),
            again: false,
        });
    }

    /// What is still to be sent.
    #[inline]
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
    }

    /// Whether every byte of the request that is answered next was sent.
    #[inline]
    pub(super) fn is_first_sent(&self) -> bool {
        self.waiting.front().is_none_or(|first| self.answered + first.length <= self.sent)
    }

    /// The first request was answered.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Waiting<A>> {
        let first = self.waiting.pop_front()?;
        self.answered += first.length;
        if self.waiting.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(MOST_SPARE);
            (self.answered, self.sent) = (0, 0);
        } else if self.answered > self.bytes.len() / 2 && self.answered > MOST_SPARE / 16 {
            self.bytes.drain(..self.answered);
            self.sent -= self.answered;
            self.answered = 0;
        }
        Some(first)
    }

    /// The futures of requests of which no byte was sent.
    pub(super) fn unsent_futures(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let mut at = self.answered;
        let mut unsent = Vec::new();
        for waiting in &self.waiting {
            if at >= self.sent {
                unsent.push(waiting.future.clone_ref(py));
            }
            at += waiting.length;
        }
        unsent
    }

    /// Takes out requests of which no byte was sent.
    pub(super) fn drop_unsent(&mut self, futures: &[Py<PyAny>]) -> Vec<Waiting<A>> {
        let gone: HashSet<_> = futures.iter().map(|future| future.as_ptr()).collect();
        let mut at = self.answered;
        let mut dropped = Vec::new();
        let old = std::mem::take(&mut self.bytes);
        self.bytes.extend_from_slice(&old[..self.answered]);
        for waiting in std::mem::take(&mut self.waiting) {
            let bytes = &old[at..at + waiting.length];
            let unsent = at >= self.sent;
            at += waiting.length;
            if unsent && gone.contains(&waiting.future.as_ptr()) {
                dropped.push(waiting);
            } else {
                self.bytes.extend_from_slice(bytes);
                self.waiting.push_back(waiting);
            }
        }
        dropped
    }

    /// The connection broke: those that may be sent again stay, once; the others are handed out, each with whether it
    /// was not sent at all.
    pub(super) fn after_a_break(
        &mut self,
        may_retry: bool,
        now: u64,
        limit: Duration,
    ) -> Vec<(Waiting<A>, bool)> {
        let old = std::mem::take(self);
        let mut given_up = Vec::new();
        let mut at = old.answered;
        for mut waiting in old.waiting {
            let bytes = &old.bytes[at..at + waiting.length];
            let unsent = at >= old.sent;
            at += waiting.length;
            let in_time = u128::from(now.saturating_sub(waiting.since)) < limit.as_millis();
            let safe = !waiting.again && (unsent || waiting.effect != Effect::Once);
            if may_retry && in_time && safe {
                waiting.again = true;
                self.bytes.extend_from_slice(bytes);
                self.waiting.push_back(waiting);
            } else {
                given_up.push((waiting, unsent));
            }
        }
        given_up
    }
}
