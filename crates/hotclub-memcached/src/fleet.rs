//! The nodes as this process sees them, and the door for threads: all are asked before one is heard.
use crate::absence::Absences;
use crate::call::Call;
use crate::config::{AbsentNodes, Config};
use crate::distribution::Placement;
use crate::error::Error;
use crate::key::Key;
use crate::overdue::{Due, Overdue};
use crate::peer::{Peer, Words, is_too_old_for};
use crate::reply::{Reply, parse};
use crate::request::Batch;
use crate::text::older;
use crate::verb::{Verb, refused};
use hotclub_net::fork::{self, PerProcess};
use hotclub_net::node::Sent;
use hotclub_net::{Effect, Node, Problem, Received, Server};
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
    nodes: PerProcess<Vec<Ways<Node<Peer>>>>,
}

/// The ways to one node: one for each kind of words.
#[derive(Debug)]
pub(crate) struct Ways<N> {
    newer: N,
    older: N,
}

impl<N> Ways<N> {
    pub(crate) fn new(make: impl Fn(Words) -> N) -> Self {
        Ways { newer: make(Words::Newer), older: make(Words::Older) }
    }

    #[inline]
    pub(crate) fn of(&self, words: Words) -> &N {
        match words {
            Words::Newer => &self.newer,
            Words::Older => &self.older,
        }
    }

    pub(crate) fn both(&self) -> [&N; 2] {
        [&self.newer, &self.older]
    }
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
    words: Words,
    batch: Batch,
}

/// Why a request was not sent.
enum Unsent {
    /// What the node owes could not be done: it is not asked at all.
    Unsettled(Problem),
    /// The connection, or the way to it.
    Broken(Problem),
}

impl Owed {
    /// In which words it is said.
    pub fn words(&self) -> Words {
        self.words
    }

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

    #[inline]
    fn node(&self, number: usize, words: Words) -> &Node<Peer> {
        self.nodes()[number].of(words)
    }

    fn nodes(&self) -> &[Ways<Node<Peer>>] {
        self.nodes.get_or(|| {
            let ways = |server: &Server| {
                let breaker = Arc::default();
                Ways::new(|words| Node::beside(server.clone(), words, Arc::clone(&breaker)))
            };
            self.config.servers.iter().map(ways).collect()
        })
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
        self.nodes().iter().flat_map(Ways::both).map(Node::connections).sum()
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
                if self.is_overdue(node) || self.peer(node).words() == Words::Older {
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
        let way = self.node(node, Words::Newer);
        let done = way.exchange(self.peer(node), effect, bytes, 1, received);
        self.answer_one(verb, node, done.map(|()| received.bytes()), || way.distrust())
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
            Err(problem) if is_too_old_for(&problem) => return None,
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
            let send = |at| self.send(call.node_of(at), call.words(at), call.batch(at));
            let sent: Vec<_> = (0..shares).map(send).collect();
            for (at, sent) in sent.into_iter().enumerate() {
                received.clear();
                let (node, words) = (call.node_of(at), call.words(at));
                let heard = match sent {
                    Ok(sent) => self.hear(node, words, call.batch(at), sent, received, until),
                    Err(Unsent::Unsettled(problem)) => Err(problem),
                    Err(Unsent::Broken(problem)) => {
                        self.hear_again(node, words, call.batch(at), received, problem)
                    }
                };
                if !call.take_in(at, heard.map(|()| received.bytes())) {
                    self.node(node, words).distrust();
                }
            }
        }
    }

