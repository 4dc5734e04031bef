//! The nodes of a cluster, for tasks: a batch is split by node, and what is redirected follows. Where a command goes
//! next is said by [`Course`]; the map of slots is the blocking client's, who also asks for it.
use super::Door;
use super::aside::aside;
use super::node::Request;
use crate::backend::redis::batch::{Answers, Batch, Received};
use crate::backend::redis::error::{Failure, Problem};
use crate::backend::redis::handshake::Role;
use crate::backend::redis::server::Server;
use crate::backend::redis::topology::cluster::{
    AFTER_A_MOVE, Cluster, FIRST_PAUSE, IN_TROUBLE, LAST_PAUSE, may_pass, random,
};
use crate::backend::redis::topology::course::{Course, Leg, Next, first_redirect};
use hotclub_net::tasks::together;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Sends a batch to whoever has its slots.
pub(super) async fn exchange(
    door: &Door<'_>,
    cluster: &Cluster,
    batch: &Batch,
    answers: &mut Answers,
) -> Result<(), Failure> {
    if batch.is_everywhere() {
        return everywhere(door, batch, answers).await;
    }
    let (config, effect) = (door.config, batch.effect());
    let mut course = Course::new(batch, cluster.is_patient());
    match door.client.route(batch) {
        None => need_a_map(door, cluster).await?,
        Some((server, replica)) => {
            // The common case: one slot, and the map is right.
            let node = door.nodes.of(&server, role(replica));
            let request = Request { effect, bytes: batch.bytes(), replies: batch.len() };
            let done = node.exchange(config, request, &mut answers.received).await;
            if done.is_ok() && first_redirect(answers.received.bytes(), batch.len(), &server).is_none() {
                return Ok(());
            }
            let leg = course.whole(server, replica);
            report(&mut course, &leg, done, answers, 0);
        }
    }
    travel(door, cluster, course, answers).await
}

/// The same, but what has no slot goes to this server.
pub(super) async fn exchange_on(
    door: &Door<'_>,
    cluster: &Cluster,
    server: &Server,
    batch: &Batch,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let course = Course::new(batch, cluster.is_patient()).based_on(server);
    travel(door, cluster, course, answers).await
}

async fn travel(
    door: &Door<'_>,
    cluster: &Cluster,
    mut course: Course<'_>,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let done = go(door, cluster, &mut course, answers).await;
    cluster.settle(&done);
    done.map(|()| answers.starts = course.finish())
}

async fn go(
    door: &Door<'_>,
    cluster: &Cluster,
    course: &mut Course<'_>,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let (config, known) = (door.config, cluster.known());
    let until = Instant::now() + config.reply_limit;
    while let Next::Go { look, pause } = course.proceed()? {
        if Instant::now() + pause > until {
            return Err(course.late(config.reply_limit));
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
        if known.note(course.moved()) {
            refresh(door, cluster, AFTER_A_MOVE).await.ok();
        }
        if look {
            // Without an answer the course goes on with the old map, and ends where that leads.
            refresh(door, cluster, IN_TROUBLE).await.ok();
        }
        let random = random(config, course.effect());
        let legs = known.with_map(|map| course.legs(map, config.read_from, random))?;
        carry(door, course, &legs, answers).await;
    }
    Ok(())
}

/// All legs at the same time.
async fn carry(door: &Door<'_>, course: &mut Course<'_>, legs: &[Leg], answers: &mut Answers) {
    let effect = course.effect();
    let walk = |leg: &Leg| {
        let node = door.nodes.of(&leg.server, role(leg.replica));
        let (bytes, replies) = (leg.bytes.clone(), leg.replies);
        async move {
            let mut received = Received::default();
            let request = Request { effect, bytes: &bytes, replies };
            let done = node.exchange(door.config, request, &mut received).await;
            (done, received)
        }
    };
    for (leg, (done, received)) in legs.iter().zip(together(legs.iter().map(walk)).await) {
        let from = answers.received.bytes().len();
        answers.received.push(received.bytes());
        report(course, leg, done, answers, from);
    }
}

/// Says what became of a leg whose replies begin there.
fn report(course: &mut Course<'_>, leg: &Leg, done: Result<(), Problem>, answers: &Answers, from: usize) {
    let arrived = done.and_then(|()| course.arrived(leg, answers.received.bytes(), from));
    if let Err(problem) = arrived {
        course.failed(leg, problem);
    }
}

/// The whole batch to every primary; their replies one behind the other.
async fn everywhere(door: &Door<'_>, batch: &Batch, answers: &mut Answers) -> Result<(), Failure> {
    let mut done = Vec::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let mut servers = door.primaries().await?;
        servers.retain(|server| !done.contains(server));
        match to_all(door, batch, answers, &servers, &mut done).await {
            Err(failure) if may_pass(&failure.problem, batch.effect()) && pause <= LAST_PAUSE => {}
            end => return end,
        }
        sleep(pause).await;
        pause *= 2;
    }
}

/// The first failure, after every server was heard.
async fn to_all(
    door: &Door<'_>,
    batch: &Batch,
    answers: &mut Answers,
    servers: &[Server],
    done: &mut Vec<Server>,
) -> Result<(), Failure> {
    let ask = |server: &Server| {
        let (server, node) = (server.clone(), door.nodes.of(server, role(false)));
        async move {
            let mut received = Received::default();
            let request = Request { effect: batch.effect(), bytes: batch.bytes(), replies: batch.len() };
            node.exchange(door.config, request, &mut received).await?;
            match first_redirect(received.bytes(), batch.len(), &server) {
                None => Ok(received),
                Some((_, text)) => Err(Problem::Refused(text)),
            }
        }
    };
    let mut end = Ok(());
    for (server, heard) in servers.iter().zip(together(servers.iter().map(ask)).await) {
        match heard {
            Ok(received) => {
                answers.received.push(received.bytes());
                done.push(server.clone());
            }
            Err(problem) => end = end.and(Err(Failure::at(problem, server))),
        }
    }
    end
}

fn role(replica: bool) -> Role {
    if replica { Role::ClusterReplica } else { Role::Data(0) }
}

async fn need_a_map(door: &Door<'_>, cluster: &Cluster) -> Result<(), Failure> {
    if !cluster.known().is_empty() {
        return Ok(());
    }
    let asked = refresh(door, cluster, IN_TROUBLE).await;
    asked.map_err(|problem| cluster.known().failure(door.config, problem))
}

/// Asks for the map, one task for all of them, unless that was done less than `gap` ago.
async fn refresh(door: &Door<'_>, cluster: &Cluster, gap: Duration) -> Result<(), Problem> {
    let _turn = door.turn.lock().await;
    if let Some(lately) = cluster.known().asked_within(gap) {
        return lately;
    }
    let client = door.client.clone();
    let asked = aside(move || Some(client.cluster()?.known().refresh(client.config(), gap))).await.flatten();
    let known = cluster.known();
    door.nodes.keep(|server| known.has(door.config, server));
    asked.unwrap_or_else(|| {
        Err(Problem::Nobody("no thread could be started to look for the nodes".to_owned()))
    })
}
