//! Changes of a server's state as lines under the logger `hotclub.<room>`: one each, whoever noticed it.
use hotclub_net::{Change, Listener, Server};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The doors hear of an outage at about the same time.
const SAME_NEWS: Duration = Duration::from_secs(3);

/// Writes the lines of a room.
pub(crate) fn listener(room: &'static str) -> Listener {
    let told = Mutex::new(BTreeMap::new());
    Arc::new(move |change: &Change<'_>| {
        if is_news(&told, change) {
            Python::attach(|py| log(py, room, change));
        }
    })
}

/// Finds what is needed later; see `warm` in `lib.rs`.
pub(crate) fn warm(py: Python<'_>) -> PyResult<()> {
    get_logger(py).map(drop)
}

/// Each door finds out for itself what became of a server; one line is enough.
fn is_news(told: &Mutex<BTreeMap<Server, (bool, Instant)>>, change: &Change<'_>) -> bool {
    let (server, is_down) = match change {
        Change::Down(server, _) => (*server, true),
        Change::Up(server) => (*server, false),
        Change::Primary(_) => return true,
    };
    // Threads come here without the GIL, so a fork may copy the lock while it is held: better a line twice.
    let Ok(mut told) = told.try_lock() else { return true };
    let before = told.insert(server.clone(), (is_down, Instant::now()));
    match before {
        Some((was_down, since)) => was_down != is_down || (is_down && since.elapsed() > SAME_NEWS),
        None => is_down,
    }
}

/// A logger that fails must not fail a cache.
fn log(py: Python<'_>, room: &str, change: &Change<'_>) {
    let method = match change {
        Change::Down(..) => "error",
        Change::Up(..) | Change::Primary(..) => "warning",
    };
    let logged = get_logger(py)
        .and_then(|get_logger| get_logger.call1((format!("hotclub.{room}"),)))
        .and_then(|logger| logger.call_method1(method, (format!("{room}: %s"), change.to_string())));
    if let Err(error) = logged {
        error.write_unraisable(py, None);
    }
}

fn get_logger(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static GET_LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    GET_LOGGER.import(py, "logging", "getLogger")
}