    fn send(&self, node: usize, words: Words, batch: &Batch) -> Result<Sent<'_>, Unsent> {
        self.settle(node).map_err(Unsent::Unsettled)?;
        let sent = self.node(node, words).send(self.peer(node), batch.effect(), batch.bytes());
        sent.map_err(Unsent::Broken)
    }

    fn hear(
        &self,
        number: usize,
        words: Words,
        batch: &Batch,
        sent: Sent<'_>,
        received: &mut Received,
        until: Instant,
    ) -> Result<(), Problem> {
        let (node, peer) = (self.node(number, words), self.peer(number));
        match node.receive_until(peer, sent, batch.len(), received, until) {
            Ok(()) => {
                self.answered(number);
                Ok(())
            }
            Err(problem) => self.hear_again(number, words, batch, received, problem),
        }
    }

    /// A connection that broke is replaced once, if what was sent may be sent again.
    #[cold]
    fn hear_again(
        &self,
        number: usize,
        words: Words,
        batch: &Batch,
        received: &mut Received,
        problem: Problem,
    ) -> Result<(), Problem> {
        if !problem.is_disconnect() {
            return Err(problem);
        }
        received.clear();
        let (node, peer) = (self.node(number, words), self.peer(number));
        let (effect, bytes) = (batch.effect(), batch.bytes());
        node.exchange_again(peer, effect, bytes, batch.len(), received, problem)?;
        self.answered(number);
        Ok(())
    }

    /// Removes everything from all nodes. Where that fails, it is done before the node is used again.
    pub(crate) fn flush_all(&self) -> Result<(), Error> {
        let batch = flush_all();
        let mut received = Received::default();
        let mut first_error = Ok(());
        for number in 0..self.size() {
            let due = self.begin_flush(number);
            received.clear();
            let (node, peer) = (self.node(number, Words::Older), self.peer(number));
            let done = node.exchange(peer, batch.effect(), batch.bytes(), 1, &mut received);
            first_error = first_error.and(self.flushed(number, &due, done.map(|()| received.bytes())));
        }
        first_error
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
                // A server that refuses to be flushed (-F) would refuse it for ever.
                if !matches!(problem, Problem::Refused(_)) {
                    self.note_flush(number);
                }
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
        let Some(owed) = self.owed(number) else { return Ok(()) };
        let mut received = Received::default();
        let (node, batch) = (self.node(number, owed.words), &owed.batch);
        node.exchange(self.peer(number), batch.effect(), batch.bytes(), batch.len(), &mut received)?;
        let settled = self.settled(number, &owed, received.bytes());
        if matches!(settled, Err(Problem::Malformed(_))) {
            node.distrust();
        }
        settled
    }

    /// Whether something is to be done on a node before it is used.
    #[inline]
    pub(crate) fn is_overdue(&self, node: usize) -> bool {
        self.overdue[node].is_any()
    }

    /// What that is, in words that every server understands; keys that are no text need newer ones.
    pub(crate) fn owed(&self, node: usize) -> Option<Owed> {
        let due = self.overdue[node].due();
        let Due::Delete(keys) = &due else {
            return Some(Owed { due, words: Words::Older, batch: flush_all() });
        };
        if keys.is_empty() {
            return None;
        }
        let mut batch = Batch::default();
        batch.start("delete", Effect::Idempotent);
        keys.iter().for_each(|((wire, base64), _)| batch.delete_wire(wire, *base64));
        let said = older(&batch).map(|older| (Words::Older, older));
        let (words, batch) = said.unwrap_or((Words::Newer, batch));
        Some(Owed { due, words, batch })
    }

    /// The node answered to that.
    pub(crate) fn settled(&self, node: usize, owed: &Owed, replies: &[u8]) -> Result<(), Problem> {
        let done = all_done(replies, owed.batch.len());
        let is_flush = matches!(owed.due, Due::Flush(_));
        match &done {
            Ok(()) => self.overdue[node].done(&owed.due),
            // It is said once. A server that refuses it (-F) will never do it, and must not be lost for that.
            Err(Problem::Refused(_)) if is_flush => self.overdue[node].done(&owed.due),
            Err(_) => {}
        }
        done
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
        if let (Some(absences), true) = (&self.absences, was_asked)
            && absences.failed(node)
        {
            // What is changed meanwhile is changed elsewhere: nothing here is to be read again.
            self.note_flush(node);
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
