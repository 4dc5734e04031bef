//! A table in a server, for any door: takes a connection, lets a verb work, and knows what to do when it fails.
use super::config::ServerConfig;
use super::error::Trouble;
use super::pool::{Pool, Taken};
use super::room::Room;
use super::session::{Session, TRIALS};
use super::table::Table;
use super::verbs::Verb;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::fork::PerProcess;
use hotclub_net::Effect;
use hotclub_net::locks::Mutex;
use hotclub_net::tasks::Runtimes;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// A table in a server.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) config: ServerConfig,
    pub(super) table: Table,
    clock: Clock,
    place: String,
    state: PerProcess<State>,
    pub(super) counts: Counts,
}

/// What one process knows.
#[derive(Debug)]
pub(super) struct State {
    pools: Runtimes<Pool>,
    /// The table is there, and it is ours.
    is_checked: AtomicBool,
    /// More bytes than this the server does not take at once.
    pub(super) most_packet: AtomicUsize,
    // Short: a few numbers are read or written.
    pub(super) room: Mutex<Room>,
}

impl Default for State {
    fn default() -> Self {
        State {
            pools: Runtimes::default(),
            is_checked: AtomicBool::new(false),
            most_packet: AtomicUsize::new(usize::MAX),
            room: Mutex::default(),
        }
    }
}

/// Counters of this process.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) sets: AtomicU64,
    pub(super) expired: AtomicU64,
    pub(super) culled: AtomicU64,
    pub(super) deleted: AtomicU64,
}

/// Adds to one of the counters.
pub(super) fn add(counter: &AtomicU64, number: u64) {
    if number > 0 {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

impl Store {
    pub(super) fn new(config: ServerConfig, clock: Clock) -> Result<Self> {
        config.check()?;
        crate::fork::watch();
        let (table, place) = (Table::new(&config), config.place());
        Ok(Store { config, table, clock, place, state: PerProcess::new(), counts: Counts::default() })
    }

    /// One verb, on the runtime that this is called on.
    pub(super) async fn ask<V: Verb>(&self, verb: &V) -> Result<V::Answer> {
        let told = |failed: Failed| {
            failed.trouble.into_error(self.config.vendor, verb.name(), failed.effect, &self.place)
        };
        verb.check(&self.table).map_err(|error| told(Failed::unsent(error.into())))?;
        let done = self.try_often(verb).await;
        if done.as_ref().is_err_and(|failed| failed.trouble.is_too_large())
            && let Some(remove) = verb.instead()
        {
            // Told or not, the first error is the one that counts.
            drop(self.try_often(&remove).await);
        }
        done.map_err(told)
    }

    async fn try_often<V: Verb>(&self, verb: &V) -> std::result::Result<V::Answer, Failed> {
        let state = self.state.get_or(State::default);
        let mut tried = Tried::default();
        loop {
            match self.try_once(state, verb, tried.trust()).await {
                Ok(answer) => return Ok(answer),
                Err(failed) if tried.may_go_on(state, &failed) => {}
                Err(failed) => return Err(failed),
            }
        }
    }

    async fn try_once<V: Verb>(
        &self,
        state: &State,
        verb: &V,
        trust: bool,
    ) -> std::result::Result<V::Answer, Failed> {
        let pool = state.pools.current(|| Pool::new(self.config.pool_size)).map_err(|_| {
            let text = "the async door needs a tokio runtime, and there is none here";
            Failed::unsent(Error::new(ErrorKind::Unsupported, text).into())
        })?;
        let taken = pool.take(&self.config, verb.effect(), trust).await.map_err(Failed::unsent)?;
        let was_idle = taken.was_idle;
        let mut session = self.session(state, taken);
        let done = match checked(&mut session).await {
            Ok(()) => verb.run(&mut session).await,
            Err(trouble) => Err(trouble),
        };
        // Before the statement that counts, nothing was done that must not be done twice.
        let effect = match verb.effect() {
            Effect::Once if !session.is_sent => Effect::Idempotent,
            effect => effect,
        };
        if session.leaves_connection() {
            pool.put(session.taken);
        }
        done.map_err(|trouble| Failed { trouble, was_idle, effect })
    }

    fn session<'s>(&'s self, state: &'s State, taken: Taken) -> Session<'s> {
        Session {
            taken,
            config: &self.config,
            table: &self.table,
            state,
            counts: &self.counts,
            clock: &self.clock,
            holds: false,
            is_sent: false,
            is_spent: false,
        }
    }

    /// How many connections this process has, in all runtimes.
    pub(super) fn connections(&self) -> usize {
        self.state.get_or(State::default).pools.sum(Pool::open)
    }
}

/// How a trial ended.
struct Failed {
    trouble: Trouble,
    /// Its connection had been used before.
    was_idle: bool,
    /// What doing it again would mean.
    effect: Effect,
}

impl Failed {
    /// Before anything was sent.
    fn unsent(trouble: Trouble) -> Self {
        Failed { trouble, was_idle: false, effect: Effect::Idempotent }
    }
}

/// What was tried before.
#[derive(Debug, Default)]
struct Tried {
    lost: bool,
    no_table: bool,
    conflicts: usize,
}

impl Tried {
    /// Whether connections that were used before are to be used again.
    fn trust(&self) -> bool {
        !self.lost
    }

    /// Whether it is to be tried again, after this.
    fn may_go_on(&mut self, state: &State, failed: &Failed) -> bool {
        match &failed.trouble {
            Trouble::Lost(_) if failed.was_idle && failed.effect != Effect::Once => {
                !mem::replace(&mut self.lost, true)
            }
            // Whatever was done before that statement was done.
            Trouble::Conflict(_) if failed.effect != Effect::Once => {
                self.conflicts += 1;
                self.conflicts < TRIALS
            }
            Trouble::NoTable(_) => {
                state.is_checked.store(false, Ordering::Relaxed);
                !mem::replace(&mut self.no_table, true)
            }
            _ => false,
        }
    }
}

/// Sees to it that the table is there and ours, once in each process.
async fn checked(session: &mut Session<'_>) -> std::result::Result<(), Trouble> {
    if session.state.is_checked.load(Ordering::Relaxed) {
        return Ok(());
    }
    let table = session.table;
    let mut refused = None;
    let mut columns = session.ask(table.columns()).await?;
    if columns.rows.is_empty() {
        // If others make it at the same time, one of us is refused, and the table is there.
        match session.say(table.create()).await {
            Err(trouble) if !trouble.leaves_connection() => return Err(trouble),
            made => refused = made.err(),
        }
        columns = session.ask(table.columns()).await?;
    }
    if !table.check(&columns)? {
        let missing = || Trouble::NoTable("the table is not there, and cannot be made".to_owned());
        return Err(refused.unwrap_or_else(missing));
    }
    if let Some(most_packet) = table.most_packet() {
        let most = session.ask(most_packet).await?.number();
        session.state.most_packet.store(usize::try_from(most).unwrap_or(usize::MAX), Ordering::Relaxed);
    }
    session.state.is_checked.store(true, Ordering::Relaxed);
    Ok(())
}
