//! The connections of one runtime: a few, the one used last first. Whoever asks owns its connection meanwhile, so a
//! future that is dropped in the middle takes its connection along, and nobody gets one half done.
use super::config::ServerConfig;
use super::error::Trouble;
use super::link::Link;
use crate::error::{Error, ErrorKind};
use hotclub_net::Effect;
use hotclub_net::locks::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A connection that nobody used for so long may have been forgotten by what lies between here and the server.
const IDLE: Duration = Duration::from_secs(300);
/// What cannot be sent twice is sent only where the server answered within this.
const FRESH: Duration = Duration::from_secs(1);

/// The connections of one runtime.
#[derive(Debug)]
pub(super) struct Pool {
    // Short: one is put in or taken out.
    idle: Mutex<Vec<Idle>>,
    permits: Arc<Semaphore>,
    open: Arc<AtomicUsize>,
}

struct Idle {
    link: Counted,
    since: Instant,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").field("since", &self.since).finish_non_exhaustive()
    }
}

/// A connection that is counted while it is there.
struct Counted {
    link: Link,
    open: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection in use. Dropped, it is closed; [`Pool::put`] keeps it.
pub(super) struct Taken {
    link: Counted,
    /// It was used before: the server may have left it meanwhile.
    pub(super) was_idle: bool,
    _permit: OwnedSemaphorePermit,
}

impl Taken {
    pub(super) fn link(&mut self) -> &mut Link {
        &mut self.link.link
    }
}

impl Pool {
    pub(super) fn new(size: usize) -> Self {
        let permits = Arc::new(Semaphore::new(size));
        Pool { idle: Mutex::default(), permits, open: Arc::default() }
    }

    /// A connection for a verb of this effect; a new one, if those that are there are not to be trusted.
    pub(super) async fn take(
        &self,
        config: &ServerConfig,
        effect: Effect,
        trust: bool,
    ) -> Result<Taken, Trouble> {
        let limit = config.pool_limit;
        let permit = match timeout(limit, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(all_in_use(limit, config.pool_size)),
        };
        if !trust {
            self.empty();
        }
        while let Some(Idle { mut link, since }) = self.pop() {
            let idle = since.elapsed();
            if idle > IDLE {
                continue;
            }
            if effect == Effect::Once && idle > FRESH {
                let answer = timeout(config.reply_limit, link.link.ping()).await;
                if !matches!(answer, Ok(Ok(()))) {
                    continue;
                }
            }
            return Ok(Taken { link, was_idle: true, _permit: permit });
        }
        let link = Link::connect(config).await?;
        self.open.fetch_add(1, Ordering::Relaxed);
        let link = Counted { link, open: self.open.clone() };
        Ok(Taken { link, was_idle: false, _permit: permit })
    }

    /// Not in the condition of a loop, where the lock would be held on.
    fn pop(&self) -> Option<Idle> {
        self.idle.lock().pop()
    }

    fn empty(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(super) fn put(&self, taken: Taken) {
        let old = {
            let mut idle = self.idle.lock();
            idle.push(Idle { link: taken.link, since: Instant::now() });
            // The one used first is the first; those above may be in use all the time.
            if idle[0].since.elapsed() > IDLE { Some(idle.remove(0)) } else { None }
        };
        drop(old);
    }

    /// How many connections there are.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

#[cold]
fn all_in_use(limit: Duration, size: usize) -> Trouble {
    let text = format!("all {size} connections were in use for {} s", limit.as_secs_f64());
    Trouble::Verb(Error::new(ErrorKind::Timeout, text))
}
