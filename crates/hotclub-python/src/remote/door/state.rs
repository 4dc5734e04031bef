//! What one connection of a loop knows of itself.
use super::queue::Queue;
use super::socket::Phase;
use hotclub::backend::redis::batch::Received;
use hotclub::backend::redis::resp::Skim;
use hotclub::backend::redis::stream::Stream;

#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) queue: Queue,
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
}
