//! What one connection of a loop knows of itself.
use super::queue::{Queue, Waiting};
use super::socket::{Phase, Words};
use super::{SkimOf, Speech};
use hotclub_net::{Problem, Received, Skimmed, Stream};

pub(super) struct State<S: Speech> {
    pub(super) phase: Phase,
    pub(super) queue: Queue<S::Ask>,
    /// The first words on the next connection, if they were found in a thread.
    pub(super) words: Option<Result<Words, Problem>>,
    pub(super) received: Received,
    /// How far the reply that is expected next has been seen.
    pub(super) skim: SkimOf<S>,
    /// The loop was asked to flush in this tick.
    pub(super) flushing: bool,
    /// The loop watches for room to write.
    pub(super) writing: bool,
    /// `_readable` runs: the bytes are with it.
    pub(super) reading: bool,
    /// The loop was asked to look whether a limit has passed.
    pub(super) timed: bool,
    /// Which connection this is; bytes of an earlier one answer nobody.
    pub(super) epoch: u64,
    /// Lately more than one request was under way at a time: those of one tick are worth being sent together.
    pub(super) crowded: bool,
}

impl<S: Speech> Default for State<S> {
    fn default() -> Self {
        State {
            phase: Phase::default(),
            queue: Queue::default(),
            words: None,
            received: Received::default(),
            skim: SkimOf::<S>::default(),
            flushing: false,
            writing: false,
            reading: false,
            timed: false,
            epoch: 0,
            crowded: false,
        }
    }
}

impl<S: Speech> State<S> {
    /// TLS answers by itself at times, and takes nothing before its handshake is done.
    pub(super) fn has_more_for_tls(&self) -> bool {
        let Some(stream @ Stream::Tls(_)) = self.phase.stream() else { return false };
        stream.wants_write() || self.phase.is_unsent(&self.queue)
    }

    /// The bytes of the first whole answer: who waits for it, and where it ends.
    #[inline]
    pub(super) fn next_answer(
        &mut self,
        bytes: &[u8],
        skim: &mut SkimOf<S>,
        epoch: u64,
    ) -> Result<Option<Answered<S::Ask>>, Problem> {
        if self.epoch != epoch {
            return Ok(None);
        }
        if let Phase::Greeting(_, words) = &mut self.phase {
            if !skim.advance(bytes, words.replies)? {
                return Ok(None);
            }
            return Ok(Some(Answered::Greeting));
        }
        let Some(first) = self.queue.waiting.front() else {
            let silent = bytes.len() == skim.position();
            return if silent {
                Ok(None)
            } else {
                Err(Problem::Malformed("a reply that nobody asked for".into()))
            };
        };
        if !skim.advance(bytes, first.replies)? {
            return Ok(None);
        }
        if !self.queue.is_first_sent() {
            return Err(Problem::Malformed("a reply before the whole request was sent".into()));
        }
        Ok(self.queue.pop().map(Answered::Request))
    }
}

/// Whose replies were received.
pub(super) enum Answered<A> {
    Greeting,
    Request(Waiting<A>),
}
