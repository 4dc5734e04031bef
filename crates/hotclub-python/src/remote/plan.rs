//! Each verb once: what is sent, and what its replies mean. The doors carry it.
use super::expiry::expiry;
use super::value::push_text;
use super::want::Want;
use super::wire::{Dialect, Scratch, Wire};
use crate::cache::{Cache, Current};
use crate::key::{FullKey, full_key};
use crate::life::Given;
use crate::names::name;
use hotclub::backend::redis::batch::{Batch, Effect};
use hotclub::backend::redis::command::{self, When};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList, PyTuple};

/// What a verb needs of the servers.
pub(crate) enum Plan {
    /// Nothing: this is the answer.
    Answer(Py<PyAny>),
    /// The commands in the scratch's batch.
    Ask(Want),
}

/// What every verb has at hand.
pub(crate) struct Verb<'a, 'py> {
    pub(crate) cache: &'a Bound<'py, Cache>,
    pub(crate) wire: &'a Wire,
    pub(crate) settings: Current,
    pub(crate) version: Option<&'a Bound<'py, PyAny>>,
    pub(crate) scratch: &'a mut Scratch,
}

type Key<'a, 'py> = &'a Bound<'py, PyAny>;

impl<'py> Verb<'_, 'py> {
    fn py(&self) -> Python<'py> {
        self.cache.py()
    }

    #[inline]
    fn start(&mut self, verb: &'static str, effect: Effect) -> &mut Batch {
        self.scratch.batch.start(verb, effect, self.wire.client.is_clustered());
        &mut self.scratch.batch
    }

    #[inline]
    fn full_key(&self, key: Key<'_, 'py>, full: &mut FullKey) -> PyResult<()> {
        full_key(self.cache, &self.settings, key, self.version, full)
    }

    fn answer(&self, answer: impl IntoPyObject<'py>) -> PyResult<Plan> {
        use pyo3::IntoPyObjectExt;
        Ok(Plan::Answer(answer.into_py_any(self.py())?))
    }

    /// A verb that is one command on one key.
    #[inline]
    fn one(
        mut self,
        verb: &'static str,
        effect: Effect,
        key: Key<'_, 'py>,
        write: impl FnOnce(&mut Batch, &[u8]),
        want: Want,
    ) -> PyResult<Plan> {
        let mut full = FullKey::new();
        self.full_key(key, &mut full)?;
        write(self.start(verb, effect), full.as_bytes());
        Ok(Plan::Ask(want))
    }

    #[inline]
    pub(crate) fn get(self, key: Key<'_, 'py>, default: Option<Py<PyAny>>) -> PyResult<Plan> {
        self.one("get", Effect::Read, key, command::get, Want::Value(default))
    }

    pub(crate) fn has_key(self, key: Key<'_, 'py>) -> PyResult<Plan> {
        self.one("has_key", Effect::Read, key, command::exists, Want::Truth)
    }

    pub(crate) fn delete(self, key: Key<'_, 'py>) -> PyResult<Plan> {
        self.one("delete", Effect::Idempotent, key, command::delete, Want::Truth)
    }

    pub(crate) fn set(
        self,
        key: Key<'_, 'py>,
        value: &Bound<'py, PyAny>,
        timeout: &Given<'py>,
        when: When,
    ) -> PyResult<Plan> {
        let mut full = FullKey::new();
        self.full_key(key, &mut full)?;
        self.wire.codec.dump(value, &mut self.scratch.value)?;
        let expiry = expiry(self.cache, self.wire, &self.settings, timeout)?;
        let Scratch { batch, value, .. } = &mut *self.scratch;
        let clustered = self.wire.client.is_clustered();
        let key = full.as_bytes();
        match (expiry, when) {
            (Some(expiry), When::Always) => {
                batch.start("set", Effect::Idempotent, clustered);
                command::set(batch, key, value, expiry, when);
                Ok(Plan::Ask(Want::Set))
            }
            (Some(expiry), _) => {
                batch.start("set", Effect::Once, clustered);
                command::set(batch, key, value, expiry, when);
                Ok(Plan::Ask(Want::Written))
            }
            (None, When::Always) => {
                batch.start("set", Effect::Idempotent, clustered);
                command::delete(batch, key);
                Ok(Plan::Ask(Want::Unset))
            }
            // Nothing readable would remain: only the condition is looked at.
            (None, When::Absent) => {
                // Not a read: a replica may be a moment late.
                batch.start("set", Effect::Idempotent, clustered);
                command::exists(batch, key);
                Ok(Plan::Ask(Want::Absent))
            }
            (None, When::Present) => {
                batch.start("set", Effect::Idempotent, clustered);
                command::delete(batch, key);
                Ok(Plan::Ask(Want::Truth))
            }
        }
    }

    pub(crate) fn add(
        self,
        key: Key<'_, 'py>,
        value: &Bound<'py, PyAny>,
        timeout: &Given<'py>,
    ) -> PyResult<Plan> {
        // django-vcache adds nothing that is to end at once.
        if self.wire.habits.dialect == Dialect::Vcache
            && expiry(self.cache, self.wire, &self.settings, timeout)?.is_none()
        {
            return self.answer(false);
        }
        self.set(key, value, timeout, When::Absent)
    }

    pub(crate) fn touch(self, key: Key<'_, 'py>, timeout: &Given<'py>) -> PyResult<Plan> {
        let expiry = expiry(self.cache, self.wire, &self.settings, timeout)?;
        let write = |batch: &mut Batch, key: &[u8]| match expiry {
            Some(expiry) => command::touch(batch, key, expiry),
            None => command::delete(batch, key),
        };
        self.one("touch", Effect::Idempotent, key, write, Want::Truth)
    }

    pub(crate) fn incr(mut self, key: Key<'_, 'py>, delta: &Given<'py>, create: bool) -> PyResult<Plan> {
        let mut full = FullKey::new();
        self.full_key(key, &mut full)?;
        let delta = match delta {
            Given::Nothing => b"1".to_vec(),
            Given::Value(delta) => {
                let mut text = Vec::new();
                push_text(delta, &mut text)?;
                text
            }
        };
        let create = create || self.wire.habits.incr_creates;
        let batch = self.start("incr", Effect::Once);
        match create {
            true => command::incr_or_create(batch, full.as_bytes(), &delta),
            false => command::incr_by(batch, full.as_bytes(), &delta),
        }
        let named = if self.wire.habits.dialect == Dialect::Vcache {
            key.clone()
        } else {
            full.to_python(self.py())?
        };
        Ok(Plan::Ask(Want::Sum(named.unbind())))
    }

    pub(crate) fn get_many(mut self, keys: &Bound<'py, PyAny>) -> PyResult<Plan> {
        let given: Vec<Bound<'py, PyAny>> = keys.try_iter()?.collect::<PyResult<_>>()?;
        if given.is_empty() {
            return self.answer(PyDict::new(self.py()));
        }
        let clustered = self.wire.client.is_clustered();
        let batch = self.start("get_many", Effect::Read);
        if !clustered {
            batch.command("MGET", 1 + given.len());
        }
        let mut full = FullKey::new();
        for key in &given {
            self.full_key(key, &mut full)?;
            match clustered {
                true => command::get(&mut self.scratch.batch, full.as_bytes()),
                false => drop(self.scratch.batch.arg(full.as_bytes())),
            }
        }
        Ok(Plan::Ask(Want::Values(given.into_iter().map(Bound::unbind).collect())))
    }

    /// `delete_many` that tells how many there were in every dialect.
    pub(crate) fn delete_many_counted(self, keys: &Bound<'py, PyAny>) -> PyResult<Plan> {
        Ok(match self.delete_many(keys)? {
            Plan::Ask(Want::Deleted) => Plan::Ask(Want::Counted),
            plan => plan,
        })
    }

    pub(crate) fn delete_many(mut self, keys: &Bound<'py, PyAny>) -> PyResult<Plan> {
        let given: Vec<Bound<'py, PyAny>> = keys.try_iter()?.collect::<PyResult<_>>()?;
        if given.is_empty() {
            return match self.wire.habits.dialect {
                Dialect::DjangoRedis => self.answer(0),
                _ => self.answer(self.py().None()),
            };
        }
        let clustered = self.wire.client.is_clustered();
        let batch = self.start("delete_many", Effect::Idempotent);
        if !clustered {
            batch.command("DEL", 1 + given.len());
        }
        let mut full = FullKey::new();
        for key in &given {
            self.full_key(key, &mut full)?;
            match clustered {
                true => command::delete(&mut self.scratch.batch, full.as_bytes()),
                false => drop(self.scratch.batch.arg(full.as_bytes())),
            }
        }
        Ok(Plan::Ask(Want::Deleted))
    }

    pub(crate) fn set_many(mut self, data: &Bound<'py, PyAny>, timeout: &Given<'py>) -> PyResult<Plan> {
        let items = data.call_method0(name!(self.py(), items))?;
        let expiry = expiry(self.cache, self.wire, &self.settings, timeout)?;
        command::begin_set_many(self.start("set_many", Effect::Idempotent));
        let mut full = FullKey::new();
        let mut count = 0;
        // Through Python's iterator: pickling a value may run code that changes the dict.
        for item in items.try_iter()? {
            let (key, value) = pair(item?)?;
            self.full_key(&key, &mut full)?;
            let Scratch { batch, value: bytes, .. } = &mut *self.scratch;
            self.wire.codec.dump(&value, bytes)?;
            command::set_one(batch, full.as_bytes(), bytes, expiry);
            count += 1;
        }
        if count == 0 {
            return match self.wire.habits.dialect {
                Dialect::DjangoRedis => self.answer(self.py().None()),
                _ => self.answer(PyList::empty(self.py())),
            };
        }
        command::end_set_many(&mut self.scratch.batch);
        Ok(Plan::Ask(Want::AllSet))
    }

    pub(crate) fn clear(mut self) -> PyResult<Plan> {
        command::clear(self.start("clear", Effect::Idempotent));
        Ok(Plan::Ask(Want::Cleared))
    }

    /// One command of the caller's own; `key_at` is the place of the key in it, for a cluster.
    pub(crate) fn execute(
        mut self,
        parts: &Bound<'py, PyAny>,
        effect: Effect,
        key_at: isize,
    ) -> PyResult<Plan> {
        let parts: Vec<Bound<'py, PyAny>> = parts.try_iter()?.collect::<PyResult<_>>()?;
        let mut bytes = Vec::with_capacity(parts.len());
        for part in &parts {
            bytes.push(wire_bytes(part)?);
        }
        let [name, rest @ ..] = bytes.as_slice() else {
            return Err(pyo3::exceptions::PyValueError::new_err("a command needs a name"));
        };
        let name = String::from_utf8_lossy(name);
        let batch = self.start("execute", effect);
        batch.command(&name, bytes.len());
        for (index, part) in rest.iter().enumerate() {
            match usize::try_from(key_at) == Ok(index + 1) {
                true => batch.key(part),
                false => batch.arg(part),
            };
        }
        Ok(Plan::Ask(Want::Raw))
    }
}

