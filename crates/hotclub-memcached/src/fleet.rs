//! A call shared out among nodes: all are asked before one is heard. The door for threads, and what it shares with
//! the one for tasks (`tasks.rs`).
use crate::config::Config;
use crate::distribution::Placement;
use crate::error::Error;
use crate::key::Key;
use crate::overdue::{Due, Overdue};
use crate::reply::{Reply, parse};
use crate::request::Batch;
use crate::verb::{Verb, refused};
use hotclub_net::fork::{self, PerProcess};
use hotclub_net::node::Sent;
use hotclub_net::{Effect, Node, Problem, Received};
use std::cell::Cell;

/// The nodes as this process sees them.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) config: Config,
    placement: Placement,
    overdue: Vec<Overdue>,
    nodes: PerProcess<Vec<Node<Config>>>,
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

/// The requests of a call that go to one node.
pub(crate) struct Share {
    pub(crate) node: usize,
    requests: Vec<usize>,
    /// How many of them are done.
    done: usize,
    /// What is under way, and how many requests that are.
    pub(crate) batch: Batch,
    under_way: usize,
}

/// A call on its way: what is left of it, and the answer so far.
pub(crate) struct Call<'a, V: Verb> {
    fleet: &'a Fleet,
    verb: &'a V,
    pub(crate) shares: Vec<Share>,
    answer: Option<V::Answer>,
    error: Option<Error>,
}

impl<V: Verb> Drop for Call<'_, V> {
    /// A task was cancelled: what it was to end may live on.
    fn drop(&mut self) {
        if !self.verb.ends_old_value() {
            return;
        }
        for Share { node, requests, done, .. } in &self.shares {
            if *done < requests.len() {
                let keys = requests[*done..].iter().map(|&request| self.verb.key(request));
                self.fleet.overdue[*node].note(keys, self.fleet.config.most_overdue);
            }
        }
    }
}

impl Fleet {
    pub(crate) fn new(config: Config) -> Result<Self, Error> {
        config.check()?;
        fork::watch();
        Ok(Fleet {
            placement: Placement::new(config.distribution, &config.servers),
            overdue: config.servers.iter().map(|_| Overdue::default()).collect(),
            nodes: PerProcess::new(),
            config,
        })
    }

    fn nodes(&self) -> &[Node<Config>] {
        self.nodes.get_or(|| self.config.servers.iter().map(|server| Node::new(server.clone(), ())).collect())
    }

    pub(crate) fn connections(&self) -> usize {
        self.nodes().iter().map(Node::connections).sum()
    }

    /// The node of a key, for messages.
    pub(crate) fn place_of(&self, key: &Key<'_>) -> String {
        self.config.servers[self.placement.node_of(key)].to_string()
    }

    /// Does a call.
    pub(crate) fn ask<V: Verb>(&self, verb: &V) -> Result<V::Answer, Error> {
        match verb.len() {
            0 => Ok(verb.start()),
            1 => {
                let mut scratch = SCRATCH.take().unwrap_or_default();
                let answer = self.ask_one(verb, &mut scratch);
                SCRATCH.set(Some(scratch));
                answer
            }
            _ => self.ask_many(verb),
        }
    }

    #[inline]
    fn ask_one<V: Verb>(&self, verb: &V, scratch: &mut Scratch) -> Result<V::Answer, Error> {
        let Scratch { batch, received } = scratch;
        let node = self.placement.node_of(verb.key(0));
        batch.start(verb.name(), verb.effect());
        verb.write(0, batch);
        let mut answer = verb.start();
        match self.exchange(node, batch, received) {
            Ok(()) => {
                let reply = parse(received.bytes(), &mut 0).map_err(Problem::from);
                let read = reply.and_then(|reply| verb.read(0, reply, &mut answer));
                read.map_err(|problem| self.error(verb, node, problem))?;
            }
            Err(problem) => self.without(verb, node, &[0], problem, &mut answer)?,
        }
        Ok(answer)
    }

    fn ask_many<V: Verb>(&self, verb: &V) -> Result<V::Answer, Error> {
        let mut call = Call::new(self, verb);
        let mut received = Received::default();
        while call.write_some() {
            let sent: Vec<_> = call.shares.iter().map(|share| self.send(share)).collect();
            for (at, sent) in sent.into_iter().enumerate() {
                received.clear();
                let heard = self.hear(&call.shares[at], sent, &mut received);
                call.take_in(at, heard.map(|()| received.bytes()));
            }
        }
        call.end()
    }

