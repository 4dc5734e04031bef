//! The execution table for Python, and what the verbs write into it.
use crate::names::name;
use hotclub::trace::{Step, Trace as Table, human};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};
use std::time::{Duration, Instant};

/// An execution table: what a block of code asked its caches, step by step.
#[pyclass(frozen, module = "hotclub._hotclub")]
#[derive(Default)]
pub(crate) struct Trace(Table);

#[pymethods]
impl Trace {
    #[new]
    fn new() -> Self {
        Trace::default()
    }

    /// Makes verbs look for the current table; `leave` ends it.
    #[staticmethod]
    fn enter() {
        Table::enter();
    }

    #[staticmethod]
    fn leave() {
        Table::leave();
    }

    #[pyo3(signature = (action, output = "", seconds = 0.0))]
    fn step(&self, action: &str, output: &str, seconds: f64) {
        let mut step = Step::new(action, output);
        step.time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.0.push(step);
    }

    /// A cache call that has ended.
    fn call(&self, backend: &str, action: &str, column: &str, text: &str, seconds: f64) {
        let mut step = Step::new(action, "");
        step.backend = backend.to_owned();
        step.time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        match column {
            "get_result" => step.get_result = text.to_owned(),
            "set_action" => step.set_action = text.to_owned(),
            _ => step.output = text.to_owned(),
        }
        self.0.push(step);
    }

    #[getter]
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = PyList::empty(py);
        for (index, step) in self.0.steps().into_iter().enumerate() {
            let row = PyDict::new(py);
            row.set_item("step", index + 1)?;
            row.set_item("action", step.action)?;
            row.set_item("backend", step.backend)?;
            row.set_item("get_result", step.get_result)?;
            row.set_item("set_action", step.set_action)?;
            row.set_item("output", step.output)?;
            row.set_item("time", step.time.as_secs_f64())?;
            row.set_item("tier", step.tier)?;
            rows.append(row)?;
        }
        Ok(rows)
    }

    fn __len__(&self) -> usize {
        self.0.steps().len()
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }
}

/// Finds what is needed later; see `warm` in `lib.rs`.
pub(crate) fn warm(py: Python<'_>) -> PyResult<()> {
    variable(py).map(drop)
}

fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    CURRENT.import(py, "hotclub.tracing", "current")
}

/// The table of this context (thread or task), if one is being recorded.
fn current(py: Python<'_>) -> Option<Bound<'_, Trace>> {
    let variable = variable(py).ok()?;
    variable.call_method0(name!(py, get)).ok()?.cast_into::<Trace>().ok()
}

/// What a verb tells about itself.
pub(crate) enum Told {
    Get(String),
    Set(String),
    Output(String),
}

/// Runs a verb as a step of the current table. `tell` is called only if one is being recorded.
#[cold]
pub(crate) fn traced<'py, T>(
    cache: &Bound<'py, PyAny>,
    action: impl FnOnce() -> String,
    verb: impl FnOnce() -> PyResult<T>,
    tell: impl FnOnce(&T) -> Told,
) -> PyResult<T> {
    let Some(table) = current(cache.py()) else { return verb() };
    let began = Instant::now();
    let done = verb();
    let mut step = Step::new(action(), "");
    step.time = began.elapsed();
    step.backend = cache.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    match &done {
        Ok(value) => match tell(value) {
            Told::Get(text) => step.get_result = text,
            Told::Set(text) => step.set_action = text,
            Told::Output(text) => step.output = text,
        },
        Err(error) => step.output = error.to_string(),
    }
    table.get().0.push(step);
    done
}

/// `verb('key')`.
pub(crate) fn action(verb: &str, key: &Bound<'_, PyAny>) -> String {
    format!("{verb}({})", repr(key))
}

/// An object's repr, cut before it is long.
pub(crate) fn repr(object: &Bound<'_, PyAny>) -> String {
    let Ok(text) = object.repr() else { return object.get_type().to_string() };
    text.to_string_lossy().chars().take(200).collect()
}

/// What a write with this life did.
pub(crate) fn stored(life: hotclub::Life) -> String {
    match life {
        hotclub::Life::Never => "stored, no timeout".to_owned(),
        hotclub::Life::Gone => "not kept: the timeout is zero or negative".to_owned(),
        hotclub::Life::For(time) => format!("stored, timeout {}", human(time)),
    }
}

/// A row for a call whose answer is on its way: it is written when the answer is there. `kind` says which column it goes
/// to; see `hotclub.tracing`.
#[cold]
pub(crate) fn later<'py>(
    cache: &Bound<'py, PyAny>,
    action: &str,
    kind: &str,
    future: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    awaited(cache.py(), "awaited")?.call1((cache.get_type().name()?, action, kind, future))
}

/// The same for a call whose caller gets None.
#[cold]
pub(crate) fn later_quietly<'py>(
    cache: &Bound<'py, PyAny>,
    action: &str,
    kind: &str,
    future: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    awaited(cache.py(), "awaited_quietly")?.call1((cache.get_type().name()?, action, kind, future))
}

/// The same for `get`: a miss, which is this object, is None in the table, whatever its default.
#[cold]
pub(crate) fn later_get<'py>(
    cache: &Bound<'py, PyAny>,
    action: &str,
    future: Bound<'py, PyAny>,
    missing: Bound<'py, PyAny>,
    default: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let got = (cache.get_type().name()?, action, future, missing, default);
    awaited(cache.py(), "awaited_get")?.call1(got)
}

fn awaited<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("hotclub.tracing")?.getattr(name)
}
