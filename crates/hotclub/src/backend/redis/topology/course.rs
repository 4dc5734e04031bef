//! The way of one batch through a cluster. Pure: it neither sends nor waits.
//!
//! A door asks what is [next](Course::proceed), takes the [legs](Course::legs), carries each to its server, all of
//! them at the same time, and says what came of it. Commands stay in order on each node; a transaction stays
//! together; whatever is redirected is sent again, as often as is reasonable and no more.
use super::super::batch::{Batch, Effect, Target, starts_of};
use super::super::config::ReadFrom;
use super::super::error::{Failure, Problem};
use super::super::resp::{Reply, Skim, parse};
use super::super::server::Server;
use super::redirect::Redirect;
use super::slots::SlotMap;
use std::time::Duration;

/// How often a command may be sent again.
const MOST_HOPS: u8 = 5;
/// The first pause for a cluster that is not ready; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";
const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// The way of one batch.
#[derive(Debug)]
pub struct Course<'a> {
    batch: &'a Batch,
    /// Where commands without a slot go; without it, to any primary.
    home: Option<&'a Server>,
    steps: Vec<Step>,
    /// Where the reply to each command begins.
    starts: Vec<usize>,
    moved: Vec<(u16, Server)>,
    /// Servers that could not be reached: whoever still means them is out of luck.
    gone: Vec<(Server, Problem)>,
    failure: Option<Failure>,
    patience: u8,
    pauses: u32,
    must_wait: bool,
    must_look: bool,
}

/// A command, or a transaction.
#[derive(Debug)]
struct Step {
    first: usize,
    count: usize,
    slot: Option<u16>,
    to: To,
    hops: u8,
    is_pending: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum To {
    /// Whoever has the slot, or its replica.
    Anyone,
    /// Whoever has the slot.
    Primary,
    /// This server; with the word that makes it serve a slot that it does not have yet.
    Exactly(Server, bool),
}

/// What goes to one server in one go.
#[derive(Debug)]
pub struct Leg {
    /// Where to.
    pub server: Server,
    /// To a connection that has said `READONLY`.
    pub replica: bool,
    /// The commands.
    pub bytes: Vec<u8>,
    /// How many replies there will be.
    pub replies: usize,
    steps: Vec<usize>,
}

/// What a door does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: every command has its reply.
    Done,
    /// Carry the legs, after this.
    Go {
        /// The map should be refreshed before, if that was not done a moment ago.
        look: bool,
        /// So long should be waited before.
        pause: Duration,
    },
}

impl<'a> Course<'a> {
    /// The way of this batch, which lies all before it.
    ///
    /// `patient`: it waits a moment for a cluster that is not ready. Not while it is known to be down: that would
    /// cost every call the same time in vain.
    pub fn new(batch: &'a Batch, patient: bool) -> Self {
        Course {
            batch,
            home: None,
            steps: steps_of(batch),
            starts: vec![0; batch.len()],
            moved: Vec::new(),
            gone: Vec::new(),
            failure: None,
            patience: if patient { MOST_HOPS } else { 0 },
            pauses: 0,
            must_wait: false,
            must_look: false,
        }
    }

    /// The same, but commands without a slot go to this server: one node is looked through, say.
    #[must_use]
    pub fn based_on(mut self, home: &'a Server) -> Self {
        self.home = Some(home);
        self
    }

    /// What the batch does.
    pub fn effect(&self) -> Effect {
        self.batch.effect()
    }

    /// A single leg with everything, for a door that has sent the batch as it is to where its one slot lives.
    pub fn whole(&self, server: Server, replica: bool) -> Leg {
        let steps = (0..self.steps.len()).collect();
        Leg { server, replica, bytes: Vec::new(), replies: self.batch.len(), steps }
    }