/// Any two things, as `for key, value in …` unpacks them.
pub(crate) fn pair(item: Bound<'_, PyAny>) -> PyResult<(Bound<'_, PyAny>, Bound<'_, PyAny>)> {
    if let Ok(item) = item.cast_exact::<PyTuple>()
        && item.len() == 2
    {
        return Ok((item.get_item(0)?, item.get_item(1)?));
    }
    let parts: Vec<_> = item.try_iter()?.collect::<PyResult<_>>()?;
    <[_; 2]>::try_from(parts).map(|[key, value]| (key, value)).map_err(|parts| {
        let message = format!("not enough or too many values to unpack (expected 2, got {})", parts.len());
        pyo3::exceptions::PyValueError::new_err(message)
    })
}

/// The bytes of one part of a command, as redis-py sends it.
fn wire_bytes(part: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};
    if let Ok(bytes) = part.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(bytes) = part.cast::<PyByteArray>() {
        return Ok(bytes.to_vec());
    }
    if part.is_instance_of::<PyMemoryView>() {
        return part.call_method0("tobytes")?.extract();
    }
    let mut text = Vec::new();
    match part.cast_exact::<PyFloat>() {
        Ok(number) => text.extend_from_slice(number.repr()?.to_str()?.as_bytes()),
        Err(_) => push_text(part, &mut text)?,
    }
    Ok(text)
}
