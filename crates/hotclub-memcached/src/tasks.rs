//! The door for tasks of tokio: the same calls over connections of their runtime.
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::fleet::Fleet;
use crate::peer::Peer;
use crate::request::Batch;
use crate::verb::Verb;
use hotclub_net::fork::PerProcess;
use hotclub_net::tasks::{Node, together};
use hotclub_net::{Problem, Received};

/// The client for tasks. It shares the configuration with a [`Client`], and what nodes owe.
#[derive(Debug, Default)]
pub struct Tasks {
    nodes: PerProcess<Vec<Node<Peer>>>,
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
            let exchanges = (0..shares).map(|at| self.exchange(client, call.node_of(at), call.batch(at)));
            for (at, heard) in together(exchanges).await.into_iter().enumerate() {
                let node = call.node_of(at);
                if heard.is_ok() {
                    client.answered(node);
                }
                let makes_sense = match heard {
                    Ok(received) => call.take_in(at, Ok(received.bytes())),
                    Err(problem) => call.take_in(at, Err(problem)),
                };
                if !makes_sense {
                    self.nodes(client.fleet())[node].distrust();
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
        if fleet.is_overdue(number) || fleet.peer(number).is_older() {
            return None;
        }
        let mut batch = Batch::default();
        batch.start(verb.name(), verb.effect());
        verb.write(0, &mut batch);
        let heard = self.send(fleet, number, &batch).await;
        let bytes = heard.as_ref().map(Received::bytes).map_err(Problem::clone);
        fleet.answer_one(verb, number, bytes, || self.nodes(fleet)[number].distrust())
    }

    /// As [`Client::flush_all`].
    ///
    /// # Errors
    /// The same; there is no runtime.
    pub async fn flush_all(&self, client: &Client) -> Result<(), Error> {
        let flushes = client.begin_flush().into_iter().map(|flush| async move {
            let peer = client.peer(flush.node());
            let was_older = peer.is_older();
            let mut done = self.send(client.fleet(), flush.node(), flush.batch()).await;
            // The first words to an older server find out that it is one.
            if matches!(done, Err(Problem::Handshake(_))) && !was_older && peer.is_older() {
                done = self.send(client.fleet(), flush.node(), flush.batch()).await;
            }
            flush.end(done.as_ref().map(Received::bytes).map_err(Problem::clone))
        });
        together(flushes).await.into_iter().fold(Ok(()), Result::and)
    }

    async fn exchange(&self, client: &Client, number: usize, batch: &Batch) -> Result<Received, Problem> {
        if let Some(owed) = client.owed(number)? {
            let received = self.send(client.fleet(), number, owed.batch()).await?;
            client.settled(number, &owed, received.bytes())?;
        }
        self.send(client.fleet(), number, batch).await
    }

    async fn send(&self, fleet: &Fleet, number: usize, batch: &Batch) -> Result<Received, Problem> {
        let mut received = Received::default();
        let node = &self.nodes(fleet)[number];
        let (effect, bytes) = (batch.effect(), batch.bytes());
        node.exchange(fleet.peer(number), effect, bytes, batch.len(), &mut received).await?;
        Ok(received)
    }

    fn nodes(&self, fleet: &Fleet) -> &[Node<Peer>] {
        let servers = &fleet.config.servers;
        self.nodes.get_or(|| servers.iter().map(|server| Node::new(server.clone(), ())).collect())
    }

    /// How many connections wait to be used, in all runtimes.
    pub fn connections(&self, client: &Client) -> usize {
        self.nodes(client.fleet()).iter().map(Node::connections).sum()
    }
}
