//! Running a verb: through the blocking door here, or handed to the door of the event loop.
use super::Remote;
use super::errors;
use super::expiry;
use super::plan::{Plan, Verb};
use super::speech;
use super::want::{Asked, Want};
use super::wire::{Dialect, Scratch, Wire};
use crate::cache::{Backend, Cache};
use crate::door;
use crate::life::Given;
use crate::trace::{self, Told, action, repr, stored, traced};
use hotclub::backend::redis::batch::{Answers, Batch};
use hotclub::trace::is_on;
use pyo3::prelude::*;
use pyo3::types::PyBool;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

pub(super) type Object<'py> = PyResult<Bound<'py, PyAny>>;
pub(super) type Maybe<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Through which door.
#[derive(Clone, Copy)]
pub(super) enum Door {
    Blocking,
    Loop,
}

pub(super) fn wire<'a>(cache: &'a Bound<'_, Cache>) -> PyResult<&'a Arc<Wire>> {
    match cache.get().backend()? {
        Backend::Remote(wire) => Ok(wire),
        _ => Err(pyo3::exceptions::PyRuntimeError::new_err("this cache is not a remote one")),
    }
}

/// Runs a verb: plans it, sends it through the door, and reads what comes back.
#[inline]
pub(super) fn run<'py>(
    slf: &Bound<'py, Remote>,
    door: Door,
    version: Maybe<'_, 'py>,
    plan: impl FnOnce(Verb<'_, 'py>) -> PyResult<Plan>,
) -> Object<'py> {
    let cache = slf.as_super();
    let wire = wire(cache)?;
    let mut scratch = Scratch::take();
    let settings = Cache::settings(cache)?;
    let verb = Verb { cache, wire, settings, version, scratch: &mut scratch };
    let done = match plan(verb) {
        Ok(Plan::Ask(want)) => match door {
            Door::Blocking => {
                let Scratch { batch, answers, .. } = &mut *scratch;
                exchange(slf.py(), wire, batch, answers, &want)
            }
            Door::Loop => speech::ask(slf.py(), wire, &scratch.batch, want),
        },
        Ok(Plan::Answer(answer)) => match door {
            Door::Blocking => Ok(answer.into_bound(slf.py())),
            Door::Loop => door::answered(slf.py(), answer.into_bound(slf.py())),
        },
        Err(error) => Err(error),
    };
    scratch.put_back();
    done
}

/// The same for the primary of this number: a cluster is looked through node by node.
pub(super) fn run_on<'py>(
    slf: &Bound<'py, Remote>,
    door: Door,
    node: usize,
    plan: impl FnOnce(Verb<'_, 'py>) -> PyResult<Plan>,
) -> Object<'py> {
    let (py, cache) = (slf.py(), slf.as_super());
    let wire = wire(cache)?.clone();
    let mut scratch = Scratch::take();
    let verb =
        Verb { cache, wire: &wire, settings: Cache::settings(cache)?, version: None, scratch: &mut scratch };
    let planned = plan(verb);
    let batch = scratch.batch.clone();
    scratch.put_back();
    let want = match planned? {
        Plan::Answer(answer) => return Ok(answer.into_bound(py)),
        Plan::Ask(want) => want,
    };
    let ask = move |py: Python<'_>| {
        let mut answers = Answers::default();
        let asked = Asked { verb: batch.verb(), effect: batch.effect(), place: wire.client.place() };
        let done = py.detach(|| {
            let nodes = wire.client.nodes()?;
            let server = nodes.get(node).ok_or_else(|| gone(node, nodes.len()))?;
            wire.client.exchange_on(server, &batch, &mut answers)
        });
        done.map_err(|error| wire.exception(py, &error))?;
        want.read(py, &wire, asked, answers.replies()).map(Bound::unbind)
    };
    match door {
        Door::Blocking => ask(py).map(|answer| answer.into_bound(py)),
        Door::Loop => door::in_a_thread(py, ask),
    }
}

fn gone(node: usize, count: usize) -> hotclub::Error {
    let message = format!("there is no primary number {node}: there are {count}");
    hotclub::Error::new(hotclub::ErrorKind::Unavailable, message).at("redis", "execute")
}

/// Sends a batch through the blocking door and reads the replies.
#[inline]
pub(super) fn exchange<'py>(
    py: Python<'py>,
    wire: &Wire,
    batch: &Batch,
    answers: &mut Answers,
    want: &Want,
) -> Object<'py> {
    let read = match wire.exchange(py, batch, answers) {
        Ok(()) => {
            let asked = Asked { verb: batch.verb(), effect: batch.effect(), place: wire.client.place() };
            want.read(py, wire, asked, answers.replies())
        }
        Err(error) => Err(error),
    };
    settled(py, wire, want, read)
}

/// What the caller gets: the answer, or with IGNORE_EXCEPTIONS a miss for what the server could not do.
#[inline]
pub(super) fn settled<'py>(py: Python<'py>, wire: &Wire, want: &Want, answer: Object<'py>) -> Object<'py> {
    match answer {
        Ok(answer) => {
            if wire.ignoring.load(Relaxed) {
                wire.ignoring.store(false, Relaxed);
            }
            Ok(answer)
        }
        Err(error) => ignored(py, wire, want, error),
    }
}

