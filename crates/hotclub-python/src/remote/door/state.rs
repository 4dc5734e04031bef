//! What one connection of a loop knows of itself.
use super::queue::{Queue, Waiting};
use super::socket::{Greeting, Phase};
use hotclub::backend::redis::batch::Received;
use hotclub::backend::redis::error::Problem;
use hotclub::backend::redis::resp::Skim;
use hotclub::backend::redis::stream::Stream;

#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) queue: Queue,
    /// The first words on the next connection, if they were found in a thread.
    pub(super) words: Option<Result<Greeting, Problem>>,
    pub(super) received: Received,
    /// How far the reply that is expected next has been seen.
    pub(super) skim: Skim,
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

impl State {
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
        skim: &mut Skim,
        epoch: u64,
    ) -> Result<Option<Answered>, Problem> {
        if self.epoch != epoch {
            return Ok(None);
        }
        if let Phase::Greeting(_, greeting) = &mut self.phase {
            if !skim.advance(bytes, greeting.replies)? {
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
pub(super) enum Answered {
    Greeting,
    Request(Waiting),
}
