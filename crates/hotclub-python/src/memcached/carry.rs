//! A verb on its way through one of the doors: stated once, in `verbs.rs`.
use super::call::Call;
use super::collect::Collect;
use super::fleet::Fleet;
use super::speech::{Asking, start};
use hotclub_memcached::Problem;
use hotclub_memcached::reply::Tokens;
use hotclub_memcached::verb::{Count, Delete, Read, Touch, Verb, Write};
use pyo3::prelude::*;

/// Through which door.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Blocking,
    Loop,
}

/// A verb that a thread asks as it is, and that can be given what it refers to, for a call that outlives its caller.
pub(super) trait Portable: Verb<Answer: Send> + Sync {
    type Owned: Verb<Answer = Self::Answer> + Send + 'static;

    fn into_owned(self) -> Self::Owned;
}

macro_rules! portable {
    ($($verb:ident),*) => {
        $(impl Portable for $verb<'_> {
            type Owned = $verb<'static>;

            fn into_owned(self) -> Self::Owned {
                $verb::into_owned(self)
            }
        })*
    };
}
portable!(Collect, Write, Delete, Touch, Count);

/// Makes something of a value that was found.
type Found<T> = fn(&[u8], Tokens<'_>) -> Result<T, Problem>;

impl<T: Send + 'static> Portable for Read<'_, Found<T>> {
    type Owned = Read<'static, Found<T>>;

    fn into_owned(self) -> Self::Owned {
        Read::into_owned(self)
    }
}

/// Asks, and makes an object of the answer: now, or when it is there.
#[inline]
pub(super) fn carry<'py, V: Portable>(
    call: &Call<'_, 'py>,
    door: Door,
    verb: V,
    finish: impl for<'a> FnOnce(Python<'a>, &Fleet, V::Answer) -> PyResult<Bound<'a, PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, fleet) = (call.py(), call.fleet);
    match door {
        Door::Blocking => finish(py, fleet, call.ask(&verb)?),
        Door::Loop => {
            let verb = verb.into_owned();
            start(py, fleet, || Box::new(Asking::new(&fleet.client, verb, finish)))
        }
    }
}
