//! A call shared out among nodes: all are asked before one is heard.
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
use std::cell::RefCell;

/// The nodes as this process sees them.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) config: Config,
    placement: Placement,
    overdue: Vec<Overdue>,
    nodes: PerProcess<Vec<Node<Config>>>,
}

/// A server that has so many bytes of answers to send reads no more questions: longer batches of them would wait for
/// each other.
const MOST_BYTES_OF_READS: usize = 32 << 10;
/// The same for answers of a few bytes.
const MOST_WRITES: usize = 4096;

#[derive(Default)]
struct Scratch {
    batch: Batch,
    received: Received,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The requests of a call that go to one node.
struct Share<'a> {
    node: usize,
    requests: Vec<usize>,
    /// How many of them are done.
    done: usize,
    /// What is under way.
    batch: Batch,
    under_way: usize,
    sent: Option<Result<Sent<'a>, Problem>>,
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
            1 => SCRATCH.with_borrow_mut(|scratch| self.ask_one(verb, scratch)),
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
        let mut shares: Vec<Share<'_>> = self.shares(verb);
        let mut answer = verb.start();
        let mut first_error = None;
        let mut received = Received::default();
        while !shares.is_empty() {
            for share in &mut shares {
                self.send_some(verb, share);
            }
            for share in &mut shares {
                received.clear();
                let done = self.hear(share, &mut received);
                let asked = &share.requests[share.done..share.done + share.under_way];
                let read = match done {
                    Ok(()) => self.read_all(verb, share.node, asked, received.bytes(), &mut answer),
                    Err(problem) => {
                        // The rest of its requests would only wait for the same.
                        let left = &share.requests[share.done..];
                        let told = self.without(verb, share.node, left, problem, &mut answer);
                        share.done = share.requests.len();
                        share.under_way = 0;
                        told
                    }
                };
                if let Err(error) = read {
                    first_error.get_or_insert(error);
                }
                share.done += share.under_way;
            }
            shares.retain(|share| share.done < share.requests.len());
        }
        first_error.map_or(Ok(answer), Err)
    }

    fn shares<V: Verb>(&self, verb: &V) -> Vec<Share<'_>> {
        let mut by_node: Vec<Vec<usize>> = self.config.servers.iter().map(|_| Vec::new()).collect();
        for request in 0..verb.len() {
            by_node[self.placement.node_of(verb.key(request))].push(request);
        }
        let share = |(node, requests)| Share {
            node,
            requests,
            done: 0,
            batch: Batch::default(),
            under_way: 0,
            sent: None,
        };
        by_node.into_iter().enumerate().filter(|(_, requests)| !requests.is_empty()).map(share).collect()
    }

    fn send_some<'a, V: Verb>(&'a self, verb: &V, share: &mut Share<'a>) {
        let Share { batch, requests, done, .. } = share;
        batch.start(verb.name(), verb.effect());
        for &request in &requests[*done..] {
            let is_full = match verb.effect() {
                Effect::Read => batch.bytes().len() > MOST_BYTES_OF_READS,
                _ => batch.len() >= MOST_WRITES,
            };
            if is_full {
                break;
            }
            verb.write(request, batch);
        }
        share.under_way = batch.len();
        let node = &self.nodes()[share.node];
        let settled = self.settle(share.node);
        share.sent = Some(settled.and_then(|()| node.send(&self.config, verb.effect(), share.batch.bytes())));
    }

    fn hear(&self, share: &mut Share<'_>, received: &mut Received) -> Result<(), Problem> {
        let (node, batch) = (&self.nodes()[share.node], &share.batch);
        let Some(sent) = share.sent.take() else { return Ok(()) };
        let heard = sent.and_then(|sent| node.receive(&self.config, sent, batch.len(), received));
        match heard {
            Err(problem) if problem.is_disconnect() => {
                received.clear();
                let (effect, bytes) = (batch.effect(), batch.bytes());
                node.exchange_again(&self.config, effect, bytes, batch.len(), received, problem)
            }
            done => done,
        }
    }

    fn read_all<V: Verb>(
        &self,
        verb: &V,
        node: usize,
        requests: &[usize],
        bytes: &[u8],
        answer: &mut V::Answer,
    ) -> Result<(), Error> {
        let (mut position, mut done) = (0, Ok(()));
        for &request in requests {
            let reply = parse(bytes, &mut position).map_err(|error| self.error(verb, node, error.into()))?;
            if let Err(problem) = verb.read(request, reply, answer)
                && done.is_ok()
            {
                done = Err(self.error(verb, node, problem));
            }
        }
        done
    }

    /// Removes everything from all nodes. Where that fails, it is done before the node is used again.
    pub(crate) fn flush_all(&self) -> Result<(), Error> {
        let mut batch = Batch::default();
        batch.start("flush_all", Effect::Idempotent);
        batch.flush_all();
        let mut received = Received::default();
        let mut first_error = None;
        for (number, node) in self.nodes().iter().enumerate() {
            received.clear();
            let done = node
                .exchange(&self.config, batch.effect(), batch.bytes(), 1, &mut received)
                .and_then(|()| all_done(&received, 1));
            match done {
                Ok(()) => self.overdue[number].done(&Due::Flush),
                Err(problem) => {
                    self.overdue[number].note_flush();
                    let place = node.server.to_string();
                    let (verb, effect) = (batch.verb(), batch.effect());
                    first_error.get_or_insert(Error::Server { problem, verb, effect, place });
                }
            }
        }
        first_error.map_or(Ok(()), Err)
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
        if self.overdue[node].is_any() { self.settle_now(node) } else { Ok(()) }
    }

    #[cold]
    fn settle_now(&self, node: usize) -> Result<(), Problem> {
        let overdue = &self.overdue[node];
        let due = overdue.due();
        let mut batch = Batch::default();
        batch.start("delete", Effect::Idempotent);
        match &due {
            Due::Flush => batch.flush_all(),
            Due::Delete(keys) => keys.iter().for_each(|(wire, base64)| batch.delete_wire(wire, *base64)),
        }
        let mut received = Received::default();
        let node = &self.nodes()[node];
        node.exchange(&self.config, batch.effect(), batch.bytes(), batch.len(), &mut received)?;
        all_done(&received, batch.len())?;
        overdue.done(&due);
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

/// Whether so many replies say that it was done, or that there was nothing to do.
fn all_done(received: &Received, replies: usize) -> Result<(), Problem> {
    let mut position = 0;
    (0..replies).try_for_each(|_| match parse(received.bytes(), &mut position)? {
        Reply::Done(_) | Reply::Missing => Ok(()),
        other => Err(refused(&other)),
    })
}
