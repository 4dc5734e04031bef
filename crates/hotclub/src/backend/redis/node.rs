//! One server of Redis, and a batch that goes there.
use super::batch::{Answers, Batch};
use super::config::RedisConfig;
use super::error::Failure;

/// A server with its pool and its breaker.
pub(crate) type Node = hotclub_net::Node<RedisConfig>;

/// Sends a batch; what goes wrong, goes wrong there.
#[inline]
pub(crate) fn exchange_batch(
    node: &Node,
    config: &RedisConfig,
    batch: &Batch,
    answers: &mut Answers,
) -> Result<(), Failure> {
    node.exchange(config, batch.effect(), batch.bytes(), batch.len(), &mut answers.received)
        .map_err(|problem| Failure::at(problem, &node.server))
}
