//! The blocking door: a verb is given to a runtime of the process' own, and waited for on a channel.
//!
//! The thread that waits may be one of somebody's runtime: it only sleeps, and nothing is driven on it. In the child
//! of a fork there is a new runtime; that of the parent is left alone.
use super::store::Store;
use super::verbs::Verb;
use crate::error::{Error, ErrorKind, Result};
use crate::fork::PerProcess;
use hotclub_net::Effect;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

/// One for all caches of the process: it waits for sockets, and a thread is enough for that.
static RUNTIME: PerProcess<std::result::Result<Own, String>> = PerProcess::new();

/// A runtime that may be dropped within another one, when two threads made one at the same time.
struct Own(Option<Runtime>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Beyond all limits of a verb.
const SLACK: Duration = Duration::from_secs(5);
/// So many statements every verb may have: the table is looked at, room is made, a verb is tried again.
const STATEMENTS: u32 = 8;

fn handle() -> std::result::Result<&'static Handle, String> {
    let start = || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("hotclub-database").enable_io().enable_time();
        builder.build().map(|runtime| Own(Some(runtime))).map_err(|error| error.to_string())
    };
    let own = RUNTIME.get_or(start).as_ref().map_err(Clone::clone)?;
    own.0.as_ref().map(Runtime::handle).ok_or_else(|| "it has ended".to_owned())
}

/// Asks and waits.
pub(super) fn ask<V: Verb>(store: &Arc<Store>, verb: V) -> Result<V::Answer> {
    let (scheme, name) = (store.config.vendor.scheme(), verb.name());
    let gone = |text: &str| Error::new(ErrorKind::Unavailable, text).at(scheme, name);
    let handle = handle().map_err(|cause| gone(&format!("no runtime: {cause}")))?;
    let config = &store.config;
    let statements = STATEMENTS.saturating_add(u32::try_from(verb.statements()).unwrap_or(u32::MAX));
    let answers = config.reply_limit.saturating_mul(statements);
    let before = config.pool_limit.saturating_add(config.connect_limit.saturating_mul(2));
    let limit = before.saturating_add(SLACK).saturating_add(answers);
    let late = if verb.effect() == Effect::Once { ErrorKind::Ambiguous } else { ErrorKind::Timeout };
    let (done, answer) = sync_channel(1);
    let store = store.clone();
    let task = handle.spawn(async move { drop(done.send(store.ask(&verb).await)) });
    match answer.recv_timeout(limit) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Disconnected) => Err(gone("the task that did it panicked")),
        Err(RecvTimeoutError::Timeout) => {
            task.abort();
            let text = format!("no answer within {} s", limit.as_secs_f64());
            Err(Error::new(late, text).at(scheme, name))
        }
    }
}
