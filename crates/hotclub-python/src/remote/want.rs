//! What the replies to a request mean to its caller, for every door.
use super::errors;
use super::wire::{Dialect, Wire};
use crate::codec::sized_dict;
use hotclub::backend::redis::batch::Effect;
use hotclub::backend::redis::error::Problem;
use hotclub::backend::redis::resp::{Malformed, Reply};
use hotclub::remote::IntoError;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyList, PyString};
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;

/// What is wanted of the replies.
pub(crate) enum Want {
    /// The value, or this.
    Value(Option<Py<PyAny>>),
    /// The values, by the keys that the caller gave.
    Values(Vec<Py<PyAny>>),
    /// `set`: nothing in Django; elsewhere whether it was done.
    Set,
    /// Whether a conditional write took place.
    Written,
    /// Whether the last number is above 0.
    Truth,
    /// Whether the number is 0.
    Absent,
    /// The sum; a missing key is an error that names it.
    Sum(Py<PyAny>),
    /// `set_many`: all were stored.
    AllSet,
    /// `set` of what is to end at once: whether there was an entry, for those who want to know.
    Unset,
    /// `delete_many`.
    Deleted,
    /// How many there were.
    Counted,
    /// `clear`.
    Cleared,
    /// The replies as they are: one, or a list of them.
    Raw,
}

thread_local! {
    /// How many entries the last `delete_many` of this thread found: Django does not want to know, the trace does.
    pub(crate) static DELETED: Cell<i64> = const { Cell::new(0) };
}

/// Who asked, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) verb: &'static str,
    pub(crate) effect: Effect,
    pub(crate) place: &'a str,
}

type Read<'py> = PyResult<Bound<'py, PyAny>>;

impl Want {
    /// The object for the caller.
    #[inline]
    pub(crate) fn read<'a, 'py>(
        &self,
        py: Python<'py>,
        wire: &Wire,
        asked: Asked<'_>,
        mut replies: impl Iterator<Item = Result<Reply<'a>, Malformed>>,
    ) -> Read<'py> {
        let reader = Reader { py, wire, asked };
        let none = || Ok(py.None().into_bound(py));
        match self {
            Want::Value(default) => {
                let value = reader.value(reader.next(&mut replies)?)?;
                Ok(value.unwrap_or_else(|| match default {
                    Some(default) => default.bind(py).clone(),
                    None => py.None().into_bound(py),
                }))
            }
            Want::Values(keys) => reader.values(keys, replies),
            Want::Written => match reader.next(&mut replies)? {
                Reply::Status(_) => truth(py, true),
                Reply::Nil => truth(py, false),
                other => Err(reader.refused(other)),
            },
            Want::Set => {
                for reply in replies {
                    let reply = reader.got(reply)?;
                    if matches!(reply, Reply::Error(_)) {
                        return Err(reader.refused(reply));
                    }
                }
                if wire.habits.dialect == Dialect::Django { none() } else { truth(py, true) }
            }
            Want::Truth => {
                let last = replies.try_fold(0, |_, reply| reader.integer(reader.got(reply)?))?;
                truth(py, last > 0)
            }
            Want::Unset => {
                let was = reader.integer(reader.next(&mut replies)?)? > 0;
                match wire.habits.dialect {
                    Dialect::Django => none(),
                    Dialect::DjangoRedis => truth(py, was),
                    Dialect::Vcache => truth(py, true),
                }
            }
            Want::Absent => truth(py, reader.integer(reader.next(&mut replies)?)? == 0),
            Want::Sum(key) => match reader.next(&mut replies)? {
                Reply::Integer(sum) => sum.into_bound_py_any(py),
                Reply::Bulk(digits) => Ok(reader.sum(digits)?),
                Reply::Nil => {
                    let stop = if wire.habits.dialect == Dialect::Django { "." } else { "" };
                    let message = format!("Key '{}' not found{stop}", key.bind(py).str()?.to_string_lossy());
                    Err(PyValueError::new_err(message))
                }
                other => Err(reader.refused(other)),
            },
            Want::AllSet => {
                replies.try_for_each(|reply| reader.all_done(reader.got(reply)?))?;
                if wire.habits.dialect == Dialect::DjangoRedis {
                    none()
                } else {
                    PyList::empty(py).into_bound_py_any(py)
                }
            }
            Want::Deleted | Want::Counted => {
                let count: i64 = replies.try_fold(0, |count, reply| {
                    Ok::<_, PyErr>(count + reader.integer(reader.got(reply)?)?)
                })?;
                DELETED.set(count);
                let wanted = matches!(self, Want::Counted) || wire.habits.dialect == Dialect::DjangoRedis;
                if wanted { count.into_bound_py_any(py) } else { none() }
            }
            Want::Cleared => {
                replies.try_for_each(|reply| reader.all_done(reader.got(reply)?))?;
                if wire.habits.dialect == Dialect::Django { truth(py, true) } else { none() }
            }
            Want::Raw => {
                let replies: Vec<_> =
                    replies.map(|reply| reader.raw(reader.got(reply)?)).collect::<PyResult<_>>()?;
                match <[_; 1]>::try_from(replies) {
                    Ok([reply]) => Ok(reply),
                    Err(replies) => PyList::new(py, replies)?.into_bound_py_any(py),
                }
            }
        }
    }

    /// Who sends commands of their own decides for themselves: a lock that was not had is no miss.
    pub(crate) fn may_be_ignored(&self) -> bool {
        !matches!(self, Want::Raw)
    }

    /// What a caller gets who does not want to hear of errors.
    pub(crate) fn neutral<'py>(&self, py: Python<'py>) -> Read<'py> {
        match self {
            Want::Value(Some(default)) => Ok(default.bind(py).clone()),
            Want::Values(_) => Ok(PyDict::new(py).into_any()),
            _ => Ok(py.None().into_bound(py)),
        }
    }
}