#[cold]
fn ignored<'py>(py: Python<'py>, wire: &Wire, want: &Want, error: PyErr) -> Object<'py> {
    let of_a_server = errors::is_of_a_server(py, &error);
    if of_a_server {
        wire.counts.errors.fetch_add(1, Relaxed);
    }
    if !of_a_server || !wire.habits.ignore_errors || !want.may_be_ignored() {
        return Err(error);
    }
    wire.counts.ignored.fetch_add(1, Relaxed);
    // Once, until something succeeds again: not a line for each call.
    if !wire.ignoring.swap(true, Relaxed)
        && let Some(logger) = &wire.habits.log_ignored
        && let Err(failure) = errors::log_ignored(py, logger, &error)
    {
        failure.write_unraisable(py, None);
    }
    want.neutral(py)
}

/// A verb as a step of the execution table, if one is being recorded.
#[inline]
pub(super) fn told<'py>(
    slf: &Bound<'py, Remote>,
    action: impl FnOnce() -> String,
    verb: impl FnOnce() -> Object<'py>,
    tell: impl FnOnce(&Bound<'py, PyAny>) -> Told,
) -> Object<'py> {
    if is_on() { traced(slf, action, verb, tell) } else { verb() }
}

/// The same for a verb whose answer is on its way: the row is written when it is there.
#[inline]
pub(super) fn told_later<'py>(
    slf: &Bound<'py, Remote>,
    action: impl FnOnce() -> String,
    column: &str,
    future: Object<'py>,
) -> Object<'py> {
    if is_on() { trace::later(slf, &action(), column, future?) } else { future }
}

/// The same for `get`: a miss is None in the table, whatever its default.
#[cold]
pub(super) fn told_get_later<'py>(
    slf: &Bound<'py, Remote>,
    key: &Bound<'py, PyAny>,
    default: Option<Py<PyAny>>,
    version: Maybe<'_, 'py>,
) -> Object<'py> {
    let missing = slf.py().get_type::<PyAny>().call0()?;
    let future = run(slf, Door::Loop, version, |verb| verb.get(key, Some(missing.clone().unbind())))?;
    trace::later_get(slf, &action("get", key), future, missing, default)
}

/// The same for `delete_many`: the table tells how many there were, also where Django does not want to know.
#[cold]
pub(super) fn told_delete_many_later<'py>(
    slf: &Bound<'py, Remote>,
    keys: &Bound<'py, PyAny>,
    version: Maybe<'_, 'py>,
) -> Object<'py> {
    let future = run(slf, Door::Loop, version, |verb| verb.delete_many_counted(keys))?;
    let action = action("delete_many", keys);
    if wire(slf.as_super())?.habits.dialect == Dialect::DjangoRedis {
        trace::later(slf, &action, "deleted_many", future)
    } else {
        trace::later_quietly(slf, &action, "deleted_many", future)
    }
}

pub(super) fn tell_output(object: &Bound<'_, PyAny>) -> Told {
    Told::Output(repr(object))
}

pub(super) fn tell_got(object: &Bound<'_, PyAny>) -> Told {
    Told::Get(repr(object))
}

pub(super) fn tell_added(object: &Bound<'_, PyAny>) -> Told {
    Told::Set(if is_false(object) { "not stored: it exists" } else { "stored" }.into())
}

pub(super) fn tell_stored<'py>(
    slf: &Bound<'py, Remote>,
    timeout: &Given<'py>,
    done: &Bound<'py, PyAny>,
) -> Told {
    Told::Set(if is_false(done) { "not stored".to_owned() } else { written(slf, timeout) })
}

/// What a write with this timeout does. A timeout that is none was an error before.
pub(super) fn written<'py>(slf: &Bound<'py, Remote>, timeout: &Given<'py>) -> String {
    let cache = slf.as_super();
    let asked = || expiry::expiry(cache, wire(cache)?, &*Cache::settings(cache)?, timeout);
    asked().map_or_else(|_| String::new(), |expiry| stored(expiry::life(expiry)))
}

fn is_false(object: &Bound<'_, PyAny>) -> bool {
    object.is(PyBool::new(object.py(), false))
}

/// A miss is None in the table, whatever its default.
#[cold]
pub(super) fn traced_get<'py>(
    slf: &Bound<'py, Remote>,
    key: &Bound<'py, PyAny>,
    default: Option<Py<PyAny>>,
    version: Maybe<'_, 'py>,
) -> Object<'py> {
    let py = slf.py();
    let missing = py.get_type::<PyAny>().call0()?;
    let verb = || run(slf, Door::Blocking, version, |verb| verb.get(key, Some(missing.clone().unbind())));
    let tell =
        |got: &Bound<'py, PyAny>| if got.is(&missing) { Told::Get("None".into()) } else { tell_got(got) };
    let got = told(slf, || action("get", key), verb, tell)?;
    if !got.is(&missing) {
        return Ok(got);
    }
    Ok(default.unwrap_or_else(|| py.None()).into_bound(py))
}

pub(super) fn tell_deleted(object: &Bound<'_, PyAny>) -> Told {
    Told::Set(if object.is_truthy().unwrap_or(false) { "deleted" } else { "nothing to delete" }.into())
}
