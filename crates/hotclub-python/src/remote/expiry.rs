//! Deadlines as an alias writes them: Django's whole seconds, or milliseconds.
use super::wire::Wire;
use crate::cache::Cache;
use crate::life::Given;
use crate::names::name;
use crate::settings::{Settings, django};
use hotclub::Life;
use hotclub::backend::redis::command::Expiry;
use pyo3::prelude::*;
use pyo3::types::PyInt;
use std::time::Duration;

/// The deadline asked for; `None` if nothing readable is to remain.
#[inline]
pub(super) fn expiry<'py>(
    cache: &Bound<'py, Cache>,
    wire: &Wire,
    settings: &Settings,
    timeout: &Given<'py>,
) -> PyResult<Option<Expiry>> {
    Deadlines { cache, wire, settings }.of(timeout)
}

/// The same as a life, for the execution table.
pub(super) fn life(expiry: Option<Expiry>) -> Life {
    let time = |unit: fn(u64) -> Duration, count: i64| Life::For(unit(u64::try_from(count).unwrap_or(0)));
    match expiry {
        None => Life::Gone,
        Some(Expiry::Never) => Life::Never,
        Some(Expiry::Seconds(seconds)) => time(Duration::from_secs, seconds),
        Some(Expiry::Millis(millis)) => time(Duration::from_millis, millis),
    }
}

struct Deadlines<'a, 'py> {
    cache: &'a Bound<'py, Cache>,
    wire: &'a Wire,
    settings: &'a Settings,
}

impl<'py> Deadlines<'_, 'py> {
    fn py(&self) -> Python<'py> {
        self.cache.py()
    }

    #[inline]
    fn of(&self, timeout: &Given<'py>) -> PyResult<Option<Expiry>> {
        if self.settings.python_timeouts {
            return self.by_python(timeout);
        }
        let timeout = match timeout {
            Given::Nothing => return self.default_expiry(),
            Given::Value(timeout) => timeout,
        };
        if timeout.is_none() {
            return Ok(Some(Expiry::Never));
        }
        if let Ok(number) = timeout.cast_exact::<PyInt>()
            && let Ok(seconds) = number.extract::<i64>()
        {
            return Ok(self.whole(seconds));
        }
        if timeout.is(django(self.py())?.default_timeout.bind(self.py())) {
            return self.default_expiry();
        }
        self.other(timeout)
    }

    /// `get_backend_timeout` is overridden: it gives the seconds that the entry has, or `None`.
    #[cold]
    fn by_python(&self, timeout: &Given<'py>) -> PyResult<Option<Expiry>> {
        let name = name!(self.py(), get_backend_timeout);
        let seconds = match timeout {
            Given::Nothing => self.cache.call_method0(name)?,
            Given::Value(timeout) => self.cache.call_method1(name, (timeout,))?,
        };
        if seconds.is_none() { Ok(Some(Expiry::Never)) } else { self.other(&seconds) }
    }

    fn default_expiry(&self) -> PyResult<Option<Expiry>> {
        match self.settings.default_life {
            Some(Life::Never) => Ok(Some(Expiry::Never)),
            Some(Life::Gone) => Ok(None),
            Some(Life::For(time)) if self.wire.habits.milliseconds => {
                Ok(self.millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
            }
            Some(Life::For(time)) => Ok(self.whole(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))),
            None => self.other(&self.cache.getattr(name!(self.py(), default_timeout))?),
        }
    }

    fn whole(&self, seconds: i64) -> Option<Expiry> {
        if self.wire.habits.milliseconds {
            return self.millis(seconds.saturating_mul(1000));
        }
        (seconds > 0).then_some(Expiry::Seconds(seconds))
    }

    fn millis(&self, millis: i64) -> Option<Expiry> {
        (millis > 0).then_some(Expiry::Millis(millis))
    }

    /// Whatever `int()` takes, as Django has it: fractions are cut, text is read, NaN raises.
    #[cold]
    fn other(&self, timeout: &Bound<'py, PyAny>) -> PyResult<Option<Expiry>> {
        let py = self.py();
        let int = py.get_type::<PyInt>();
        let scaled = match self.wire.habits.milliseconds {
            true => timeout.mul(1000)?,
            false => timeout.clone(),
        };
        let whole = int.call1((scaled,))?;
        let number =
            whole.extract::<i64>().or_else(|_| Ok::<_, PyErr>(if whole.lt(0)? { 0 } else { i64::MAX }))?;
        Ok(match self.wire.habits.milliseconds {
            true => self.millis(number),
            false => (number > 0).then_some(Expiry::Seconds(number)),
        })
    }
}
