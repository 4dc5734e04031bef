//! The verbs of caches that are somewhere else: encoded and decoded here, carried by two doors.
//!
//! `plan` says for each verb what is sent and what the replies mean. The blocking door (`run`) sends it over a
//! socket of the process's pool, with the GIL let go once around the write and the read; the event-loop door
//! (`speech`, `door`) over a socket that the running loop owns.
mod detour;
pub(crate) mod errors;
mod expiry;
pub(crate) mod news;
mod pickle;
mod plan;
mod run;
mod speech;
mod value;
mod want;
mod wire;

use crate::cache::{Backend, Cache};
use crate::door;
use crate::life::Given;
use crate::trace::{Told, action};
use hotclub::backend::redis::batch::Effect;
use hotclub::backend::redis::command::When;
use hotclub::trace::is_on;
use plan::Verb;
pub(crate) use plan::pair;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use run::{
    Door, Maybe, Object, run, run_on, tell_added, tell_deleted, tell_got, tell_output, tell_stored, told,
    told_delete_many_later, told_get_later, told_later, traced_get, wire, written,
};
use want::DELETED;
pub(crate) use wire::{Wire, warm};

pub(crate) use speech::Link;
pub(crate) use value::pickled;

/// The verbs that the classes of remote caches share. Made by them; of no use alone.
#[pyclass(extends = Cache, subclass, frozen, module = "hotclub._hotclub")]
pub(crate) struct Remote;

/// Each verb twice: for the blocking door, and with `_a` in front for the door of the event loop.
#[pymethods]
impl Remote {
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(
        _arguments: &Bound<'_, pyo3::types::PyTuple>,
        _keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyClassInitializer<Self> {
        PyClassInitializer::from(Cache::bare()).add_subclass(Remote)
    }

    /// Puts this object before the servers of a configuration. Raises ValueError, in words, for a wrong one.
    fn _open_redis(slf: &Bound<'_, Self>, name: &str, options: &Bound<'_, PyDict>) -> PyResult<()> {
        let wire = wire::open(slf.py(), name, options)?;
        slf.as_super().get().put_backend(Backend::Remote(wire));
        Ok(())
    }

    #[pyo3(signature = (key, default = None, version = None, client = None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Py<PyAny>>,
        version: Maybe<'_, 'py>,
        client: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let _ = client;
        if is_on() {
            return traced_get(slf, key, default, version);
        }
        run(slf, Door::Blocking, version, |verb| verb.get(key, default))
    }

