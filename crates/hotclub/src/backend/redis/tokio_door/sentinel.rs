//! A primary that sentinels know, and its replicas, for tasks. Looking for it is the blocking client's work.
use super::Door;
use super::aside::aside;
use crate::backend::redis::batch::{Answers, Batch, Effect};
use crate::backend::redis::error::{Failure, Problem};
use crate::backend::redis::handshake::Role;
use crate::backend::redis::server::Server;
use crate::backend::redis::topology::choose;
use crate::backend::redis::topology::course::first_redirect;
use crate::backend::redis::topology::sentinel::{Group, Sentinel, may_be_elsewhere, was_nothing_done};
use std::sync::Arc;

/// Sends a batch to the primary, or to a replica, and after a failover to who is the primary then.
pub(super) async fn exchange(
    door: &Door<'_>,
    sentinel: &Sentinel,
    batch: &Batch,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let group = group(door, sentinel).await?;
    let failure = match try_exchange(door, sentinel, &group, batch, answers).await {
        Ok(()) => return Ok(()),
        Err(failure) => failure,
    };
    let is_done_perhaps = batch.effect() == Effect::Once && !was_nothing_done(&failure.problem, batch);
    if is_done_perhaps || !may_be_elsewhere(&failure.problem) {
        // It is an error, and the next call looks first.
        sentinel.look_first();
        return Err(if is_done_perhaps { failure.ambiguous() } else { failure });
    }
    match search(door, sentinel, Some(group)).await {
        Ok(found) => {
            answers.clear();
            try_exchange(door, sentinel, &found, batch, answers).await
        }
        Err(Some(problem)) => Err(sentinel.failure(door.config, problem)),
        Err(None) => Err(failure),
    }
}

async fn try_exchange(
    door: &Door<'_>,
    sentinel: &Sentinel,
    group: &Group,
    batch: &Batch,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let count = group.replicas.len();
    let chosen = choose(1 + count, batch.effect(), door.config.read_from);
    // The chosen replica, then the others, then the primary.
    for index in 0..if chosen == 0 { 0 } else { count } {
        let replica = &group.replicas[(chosen - 1 + index) % count];
        match ask(door, &replica.server, Role::Data(0), batch, answers).await {
            Err(failure) if may_be_elsewhere(&failure.problem) => {
                sentinel.look_soon();
                answers.clear();
            }
            done => return done,
        }
    }
    ask(door, &group.primary.server, Role::Primary, batch, answers).await
}

/// A reply that says "not here" or "not now" is a failure of this server.
async fn ask(
    door: &Door<'_>,
    server: &Server,
    role: Role,
    batch: &Batch,
    answers: &mut Answers,
) -> Result<(), Failure> {
    door.ask(server, role, batch, answers).await?;
    match first_redirect(answers.received.bytes(), batch.len(), server) {
        None => Ok(()),
        Some((_, text)) => Err(Failure::at(Problem::Refused(text), server)),
    }
}

/// What is known, refreshed now and then.
pub(super) async fn group(door: &Door<'_>, sentinel: &Sentinel) -> Result<Arc<Group>, Failure> {
    if let Some(group) = sentinel.at_hand() {
        return Ok(group);
    }
    let _turn = door.turn.lock().await;
    if let Some(group) = sentinel.at_hand() {
        return Ok(group);
    }
    let client = door.client.clone();
    let found = aside(move || Some(client.sentinel()?.group(client.config()))).await.flatten();
    let found = found.unwrap_or_else(|| Err(sentinel.failure(door.config, no_thread())));
    if let Ok(group) = &found {
        door.nodes.keep(|server| group.has(server));
    }
    found
}

/// Finds the primary, unless another task has done so since `seen`.
async fn search(
    door: &Door<'_>,
    sentinel: &Sentinel,
    seen: Option<Arc<Group>>,
) -> Result<Arc<Group>, Option<Problem>> {
    let _turn = door.turn.lock().await;
    if let Some(known) = sentinel.newer_than(seen.as_ref()) {
        return Ok(known);
    }
    let client = door.client.clone();
    let found =
        aside(move || Some(client.sentinel()?.search(client.config(), seen.as_ref()))).await.flatten();
    let found = found.unwrap_or_else(|| Err(Some(no_thread())));
    if let Ok(group) = &found {
        door.nodes.keep(|server| group.has(server));
    }
    found
}

fn no_thread() -> Problem {
    Problem::Nobody("no thread could be started to look for the servers".to_owned())
}