    /// What is to be done now.
    ///
    /// # Errors
    /// A command cannot be served; the rest may have been.
    pub fn proceed(&mut self) -> Result<Next, Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if !self.steps.iter().any(|step| step.is_pending) {
            return Ok(Next::Done);
        }
        self.keep_order();
        self.forget_detours();
        let look = std::mem::take(&mut self.must_look);
        let pause = if std::mem::take(&mut self.must_wait) {
            self.pauses += 1;
            FIRST_PAUSE * (1 << (self.pauses - 1).min(5))
        } else {
            Duration::ZERO
        };
        Ok(Next::Go { look, pause })
    }

    /// Of two writes to one key the later one counts: it must not be overtaken by a first one that is sent again.
    fn keep_order(&mut self) {
        if self.batch.effect() == Effect::Idempotent {
            let mut slots = Vec::new();
            for step in &mut self.steps {
                if step.is_pending {
                    slots.push(step.slot);
                } else if !slots.is_empty() && slots.contains(&step.slot) {
                    step.is_pending = true;
                }
            }
        }
    }

    /// Where a slot is on its way to is true for a moment only. A command that comes there late, when the slot has
    /// moved on and is on its way back, would be done where its key is not: whoever pauses, or looks at the map,
    /// asks anew.
    fn forget_detours(&mut self) {
        if self.must_wait || self.must_look || !self.moved.is_empty() {
            for step in self.steps.iter_mut().filter(|step| matches!(step.to, To::Exactly(_, true))) {
                step.to = To::Primary;
            }
        }
    }

    /// Slots that were found with another server than the map says: for [`SlotMap::moved`].
    pub fn moved(&mut self) -> impl Iterator<Item = (u16, Server)> {
        self.moved.drain(..)
    }

    /// What is to be sent now: at most one leg for each server and way of reading, always in the same order of
    /// servers, so that two who need several connections of full pools cannot wait for each other.
    ///
    /// # Errors
    /// A slot that still belongs to a server that could not be reached.
    pub fn legs(&mut self, map: &SlotMap, read_from: ReadFrom, random: f64) -> Result<Vec<Leg>, Failure> {
        let mut legs: Vec<Leg> = Vec::new();
        for index in 0..self.steps.len() {
            if !self.steps[index].is_pending {
                continue;
            }
            let Some((server, replica)) = self.destination(index, map, read_from, random) else {
                self.nobody_has(index);
                continue;
            };
            if let Some((_, problem)) = self.gone.iter().find(|(gone, _)| gone == server) {
                return Err(Failure::at(problem.clone(), &place(server, self.steps[index].slot)));
            }
            let known = legs.iter().position(|leg| leg.replica == replica && leg.server == *server);
            let leg = known.unwrap_or_else(|| {
                let (bytes, steps) = (Vec::new(), Vec::new());
                legs.push(Leg { server: server.clone(), replica, bytes, replies: 0, steps });
                legs.len() - 1
            });
            self.put(index, &mut legs[leg]);
        }
        legs.sort_by(|one, other| (&one.server, one.replica).cmp(&(&other.server, other.replica)));
        Ok(legs)
    }

    fn destination<'b>(
        &'b self,
        index: usize,
        map: &'b SlotMap,
        read_from: ReadFrom,
        random: f64,
    ) -> Option<(&'b Server, bool)> {
        let step = &self.steps[index];
        let read_from = match &step.to {
            To::Exactly(server, _) => return Some((server, false)),
            To::Primary => ReadFrom::Primary,
            To::Anyone => read_from,
        };
        match step.slot {
            Some(slot) => map.node(slot, self.batch.effect(), read_from, random),
            None => self.home.or(map.any()).map(|server| (server, false)),
        }
    }

    fn put(&self, index: usize, leg: &mut Leg) {
        let step = &self.steps[index];
        if let To::Exactly(_, true) = step.to {
            leg.bytes.extend_from_slice(ASKING);
            leg.replies += 1;
        }
        let spans = &self.batch.spans()[step.first..step.first + step.count];
        if let (Some(first), Some(last)) = (spans.first(), spans.last()) {
            leg.bytes.extend_from_slice(&self.batch.bytes()[first.start..last.end]);
        }
        leg.replies += step.count;
        leg.steps.push(index);
    }

    fn nobody_has(&mut self, index: usize) {
        let text = match self.steps[index].slot {
            Some(slot) => format!("no node has the slot {slot}"),
            None => "no node is known".to_owned(),
        };
        (self.must_look, self.must_wait) = (true, true);
        // One refresh is always worth it: nothing may have been known at all.
        if self.hop(index, MOST_HOPS.min(self.patience.max(1))).is_none() {
            self.fail(Failure { problem: Problem::Nobody(text), place: "cluster".to_owned() });
        }
    }

    /// Counts one more trial; `None` if there have been enough.
    fn hop(&mut self, index: usize, most: u8) -> Option<()> {
        let step = &mut self.steps[index];
        step.hops += 1;
        (step.hops <= most).then_some(())
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// The replies of a leg have come: they are in this buffer, from there on.
    ///
    /// # Errors
    /// Bytes that are no RESP.
    pub fn arrived(&mut self, leg: &Leg, buffer: &[u8], from: usize) -> Result<(), Problem> {
        let starts = starts_of(&buffer[from..], leg.replies)?;
        let mut starts = starts.into_iter().map(|start| from + start);
        for &index in &leg.steps {
            if let To::Exactly(_, true) = self.steps[index].to {
                starts.next();
            }
            let (first, count) = (self.steps[index].first, self.steps[index].count);
            let mut asked_for = None;
            for command in first..first + count {
                let start = starts.next().unwrap_or(from);
                self.starts[command] = start;
                if asked_for.is_none() && is_error(buffer[start]) {
                    asked_for = redirect(buffer, start, &leg.server)?;
                }
            }
            match asked_for {
                None => self.steps[index].is_pending = false,
                Some((redirect, text)) => self.follow(index, leg, redirect, text),
            }
        }
        Ok(())
    }

    fn follow(&mut self, index: usize, leg: &Leg, redirect: Redirect, text: String) {
        let mut most = MOST_HOPS;
        let to = match redirect {
            Redirect::Moved(slot, server) => {
                self.moved.push((slot, server.clone()));
                To::Exactly(server, false)
            }
            Redirect::Ask(_, server) => To::Exactly(server, true),
            // A replica cannot, or not yet: its primary can.
            _ if leg.replica => To::Primary,
            Redirect::TryAgain => {
                self.must_wait = true;
                self.steps[index].to.clone()
            }
            Redirect::ClusterDown | Redirect::Loading | Redirect::ReadOnly | Redirect::MasterDown => {
                (self.must_look, self.must_wait) = (true, true);
                most = self.patience;
                To::Primary
            }
        };
        if self.hop(index, most).is_none() {
            self.fail(Failure::at(Problem::Refused(text), &place(&leg.server, self.steps[index].slot)));
        }
        self.steps[index].to = to;
    }

    /// A leg brought nothing, for this reason.
    pub fn failed(&mut self, leg: &Leg, problem: Problem) {
        let once = self.batch.effect() == Effect::Once;
        let another = match &problem {
            Problem::Connect(_) | Problem::ConnectLimit(_) | Problem::Resting(..) => true,
            Problem::Lost(_) => !once,
            // It is there and not ready: a failure of the handshake, before anything was sent.
            Problem::Handshake(_) => problem.is_server_down(),
            // The time is over, or it would be the same with every node.
            _ => false,
        };
        if !another {
            let slot = leg.steps.first().and_then(|&index| self.steps[index].slot);
            return self.fail(Failure::at(problem, &place(&leg.server, slot)));
        }
        self.must_look = true;
        for &index in &leg.steps {
            self.steps[index].to = To::Primary;
            if self.hop(index, MOST_HOPS).is_none() {
                let place = place(&leg.server, self.steps[index].slot);
                self.fail(Failure::at(problem.clone(), &place));
            }
        }
        if !leg.replica {
            self.gone.push((leg.server.clone(), problem));
        }
    }

    /// The time is over and not everything has been answered.
    pub fn late(&self, limit: Duration) -> Failure {
        let slot = self.steps.iter().find(|step| step.is_pending).and_then(|step| step.slot);
        let place = slot.map_or("cluster".to_owned(), |slot| format!("cluster, slot {slot}"));
        Failure { problem: Problem::ReplyLimit(limit), place }
    }

    /// Where the reply to each command begins.
    pub fn finish(self) -> Vec<usize> {
        self.starts
    }
}