    #[pyo3(signature = (key, default = None, version = None))]
    fn _aget<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Py<PyAny>>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        if is_on() {
            return told_get_later(slf, key, default, version);
        }
        run(slf, Door::Loop, version, |verb| verb.get(key, default))
    }

    #[pyo3(
        signature = (key, value, timeout = Given::Nothing, version = None, client = None, nx = false, xx = false),
        text_signature = "($self, key, value, timeout=..., version=None, client=None, nx=False, xx=False)"
    )]
    #[expect(clippy::too_many_arguments, reason = "the parameters of django-redis")]
    fn set<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
        client: Maybe<'_, 'py>,
        nx: bool,
        xx: bool,
    ) -> Object<'py> {
        let _ = client;
        let verb = || run(slf, Door::Blocking, version, |verb| verb.set(key, value, &timeout, when(nx, xx)));
        told(slf, || action("set", key), verb, |done| tell_stored(slf, &timeout, done))
    }

    #[pyo3(signature = (key, value, timeout = Given::Nothing, version = None, nx = false, xx = false))]
    fn _aset<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
        nx: bool,
        xx: bool,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("set", key),
            &if is_on() { written(slf, &timeout) } else { String::new() },
            run(slf, Door::Loop, version, |verb| verb.set(key, value, &timeout, when(nx, xx))),
        )
    }

    #[pyo3(
        signature = (key, value, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, value, timeout=..., version=None)"
    )]
    fn add<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.add(key, value, &timeout));
        told(slf, || action("add", key), verb, tell_added)
    }

    #[pyo3(signature = (key, value, timeout = Given::Nothing, version = None))]
    fn _aadd<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("add", key),
            "written",
            run(slf, Door::Loop, version, |verb| verb.add(key, value, &timeout)),
        )
    }

    #[pyo3(
        signature = (key, timeout = Given::Nothing, version = None),
        text_signature = "($self, key, timeout=..., version=None)"
    )]
    fn touch<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.touch(key, &timeout));
        told(slf, || action("touch", key), verb, tell_output)
    }

    #[pyo3(signature = (key, timeout = Given::Nothing, version = None))]
    fn _atouch<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("touch", key),
            "output",
            run(slf, Door::Loop, version, |verb| verb.touch(key, &timeout)),
        )
    }

    #[pyo3(signature = (key, version = None))]
    fn delete<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>, version: Maybe<'_, 'py>) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.delete(key));
        told(slf, || action("delete", key), verb, tell_deleted)
    }

    #[pyo3(signature = (key, version = None))]
    fn _adelete<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("delete", key),
            "deleted",
            run(slf, Door::Loop, version, |verb| verb.delete(key)),
        )
    }

    /// Whether there is a live entry.
    #[pyo3(signature = (key, version = None))]
    fn has_key<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>, version: Maybe<'_, 'py>) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.has_key(key));
        told(slf, || action("has_key", key), verb, tell_output)
    }

    #[pyo3(signature = (key, version = None))]
    fn _ahas_key<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("has_key", key),
            "output",
            run(slf, Door::Loop, version, |verb| verb.has_key(key)),
        )
    }

    /// Add `delta` to the whole number and return the sum; ValueError if there is none. Atomic; keeps the deadline.
    #[pyo3(
        signature = (key, delta = Given::Nothing, version = None, create = false),
        text_signature = "($self, key, delta=1, version=None, create=False)"
    )]
    fn incr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Given<'py>,
        version: Maybe<'_, 'py>,
        create: bool,
    ) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.incr(key, &delta, create));
        told(slf, || action("incr", key), verb, tell_output)
    }

    #[pyo3(signature = (key, delta = Given::Nothing, version = None, create = false))]
    fn _aincr<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Given<'py>,
        version: Maybe<'_, 'py>,
        create: bool,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("incr", key),
            "output",
            run(slf, Door::Loop, version, |verb| verb.incr(key, &delta, create)),
        )
    }

    /// Read many values: those that are there, by the caller's keys.
    #[pyo3(signature = (keys, version = None))]
    fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.get_many(keys));
        told(slf, || action("get_many", keys), verb, tell_got)
    }

    #[pyo3(signature = (keys, version = None))]
    fn _aget_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("get_many", keys),
            "got",
            run(slf, Door::Loop, version, |verb| verb.get_many(keys)),
        )
    }

    #[pyo3(
        signature = (data, timeout = Given::Nothing, version = None),
        text_signature = "($self, data, timeout=..., version=None)"
    )]
    #[doc = "Store many values, all or none; the keys that could not be stored."]
    fn set_many<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.set_many(data, &timeout));
        told(slf, || action("set_many", data), verb, |_| Told::Set("stored".into()))
    }

    #[pyo3(signature = (data, timeout = Given::Nothing, version = None))]
    fn _aset_many<'py>(
        slf: &Bound<'py, Self>,
        data: &Bound<'py, PyAny>,
        timeout: Given<'py>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        told_later(
            slf,
            || action("set_many", data),
            "written",
            run(slf, Door::Loop, version, |verb| verb.set_many(data, &timeout)),
        )
    }

    /// Remove many entries.
    #[pyo3(signature = (keys, version = None))]
    fn delete_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, version, |verb| verb.delete_many(keys));
        told(slf, || action("delete_many", keys), verb, |_| Told::Set(format!("{} deleted", DELETED.get())))
    }

    #[pyo3(signature = (keys, version = None))]
    fn _adelete_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyAny>,
        version: Maybe<'_, 'py>,
    ) -> Object<'py> {
        if is_on() {
            return told_delete_many_later(slf, keys, version);
        }
        run(slf, Door::Loop, version, |verb| verb.delete_many(keys))
    }

    fn _flush<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        let verb = || run(slf, Door::Blocking, None, |verb| verb.clear());
        told(slf, || "clear()".to_owned(), verb, |_| Told::Set("all removed".into()))
    }

    fn _aflush<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        told_later(slf, || "clear()".to_owned(), "cleared", run(slf, Door::Loop, None, |verb| verb.clear()))
    }

    /// Sends one command and returns the reply.
    #[pyo3(signature = (parts, *, write = true, key_at = 1, node = None))]
    fn _execute<'py>(
        slf: &Bound<'py, Self>,
        parts: &Bound<'py, PyAny>,
        write: bool,
        key_at: isize,
        node: Option<usize>,
    ) -> Object<'py> {
        let plan = |verb: Verb<'_, 'py>| verb.execute(parts, effect(write), key_at);
        match node {
            None => run(slf, Door::Blocking, None, plan),
            Some(node) => run_on(slf, Door::Blocking, node, plan),
        }
    }

    #[pyo3(signature = (parts, *, write = true, key_at = 1, node = None))]
    fn _aexecute<'py>(
        slf: &Bound<'py, Self>,
        parts: &Bound<'py, PyAny>,
        write: bool,
        key_at: isize,
        node: Option<usize>,
    ) -> Object<'py> {
        let plan = |verb: Verb<'_, 'py>| verb.execute(parts, effect(write), key_at);
        match node {
            None => run(slf, Door::Loop, None, plan),
            Some(node) => run_on(slf, Door::Loop, node, plan),
        }
    }

    /// How many primaries there are. In a cluster they are asked for.
    fn _node_count(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let wire = wire(slf.as_super())?;
        if !wire.client.is_clustered() {
            return Ok(1);
        }
        let nodes =
            slf.py().detach(|| wire.client.nodes()).map_err(|error| wire.exception(slf.py(), &error))?;
        Ok(nodes.len())
    }

    /// The same for an event loop, which must not wait for it.
    fn _anode_count<'py>(slf: &Bound<'py, Self>) -> Object<'py> {
        let py = slf.py();
        let wire = wire(slf.as_super())?.clone();
        if !wire.client.is_clustered() {
            return door::answered(py, 1_usize.into_bound_py_any(py)?);
        }
        door::in_a_thread(py, move |py| {
            let nodes = py.detach(|| wire.client.nodes()).map_err(|error| wire.exception(py, &error))?;
            nodes.len().into_py_any(py)
        })
    }

    /// The bytes that this alias writes for a value.
    fn _dumps<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let mut bytes = Vec::new();
        wire(slf.as_super())?.codec.dump(value, &mut bytes)?;
        Ok(PyBytes::new(slf.py(), &bytes))
    }

    /// The value that these bytes say to this alias.
    fn _loads<'py>(slf: &Bound<'py, Self>, bytes: &[u8]) -> Object<'py> {
        wire(slf.as_super())?.codec.load(slf.py(), bytes)
    }

    /// Connections of this process: those of the pool, and those of event loops.
    fn _connections(slf: &Bound<'_, Self>) -> PyResult<(usize, usize)> {
        let wire = wire(slf.as_super())?;
        Ok((wire.client.connections(), wire.doors.connections()))
    }

    /// Counters since the process began.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let wire = wire(slf.as_super())?;
        let dict = PyDict::new(slf.py());
        for (name, count) in wire.counts.rows() {
            dict.set_item(name, count)?;
        }
        dict.set_item("connections", wire.client.connections() + wire.doors.connections())?;
        Ok(dict)
    }
}

fn when(nx: bool, xx: bool) -> When {
    match (nx, xx) {
        (true, _) => When::Absent,
        (false, true) => When::Present,
        (false, false) => When::Always,
    }
}

fn effect(write: bool) -> Effect {
    if write { Effect::Once } else { Effect::Read }
}