    fn send(&self, share: &Share) -> Result<Sent<'_>, Problem> {
        self.settle(share.node)?;
        self.nodes()[share.node].send(&self.config, share.batch.effect(), share.batch.bytes())
    }

    fn hear(
        &self,
        share: &Share,
        sent: Result<Sent<'_>, Problem>,
        received: &mut Received,
    ) -> Result<(), Problem> {
        let (node, batch) = (&self.nodes()[share.node], &share.batch);
        match sent.and_then(|sent| node.receive(&self.config, sent, batch.len(), received)) {
            Err(problem) if problem.is_disconnect() => {
                received.clear();
                let (effect, bytes) = (batch.effect(), batch.bytes());
                node.exchange_again(&self.config, effect, bytes, batch.len(), received, problem)
            }
            done => done,
        }
    }

    /// Removes everything from all nodes. Where that fails, it is done before the node is used again.
    pub(crate) fn flush_all(&self) -> Result<(), Error> {
        let batch = flush_all();
        let mut received = Received::default();
        let mut first_error = Ok(());
        for (number, node) in self.nodes().iter().enumerate() {
            received.clear();
            let due = self.overdue[number].flush();
            let done = node.exchange(&self.config, batch.effect(), batch.bytes(), 1, &mut received);
            first_error = first_error.and(self.flushed(number, &due, done.map(|()| received.bytes())));
        }
        first_error
    }

    /// A flush of a node begins.
    #[cfg(feature = "tokio")]
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
                self.overdue[number].note_flush();
                let place = self.config.servers[number].to_string();
                Err(Error::Server { problem, verb: "flush_all", effect: Effect::Idempotent, place })
            }
        }
    }

    #[inline]
    fn exchange(&self, node: usize, batch: &Batch, received: &mut Received) -> Result<(), Problem> {
        received.clear();
        self.settle(node)?;
        self.nodes()[node].exchange(&self.config, batch.effect(), batch.bytes(), batch.len(), received)
    }

    /// Deletes on a node what could not be deleted there before.
    #[inline]
    fn settle(&self, node: usize) -> Result<(), Problem> {
        if self.is_overdue(node) { self.settle_now(node) } else { Ok(()) }
    }

    #[cold]
    fn settle_now(&self, number: usize) -> Result<(), Problem> {
        let (due, batch) = self.due(number);
        let mut received = Received::default();
        let node = &self.nodes()[number];
        node.exchange(&self.config, batch.effect(), batch.bytes(), batch.len(), &mut received)?;
        self.settled(number, &due, &batch, received.bytes())
    }

    /// Whether something is to be done on a node before it is used.
    #[inline]
    pub(crate) fn is_overdue(&self, node: usize) -> bool {
        self.overdue[node].is_any()
    }

    /// What that is.
    pub(crate) fn due(&self, node: usize) -> (Due, Batch) {
        let due = self.overdue[node].due();
        let Due::Delete(keys) = &due else { return (due, flush_all()) };
        let mut batch = Batch::default();
        batch.start("delete", Effect::Idempotent);
        keys.iter().for_each(|((wire, base64), _)| batch.delete_wire(wire, *base64));
        (due, batch)
    }

    /// The node answered to that.
    pub(crate) fn settled(
        &self,
        node: usize,
        due: &Due,
        batch: &Batch,
        replies: &[u8],
    ) -> Result<(), Problem> {
        all_done(replies, batch.len())?;
        self.overdue[node].done(due);
        Ok(())
    }

    /// A node did not answer these requests.
    #[cold]
    fn without<V: Verb>(
        &self,
        verb: &V,
        node: usize,
        requests: &[usize],
        problem: Problem,
        answer: &mut V::Answer,
    ) -> Result<(), Error> {
        if verb.ends_old_value() {
            let keys = requests.iter().map(|&request| verb.key(request));
            self.overdue[node].note(keys, self.config.most_overdue);
        }
        // All are asked: each says in the answer that it was not done.
        let told = requests.iter().filter(|&&request| verb.absent(request, answer)).count();
        if problem.is_server_down() && told == requests.len() {
            return Ok(());
        }
        Err(self.error(verb, node, problem))
    }

    #[cold]
    fn error<V: Verb>(&self, verb: &V, node: usize, problem: Problem) -> Error {
        let place = self.config.servers[node].to_string();
        Error::Server { problem, verb: verb.name(), effect: verb.effect(), place }
    }
}

impl<'a, V: Verb> Call<'a, V> {
    pub(crate) fn new(fleet: &'a Fleet, verb: &'a V) -> Self {
        let mut by_node: Vec<Vec<usize>> = fleet.config.servers.iter().map(|_| Vec::new()).collect();
        for request in 0..verb.len() {
            by_node[fleet.placement.node_of(verb.key(request))].push(request);
        }
        let share =
            |(node, requests)| Share { node, requests, done: 0, batch: Batch::default(), under_way: 0 };
        let shares = by_node.into_iter().enumerate().filter(|(_, requests)| !requests.is_empty());
        Call { fleet, verb, shares: shares.map(share).collect(), answer: Some(verb.start()), error: None }
    }

    /// Writes what goes out next; whether there is something.
    pub(crate) fn write_some(&mut self) -> bool {
        self.shares.retain(|share| share.done < share.requests.len());
        for Share { batch, requests, done, under_way, .. } in &mut self.shares {
            batch.start(self.verb.name(), self.verb.effect());
            *under_way = self.verb.write_part(&requests[*done..], batch);
        }
        !self.shares.is_empty()
    }

    /// What came back for one of the shares.
    pub(crate) fn take_in(&mut self, at: usize, heard: Result<&[u8], Problem>) {
        let Share { node, requests, done, under_way, .. } = &mut self.shares[at];
        let Some(answer) = &mut self.answer else { return };
        let left = &requests[*done..];
        let read = match heard {
            Ok(bytes) => {
                *done += *under_way;
                let read = self.verb.read_part(&left[..*under_way], bytes, answer);
                read.map_err(|problem| self.fleet.error(self.verb, *node, problem))
            }
            Err(problem) => {
                // The rest of its requests would only wait for the same.
                *done = requests.len();
                self.fleet.without(self.verb, *node, left, problem, answer)
            }
        };
        if let Err(error) = read {
            self.error.get_or_insert(error);
        }
    }

    pub(crate) fn end(mut self) -> Result<V::Answer, Error> {
        match (self.error.take(), self.answer.take()) {
            (None, Some(answer)) => Ok(answer),
            (Some(error), _) => Err(error),
            (None, None) => unreachable!("the answer is taken here only"),
        }
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
