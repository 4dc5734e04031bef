//! The door for tasks of tokio: the same calls over connections of their runtime.
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::fleet::{Fleet, Ways};
use crate::peer::{Peer, Words};
use crate::request::Batch;
use crate::verb::Verb;
use hotclub_net::fork::PerProcess;
use hotclub_net::tasks::{Node, together};
use hotclub_net::{Problem, Received, Server};
use std::sync::Arc;

/// The client for tasks. It shares the configuration with a [`Client`], and what nodes owe.
#[derive(Debug, Default)]
pub struct Tasks {
    nodes: PerProcess<Vec<Ways<Node<Peer>>>>,
}

impl Tasks {
    /// Does a call. Whoever stops waiting disturbs nobody; whether it was done is then unknown.
    ///
    /// # Errors
    /// As [`Client::ask`]; there is no runtime.
    pub async fn ask<V: Verb>(&self, client: &Client, verb: V) -> Result<V::Answer, Error> {
        if let Some(answer) = self.ask_one(client, &verb).await {
            return answer;
        }
        let mut call = Call::new(client, verb);
        loop {
            let shares = call.next_round();
            if shares == 0 {
                return call.end();
            }
            let exchange = |at| self.exchange(client, call.node_of(at), call.words(at), call.batch(at));
            let exchanges = (0..shares).map(exchange);
            for (at, heard) in together(exchanges).await.into_iter().enumerate() {
                let (node, words) = (call.node_of(at), call.words(at));
                if heard.is_ok() {
                    client.answered(node);
                }
                let makes_sense = match heard {
                    Ok(received) => call.take_in(at, Ok(received.bytes())),
                    Err(problem) => call.take_in(at, Err(problem)),
                };
                if !makes_sense {
                    self.node(client.fleet(), node, words).distrust();
                }
            }
        }
    }

    /// The common case: one request that nothing is lost with, to a node that owes nothing.
    async fn ask_one<V: Verb>(&self, client: &Client, verb: &V) -> Option<Result<V::Answer, Error>> {
        if verb.len() != 1 || verb.ends_old_value() {
            return None;
        }
        let fleet = client.fleet();
        let number = fleet.node_of(verb.key(0));
        if fleet.is_overdue(number) || fleet.peer(number).words() == Words::Older {
            return None;
        }
        let mut batch = Batch::default();
        batch.start(verb.name(), verb.effect());
        verb.write(0, &mut batch);
        let heard = self.send(fleet, number, Words::Newer, &batch).await;
        let bytes = heard.as_ref().map(Received::bytes).map_err(Problem::clone);
        fleet.answer_one(verb, number, bytes, || {
            self.node(fleet, number, Words::Newer).distrust();
        })
    }

    /// As [`Client::flush_all`].
    ///
    /// # Errors
    /// The same; there is no runtime.
    pub async fn flush_all(&self, client: &Client) -> Result<(), Error> {
        let flushes = client.begin_flush().into_iter().map(|flush| async move {
            let done = self.send(client.fleet(), flush.node(), Words::Older, flush.batch()).await;
            flush.end(done.as_ref().map(Received::bytes).map_err(Problem::clone))
        });
        together(flushes).await.into_iter().fold(Ok(()), Result::and)
    }

    async fn exchange(
        &self,
        client: &Client,
        number: usize,
        words: Words,
        batch: &Batch,
    ) -> Result<Received, Problem> {
        if let Some(owed) = client.owed(number) {
            let received = self.send(client.fleet(), number, owed.words(), owed.batch()).await?;
            let settled = client.settled(number, &owed, received.bytes());
            if matches!(settled, Err(Problem::Malformed(_))) {
                self.node(client.fleet(), number, owed.words()).distrust();
            }
            settled?;
        }
        self.send(client.fleet(), number, words, batch).await
    }

    async fn send(
        &self,
        fleet: &Fleet,
        number: usize,
        words: Words,
        batch: &Batch,
    ) -> Result<Received, Problem> {
        let mut received = Received::default();
        let node = self.node(fleet, number, words);
        let (effect, bytes) = (batch.effect(), batch.bytes());
        node.exchange(fleet.peer(number), effect, bytes, batch.len(), &mut received).await?;
        Ok(received)
    }

    fn node(&self, fleet: &Fleet, number: usize, words: Words) -> &Node<Peer> {
        self.nodes(fleet)[number].of(words)
    }

    fn nodes(&self, fleet: &Fleet) -> &[Ways<Node<Peer>>] {
        self.nodes.get_or(|| {
            let ways = |server: &Server| {
                let breaker = Arc::default();
                Ways::new(|words| Node::beside(server.clone(), words, Arc::clone(&breaker)))
            };
            fleet.config.servers.iter().map(ways).collect()
        })
    }

    /// How many connections wait to be used, in all runtimes.
    pub fn connections(&self, client: &Client) -> usize {
        self.nodes(client.fleet()).iter().flat_map(Ways::both).map(Node::connections).sum()
    }
}
