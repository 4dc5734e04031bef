//! The nodes as this process sees them, and the door for threads: all are asked before one is heard.
use crate::absence::Absences;
use crate::call::Call;
use crate::config::{AbsentNodes, Config};
use crate::distribution::Placement;
use crate::error::Error;
use crate::key::Key;
use crate::overdue::{Due, Overdue};
use crate::peer::Peer;
use crate::reply::{Reply, parse};
use crate::request::Batch;
use crate::text::older;
use crate::verb::{Verb, refused};
use hotclub_net::fork::{self, PerProcess};
use hotclub_net::node::Sent;
use hotclub_net::{Effect, Node, Problem, Received};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) config: Arc<Config>,
    placement: Placement,
    peers: Vec<Peer>,
    overdue: Vec<Arc<Overdue>>,
    absences: Option<Absences>,
    nodes: PerProcess<Vec<Node<Peer>>>,
}

#[derive(Default)]
struct Scratch {
    batch: Batch,
    received: Received,
}

thread_local! {
    // Taken out while in use: whoever hears of changes of state may use a cache.
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// What a node is to do before anything else: deletions that could not be done there when they were asked for.
#[derive(Debug)]
pub struct Owed {
    due: Due,
    batch: Batch,
}

impl Owed {
    /// What is sent.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }
}

impl Fleet {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        config.check()?;
        fork::watch();
        let nodes = config.servers.len();
        let config = Arc::new(config);
        Ok(Fleet {
            placement: Placement::new(config.distribution, &config.servers),
            peers: (0..nodes).map(|_| Peer::new(config.clone())).collect(),
            overdue: config.servers.iter().map(Overdue::of).collect(),
            absences: config.leave.map(|leave| Absences::new(leave, nodes)),
            nodes: PerProcess::new(),
            config,
        })
    }

    fn nodes(&self) -> &[Node<Peer>] {
        self.nodes.get_or(|| self.config.servers.iter().map(|server| Node::new(server.clone(), ())).collect())
    }

    /// How many nodes there are.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.peers.len()
    }

    #[inline]
    pub(crate) fn peer(&self, node: usize) -> &Peer {
        &self.peers[node]
    }

    pub(crate) fn connections(&self) -> usize {
        self.nodes().iter().map(Node::connections).sum()
    }

    /// The node that has a key.
    #[inline]
    pub(crate) fn node_of(&self, key: &Key<'_>) -> usize {
        match &self.absences {
            Some(absences) if absences.is_any() => {
                self.placement.node_among(key, |node| !absences.is_out(node))
            }
            _ => self.placement.node_of(key),
        }
    }

    /// The node of a key, for messages.
    pub(crate) fn place_of(&self, key: &Key<'_>) -> String {
        self.config.servers[self.node_of(key)].to_string()
    }

    /// Does a call.
    pub(crate) fn ask<V: Verb>(self: &Arc<Self>, verb: &V) -> Result<V::Answer, Error> {
        match verb.len() {
            0 => Ok(verb.start()),
            1 => {
                let node = self.node_of(verb.key(0));
                if self.is_overdue(node) || self.peer(node).is_older() {
                    return self.ask_many(verb);
                }
                let mut scratch = SCRATCH.take().unwrap_or_default();
                let answer = self.ask_one(verb, node, &mut scratch);
                SCRATCH.set(Some(scratch));
                answer.unwrap_or_else(|| self.ask_many(verb))
            }
            _ => self.ask_many(verb),
        }
    }

    /// The common case: one request, which its node understands. Nothing: the node was found not to.
    #[inline]
    fn ask_one<V: Verb>(
        &self,
        verb: &V,
        node: usize,
        scratch: &mut Scratch,
    ) -> Option<Result<V::Answer, Error>> {
        let Scratch { batch, received } = scratch;
        batch.start(verb.name(), verb.effect());
        verb.write(0, batch);
        received.clear();
        let (effect, bytes) = (batch.effect(), batch.bytes());
        let done = self.nodes()[node].exchange(self.peer(node), effect, bytes, 1, received);
        self.answer_one(verb, node, done.map(|()| received.bytes()), || self.nodes()[node].distrust())
    }

    /// What came back for the only request of a call.
    #[inline]
    pub(crate) fn answer_one<V: Verb>(
        &self,
        verb: &V,
        node: usize,
        heard: Result<&[u8], Problem>,
        distrust: impl FnOnce(),
    ) -> Option<Result<V::Answer, Error>> {
        let mut answer = verb.start();
        Some(match heard {
            Ok(bytes) => {
                self.answered(node);
                let reply = parse(bytes, &mut 0).map_err(Problem::from);
                match reply.and_then(|reply| verb.read(0, reply, &mut answer)) {
                    Ok(()) => Ok(answer),
                    Err(problem) => Err(self.not_read(verb, node, problem, distrust)),
                }
            }
            Err(Problem::Handshake(_)) if self.peer(node).is_older() => return None,
            Err(problem) => self.without(verb, node, &[0], problem, &mut answer).map(|()| answer),
        })
    }

    /// A reply that says no, or nothing that makes sense: then whether it was done is unknown.
    #[cold]
    fn not_read<V: Verb>(&self, verb: &V, node: usize, problem: Problem, distrust: impl FnOnce()) -> Error {
        if matches!(problem, Problem::Malformed(_)) {
            distrust();
            if verb.ends_old_value() {
                self.note(node, std::iter::once(verb.key(0)));
            }
        }
        self.error(verb, node, problem)
    }

    fn ask_many<V: Verb>(self: &Arc<Self>, verb: &V) -> Result<V::Answer, Error> {
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let mut call = Call::of(self, verb);
        self.go_round(&mut call, &mut scratch);
        SCRATCH.set(Some(scratch));
        call.end()
    }

    fn go_round<V: Verb>(&self, call: &mut Call<V>, Scratch { batch, received }: &mut Scratch) {
        call.lend(std::mem::take(batch));
        loop {
            let shares = call.next_round();
            if shares == 0 {
                *batch = call.take_spare();
                return;
            }
            let until = Instant::now() + self.config.reply_limit;
            let send = |at| self.send(call.node_of(at), call.batch(at));
            let sent: Vec<_> = (0..shares).map(send).collect();
            for (at, sent) in sent.into_iter().enumerate() {
                received.clear();
                let node = call.node_of(at);
                let heard = self.hear(node, call.batch(at), sent, received, until);
                if !call.take_in(at, heard.map(|()| received.bytes())) {
                    self.nodes()[node].distrust();
                }
            }
        }
    }

    fn send(&self, node: usize, batch: &Batch) -> Result<Sent<'_>, Problem> {
        self.settle(node)?;
        self.nodes()[node].send(self.peer(node), batch.effect(), batch.bytes())
    }

    fn hear(
        &self,
        number: usize,
        batch: &Batch,
        sent: Result<Sent<'_>, Problem>,
        received: &mut Received,
        until: Instant,
    ) -> Result<(), Problem> {
        let (node, peer) = (&self.nodes()[number], self.peer(number));
        let heard = sent.and_then(|sent| node.receive_until(peer, sent, batch.len(), received, until));
        let heard = match heard {
            Err(problem) if problem.is_disconnect() => {
                received.clear();
                let (effect, bytes) = (batch.effect(), batch.bytes());
                node.exchange_again(peer, effect, bytes, batch.len(), received, problem)
            }
            done => done,
        };
        if heard.is_ok() {
            self.answered(number);
        }
        heard
    }

    /// Removes everything from all nodes. Where that fails, it is done before the node is used again.
    pub(crate) fn flush_all(&self) -> Result<(), Error> {
        let batch = flush_all();
        let mut received = Received::default();
        let mut first_error = Ok(());
        for (number, node) in self.nodes().iter().enumerate() {
            let due = self.begin_flush(number);
            let done = self.flush(node, self.peer(number), &batch, &mut received);
            first_error = first_error.and(self.flushed(number, &due, done.map(|()| received.bytes())));
        }
        first_error
    }

    fn flush(
        &self,
        node: &Node<Peer>,
        peer: &Peer,
        batch: &Batch,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let was_older = peer.is_older();
        let mut ask = || {
            received.clear();
            node.exchange(peer, batch.effect(), batch.bytes(), 1, received)
        };
        match ask() {
            // The first words to an older server find out that it is one.
            Err(Problem::Handshake(_)) if !was_older && peer.is_older() => ask(),
            done => done,
        }
    }

    /// A flush of a node begins.
    pub(crate) fn begin_flush(&self, number: usize) -> Due {
        self.overdue[number].flush()
    }

    /// A node was flushed, or was not.
    pub(crate) fn flushed(
        &self,
        number: usize,
        due: &Due,
        done: Result<&[u8], Problem>,
    ) -> Result<(), Error> {
        match done.and_then(|replies| all_done(replies, 1)) {
            Ok(()) => {
                self.overdue[number].done(due);
                Ok(())
            }
            Err(problem) => {
                self.note_flush(number);
                let place = self.config.servers[number].to_string();
                Err(Error::Server { problem, verb: "flush_all", effect: Effect::Idempotent, place })
            }
        }
    }

    /// Deletes on a node what could not be deleted there before.
    #[inline]
    fn settle(&self, node: usize) -> Result<(), Problem> {
        if self.is_overdue(node) { self.settle_now(node) } else { Ok(()) }
    }

    #[cold]
    fn settle_now(&self, number: usize) -> Result<(), Problem> {
        let owed = self.owed(number)?;
        let mut received = Received::default();
        let (node, batch) = (&self.nodes()[number], &owed.batch);
        let peer = self.peer(number);
        node.exchange(peer, batch.effect(), batch.bytes(), batch.len(), &mut received)?;
        self.settled(number, &owed, received.bytes())
    }

    /// Whether something is to be done on a node before it is used.
    #[inline]
    pub(crate) fn is_overdue(&self, node: usize) -> bool {
        self.overdue[node].is_any()
    }

    /// What that is.
    pub(crate) fn owed(&self, node: usize) -> Result<Owed, Problem> {
        let due = self.overdue[node].due();
        let Due::Delete(keys) = &due else { return Ok(Owed { due, batch: flush_all() }) };
        let mut batch = Batch::default();
        batch.start("delete", Effect::Idempotent);
        keys.iter().for_each(|((wire, base64), _)| batch.delete_wire(wire, *base64));
        let batch = if self.peer(node).is_older() { older(&batch)? } else { batch };
        Ok(Owed { due, batch })
    }

    /// The node answered to that.
    pub(crate) fn settled(&self, node: usize, owed: &Owed, replies: &[u8]) -> Result<(), Problem> {
        all_done(replies, owed.batch.len())?;
        self.overdue[node].done(&owed.due);
        Ok(())
    }

    /// Everything there may live on.
    pub(crate) fn note_flush(&self, node: usize) {
        self.overdue[node].note_flush();
    }

    /// These may live on, there.
    pub(crate) fn note<'k>(&self, node: usize, keys: impl Iterator<Item = &'k Key<'k>>) {
        self.overdue[node].note(keys, self.config.most_overdue);
    }

    #[inline]
    pub(crate) fn answered(&self, node: usize) {
        if let Some(absences) = &self.absences {
            absences.answered(node);
        }
    }

    /// A node did not answer these requests.
    #[cold]
    pub(crate) fn without<V: Verb>(
        &self,
        verb: &V,
        node: usize,
        requests: &[usize],
        problem: Problem,
        answer: &mut V::Answer,
    ) -> Result<(), Error> {
        if verb.ends_old_value() {
            self.note(node, requests.iter().map(|&request| verb.key(request)));
        }
        let was_asked = problem.is_server_down() && !matches!(problem, Problem::Resting(..));
        if let (Some(absences), true) = (&self.absences, was_asked) {
            absences.failed(node);
        }
        // All are asked: each says in the answer that it was not done.
        let told = requests.iter().filter(|&&request| verb.absent(request, answer)).count();
        let is_told = match self.config.absent {
            AbsentNodes::Miss => told == requests.len(),
            AbsentNodes::Raise => false,
            AbsentNodes::Silent => !was_asked,
            AbsentNodes::Ignore => true,
        };
        if problem.is_server_down() && is_told {
            return Ok(());
        }
        Err(self.error(verb, node, problem))
    }

    #[cold]
    pub(crate) fn error<V: Verb>(&self, verb: &V, node: usize, problem: Problem) -> Error {
        let place = self.config.servers[node].to_string();
        Error::Server { problem, verb: verb.name(), effect: verb.effect(), place }
    }
}

pub(crate) fn flush_all() -> Batch {
    let mut batch = Batch::default();
    batch.start("flush_all", Effect::Idempotent);
    batch.flush_all();
    batch
}

/// Whether so many replies say that it was done, or that there was nothing to do.
fn all_done(bytes: &[u8], replies: usize) -> Result<(), Problem> {
    let mut position = 0;
    (0..replies).try_for_each(|_| match parse(bytes, &mut position)? {
        Reply::Done(_) | Reply::Missing => Ok(()),
        other => Err(refused(&other)),
    })
}
