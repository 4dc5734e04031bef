//! What threads have done for event loops: each loop is woken once for all that is there, and settles its futures
//! itself.
use crate::door::{is_over, new_future, running_loop, settle};
use crate::names::name;
use hotclub::fork;
use hotclub_net::locks::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Makes an object of what a thread has done.
pub(crate) type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// One loop's, rung by threads.
struct Bell {
    /// An eventfd: readable when something is done.
    signal: File,
    // Short: taken out and put in. No Python code runs under it.
    done: Mutex<Vec<(Py<PyAny>, Finish)>>,
}

struct Hung {
    loop_: Py<PyWeakrefReference>,
    generation: u32,
    bell: Arc<Bell>,
}

// Short, and held with the GIL, so that no fork copies it while it is.
static BELLS: Mutex<Vec<Hung>> = Mutex::new(Vec::new());

/// Has `work` done elsewhere by `run`, and hands out a future of the running loop for what `work` says comes of it.
pub(crate) fn later<'py>(
    py: Python<'py>,
    work: impl FnOnce() -> Finish + Send + 'static,
    run: impl FnOnce(Box<dyn FnOnce() + Send>),
) -> PyResult<Bound<'py, PyAny>> {
    let running = running_loop(py)?;
    let bell = of(&running)?;
    let future = new_future(&running)?;
    let waiting = future.clone().unbind();
    run(Box::new(move || {
        // Who waits hears of it.
        let panicked =
            |_| -> Finish { Box::new(|_| Err(PyRuntimeError::new_err("the thread that did it panicked"))) };
        let finish = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked);
        bell.ring(waiting, finish);
    }));
    Ok(future)
}

fn of(running: &Bound<'_, PyAny>) -> PyResult<Arc<Bell>> {
    let (py, generation) = (running.py(), fork::generation());
    let is_of = |hung: &Hung| hung.loop_.bind(py).upgrade().is_some_and(|loop_| loop_.is(running));
    let found = BELLS
        .lock()
        .iter()
        .find(|hung| hung.generation == generation && is_of(hung))
        .map(|hung| hung.bell.clone());
    match found {
        Some(bell) => Ok(bell),
        None => hang(running),
    }
}

/// Makes the bell of a loop, and drops those of loops that are over.
#[cold]
fn hang(running: &Bound<'_, PyAny>) -> PyResult<Arc<Bell>> {
    let py = running.py();
    let signal = eventfd()?;
    let bell = Arc::new(Bell { signal, done: Mutex::default() });
    let own = bell.clone();
    let answer = move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
        own.answer(arguments.py());
        Ok(())
    };
    let answer = PyCFunction::new_closure(py, None, None, answer)?;
    running.call_method1(name!(py, add_reader), (bell.signal.as_raw_fd(), answer))?;
    let loop_ = PyWeakrefReference::new(running)?.unbind();
    sweep(py);
    BELLS.lock().push(Hung { loop_, generation: fork::generation(), bell: bell.clone() });
    Ok(bell)
}

fn eventfd() -> PyResult<File> {
    // SAFETY: makes a new descriptor, which nobody else knows.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: as above.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// Asking a loop runs Python code, so no bell leaves the list before it is known to be of no use. Those of a parent
/// process are left as they are.
#[cold]
fn sweep(py: Python<'_>) {
    let foreign: Vec<Hung> =
        BELLS.lock().extract_if(.., |hung| hung.generation != fork::generation()).collect();
    std::mem::forget(foreign);
    let mut loops: Vec<_> = BELLS.lock().iter().map(|hung| hung.loop_.clone_ref(py)).collect();
    loops.retain(|loop_| is_over(loop_.bind(py)));
    let gone: Vec<Hung> =
        BELLS.lock().extract_if(.., |hung| loops.iter().any(|over| over.is(&hung.loop_))).collect();
    drop(gone);
}

impl Bell {
    /// From any thread; without the GIL.
    fn ring(&self, future: Py<PyAny>, finish: Finish) {
        let was_silent = {
            let mut done = self.done.lock();
            done.push((future, finish));
            done.len() == 1
        };
        if was_silent {
            // It cannot be full: it is rung once for each time that it was answered.
            drop((&self.signal).write(&1_u64.to_ne_bytes()));
        }
    }

    /// In the loop's thread: settles what is done.
    fn answer(&self, py: Python<'_>) {
        let mut count = [0; 8];
        drop((&self.signal).read(&mut count));
        let done = std::mem::take(&mut *self.done.lock());
        for (future, finish) in done {
            let finish = || finish(py).map(|object| object.into_bound(py));
            settle(future.bind(py), finish);
        }
    }
}