fn truth(py: Python<'_>, value: bool) -> Read<'_> {
    Ok(PyBool::new(py, value).to_owned().into_any())
}

struct Reader<'a, 'py> {
    py: Python<'py>,
    wire: &'a Wire,
    asked: Asked<'a>,
}

impl<'py> Reader<'_, 'py> {
    fn next<'a>(
        &self,
        replies: &mut impl Iterator<Item = Result<Reply<'a>, Malformed>>,
    ) -> PyResult<Reply<'a>> {
        self.got(replies.next().unwrap_or(Err(Malformed("there is no reply"))))
    }

    #[inline]
    fn got<'a>(&self, reply: Result<Reply<'a>, Malformed>) -> PyResult<Reply<'a>> {
        reply.map_err(|malformed| self.problem(malformed.into()))
    }

    #[cold]
    fn problem(&self, problem: Problem) -> PyErr {
        let Asked { verb, effect, place } = self.asked;
        errors::exception(self.py, &problem.into_error("redis", verb, effect, place), self.wire.habits.client)
    }

    #[cold]
    fn refused(&self, reply: Reply<'_>) -> PyErr {
        self.problem(match reply {
            Reply::Error(text) => Problem::from(text),
            other => Problem::unexpected(&other),
        })
    }

    fn sum(&self, digits: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let sum = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i64>().ok());
        match sum {
            Some(sum) => sum.into_bound_py_any(self.py),
            None => Err(self.refused(Reply::Bulk(digits))),
        }
    }

    fn integer(&self, reply: Reply<'_>) -> PyResult<i64> {
        match reply {
            Reply::Integer(number) => Ok(number),
            other => Err(self.refused(other)),
        }
    }

    #[inline]
    fn value(&self, reply: Reply<'_>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match reply {
            Reply::Bulk(bytes) => match self.wire.codec.load(self.py, bytes) {
                Ok(value) => {
                    self.wire.counts.hits.fetch_add(1, Relaxed);
                    Ok(Some(value))
                }
                Err(error) => self.undecodable(error),
            },
            Reply::Nil => {
                self.wire.counts.misses.fetch_add(1, Relaxed);
                Ok(None)
            }
            other => Err(self.refused(other)),
        }
    }

    #[cold]
    fn undecodable(&self, error: PyErr) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !error.is_instance_of::<pyo3::exceptions::PyException>(self.py) {
            return Err(error);
        }
        self.wire.counts.undecodable.fetch_add(1, Relaxed);
        if self.wire.habits.undecodable_is_miss { Ok(None) } else { Err(error) }
    }

    /// One array of values, or in a cluster a reply for each.
    fn values<'a>(
        &self,
        keys: &[Py<PyAny>],
        mut replies: impl Iterator<Item = Result<Reply<'a>, Malformed>>,
    ) -> Read<'py> {
        let found = sized_dict(self.py, keys.len())?;
        let mut keys = keys.iter();
        let mut put = |reply: Reply<'_>| {
            let Some(key) = keys.next() else {
                return Err(self.problem(Problem::Malformed("more values than keys".to_owned())));
            };
            if let Some(value) = self.value(reply)? {
                found.set_item(key, value)?;
            }
            Ok(())
        };
        match self.next(&mut replies)? {
            Reply::Array(values) => values.into_iter().try_for_each(&mut put)?,
            first => {
                put(first)?;
                replies.try_for_each(|reply| put(self.got(reply)?))?;
            }
        }
        if keys.len() > 0 {
            return Err(self.problem(Problem::Malformed("fewer values than keys".to_owned())));
        }
        Ok(found.into_any())
    }

    fn all_done(&self, reply: Reply<'_>) -> PyResult<()> {
        match reply {
            Reply::Status(_) | Reply::Integer(_) => Ok(()),
            Reply::Array(replies) => replies.into_iter().try_for_each(|reply| self.all_done(reply)),
            other => Err(self.refused(other)),
        }
    }

    fn raw(&self, reply: Reply<'_>) -> Read<'py> {
        let py = self.py;
        match reply {
            Reply::Nil => Ok(py.None().into_bound(py)),
            Reply::Status(text) => Ok(PyString::new(py, &String::from_utf8_lossy(text)).into_any()),
            Reply::Integer(number) => number.into_bound_py_any(py),
            Reply::Bulk(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
            Reply::Double(number) => number.into_bound_py_any(py),
            Reply::Boolean(value) => truth(py, value),
            Reply::Array(replies) => {
                let replies: Vec<_> =
                    replies.into_iter().map(|reply| self.raw(reply)).collect::<PyResult<_>>()?;
                PyList::new(py, replies)?.into_bound_py_any(py)
            }
            Reply::Map(pairs) => {
                let dict = PyDict::new(py);
                for (name, value) in pairs {
                    dict.set_item(self.raw(name)?, self.raw(value)?)?;
                }
                Ok(dict.into_any())
            }
            error @ Reply::Error(_) => Err(self.refused(error)),
        }
    }
}
