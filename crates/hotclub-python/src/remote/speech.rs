//! Redis, as event loops speak it: what is sent to which server, and what becomes of the replies.
use super::detour;
use super::errors;
use super::run;
use super::want::{Asked, Want};
use super::wire::Wire;
use crate::door::{
    At, Core, Doors, Request, Speech, Waiting, Way, link_class, links, new_future, running_loop, settle,
};
use hotclub::backend::redis::RedisConfig;
use hotclub::backend::redis::batch::{Batch, Effect, Replies};
use hotclub::backend::redis::client::choose;
use hotclub::backend::redis::config::Layout;
use hotclub::backend::redis::handshake::Role;
use hotclub::backend::redis::topology::course::first_redirect;
use hotclub::remote::IntoError;
use hotclub_net::{Problem, Server};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::Arc;

pub(crate) struct Resp;

/// What is wanted of the replies.
pub(crate) struct Ask {
    want: Want,
    verb: &'static str,
    /// The whole of it, where the servers must be found: what this one does not do goes the way of a thread.
    detour: Option<Box<Batch>>,
}

link_class!(Link, Resp);

impl Speech for Resp {
    type Wire = Wire;
    type Terms = RedisConfig;
    type Ask = Ask;
    type Link = Link;

    fn doors(wire: &Wire) -> &Doors<Self> {
        &wire.doors
    }

    fn ways(wire: &Wire) -> Vec<(&Server, Role)> {
        let servers = wire.client.config().servers.iter().enumerate();
        servers.map(|(number, server)| (server, Role::Data(number))).collect()
    }

    fn terms(wire: &Wire, _number: usize) -> &RedisConfig {
        wire.client.config()
    }

    fn found_role(wire: &Wire, replica: bool) -> Role {
        match (wire.client.is_clustered(), replica) {
            (true, true) => Role::ClusterReplica,
            (false, false) => Role::Primary,
            _ => Role::Data(0),
        }
    }

    fn has_words_to_find(wire: &Wire) -> bool {
        wire.client.config().credentials.is_some()
    }

    fn link(py: Python<'_>, core: Core<Self>) -> PyResult<Py<Link>> {
        Py::new(py, Link(core))
    }

    fn core(link: &Link) -> &Core<Self> {
        &link.0
    }

    #[inline]
    fn answer(at: At<'_, '_, Self>, waiting: Waiting<Ask>, replies: &[u8]) -> Result<(), Problem> {
        let At { py, wire, core } = at;
        let Waiting { future, ask, effect, replies: count, .. } = waiting;
        let future = future.bind(py);
        let Ask { want, verb, detour } = ask;
        if let Some(batch) = detour
            && first_redirect(replies, count, &core.server).is_some()
        {
            if let Some(loop_) = core.running(py) {
                detour::instead(&loop_, wire, *batch, want, future);
            }
            return Ok(());
        }
        let asked = Asked { verb, effect, place: wire.client.place() };
        let read = || run::settled(py, wire, &want, want.read(py, wire, asked, Replies::over(replies)));
        settle(future, read);
        Ok(())
    }

    fn give_up(at: At<'_, '_, Self>, waiting: Waiting<Ask>, unsent: bool, problem: &Problem) {
        let At { py, wire, core } = at;
        let Waiting { future, ask: Ask { want, verb, detour }, effect, .. } = waiting;
        // Another server may have taken the place of this one: who looks for it may wait.
        if let (Some(batch), Some(loop_)) = (detour, core.running(py))
            && (unsent || effect != Effect::Once)
        {
            detour::instead(&loop_, wire, *batch, want, future.bind(py));
            return;
        }
        fail(wire, future.bind(py), &want, verb, effect, core, problem.clone());
    }

    fn visit(_ask: &Ask, _visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        Ok(())
    }
}

fn fail(
    wire: &Wire,
    future: &Bound<'_, PyAny>,
    want: &Want,
    verb: &'static str,
    effect: Effect,
    core: &Core<Resp>,
    problem: Problem,
) {
    let py = future.py();
    let error = problem.into_error("redis", verb, effect, &core.server.to_string());
    let error = errors::exception(py, &error, wire.habits.client);
    settle(future, || run::settled(py, wire, want, Err(error)));
}

/// Sends a batch; a future brings what is wanted of the replies.
#[inline]
pub(crate) fn ask<'py>(
    py: Python<'py>,
    wire: &Arc<Wire>,
    batch: &Batch,
    want: Want,
) -> PyResult<Bound<'py, PyAny>> {
    let running = running_loop(py)?;
    let config = wire.client.config();
    let way = if config.layout == Layout::Servers {
        Way::Known(choose(config.servers.len(), batch.effect(), config.read_from))
    } else {
        match wire.client.route(batch) {
            Some((server, replica)) => Way::Found(server, replica),
            None => return detour::ask(&running, wire, batch.clone(), want),
        }
    };
    let pair = links::<Resp>(wire, &running, &way)?;
    let link = pair.for_bytes(py, batch.bytes().len());
    let core = &link.get().0;
    if let Err(problem) = core.check(wire) {
        if core.found {
            return detour::ask(&running, wire, batch.clone(), want);
        }
        let future = new_future(&running)?;
        fail(wire, &future, &want, batch.verb(), batch.effect(), core, problem);
        return Ok(future);
    }
    let future = new_future(&running)?;
    let request = Request { effect: batch.effect(), bytes: batch.bytes(), replies: batch.len() };
    let ask = Ask { want, verb: batch.verb(), detour: core.found.then(|| Box::new(batch.clone())) };
    Core::<Resp>::send(link, &running, wire, request, future.clone().unbind(), ask)?;
    Ok(future)
}