fn place(server: &Server, slot: Option<u16>) -> String {
    slot.map_or_else(|| server.to_string(), |slot| format!("{server}, slot {slot}"))
}

/// What may be an error: itself, or behind something that RESP3 puts before replies.
fn is_error(kind: u8) -> bool {
    matches!(kind, b'-' | b'!' | b'>' | b'|')
}

fn redirect(buffer: &[u8], start: usize, asked: &Server) -> Result<Option<(Redirect, String)>, Problem> {
    let mut position = start;
    let Reply::Error(text) = parse(buffer, &mut position)? else { return Ok(None) };
    let redirect = Redirect::parse(text, asked);
    Ok(redirect.map(|redirect| (redirect, String::from_utf8_lossy(text).into_owned())))
}

/// Whether it is a single command, or a single transaction: done as a whole, or refused as a whole.
pub fn is_one_step(batch: &Batch) -> bool {
    steps_of(batch).len() == 1
}

/// The first of so many replies that says "not here" or "not now", in its own words. For a door that has sent a
/// batch to one server; allocates nothing if there is none.
pub fn first_redirect(buffer: &[u8], replies: usize, asked: &Server) -> Option<(Redirect, String)> {
    let mut skim = Skim::default();
    (1..=replies).find_map(|wanted| {
        let start = skim.position();
        let is_there = skim.advance(buffer, wanted).unwrap_or(false);
        if is_there && is_error(buffer[start]) { redirect(buffer, start, asked).ok()? } else { None }
    })
}

/// Commands, those from `MULTI` to `EXEC` taken together.
fn steps_of(batch: &Batch) -> Vec<Step> {
    let spans = batch.spans();
    let is = |index: usize, word: &[u8]| {
        let span = &spans[index];
        batch.bytes()[span.start..span.end] == *word
    };
    let mut steps = Vec::with_capacity(spans.len());
    let mut first = 0;
    while first < spans.len() {
        let end = if is(first, MULTI) {
            (first..spans.len()).find(|&index| is(index, EXEC)).map_or(spans.len(), |exec| exec + 1)
        } else {
            first + 1
        };
        let slot = spans[first..end].iter().find_map(|span| match span.target {
            Target::Slot(slot) => Some(slot),
            Target::Anywhere | Target::Everywhere => None,
        });
        steps.push(Step { first, count: end - first, slot, to: To::Anyone, hops: 0, is_pending: true });
        first = end;
    }
    steps
}

#[cfg(test)]
mod tests;
