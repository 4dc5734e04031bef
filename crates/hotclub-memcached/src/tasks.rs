//! The door for tasks of tokio: the same calls over connections of their runtime.
use crate::error::Error;
use crate::fleet::{Call, Fleet, flush_all};
use crate::request::Batch;
use crate::verb::Verb;
use crate::{Client, Config};
use hotclub_net::fork::PerProcess;
use hotclub_net::tasks::{Node, together};
use hotclub_net::{Problem, Received};

/// The client for tasks. It shares the configuration with a [`Client`], and what nodes owe.
#[derive(Debug, Default)]
pub struct Tasks {
    nodes: PerProcess<Vec<Node<Config>>>,
}

impl Tasks {
    /// Does a call. Whoever stops waiting disturbs nobody; whether it was done is then unknown.
    ///
    /// # Errors
    /// As [`Client::ask`]; there is no runtime.
    pub async fn ask<V: Verb>(&self, client: &Client, verb: &V) -> Result<V::Answer, Error> {
        let fleet = client.fleet();
        let mut call = Call::new(fleet, verb);
        while call.write_some() {
            let shares = call.shares.iter().map(|share| self.exchange(fleet, share.node, &share.batch));
            for (at, heard) in together(shares).await.into_iter().enumerate() {
                match heard {
                    Ok(received) => call.take_in(at, Ok(received.bytes())),
                    Err(problem) => call.take_in(at, Err(problem)),
                }
            }
        }
        call.end()
    }

    /// As [`Client::flush_all`].
    ///
    /// # Errors
    /// The same; there is no runtime.
    pub async fn flush_all(&self, client: &Client) -> Result<(), Error> {
        let (fleet, batch) = (client.fleet(), flush_all());
        let flush = |number| {
            let batch = &batch;
            async move {
                let due = fleet.begin_flush(number);
                let done = self.send(fleet, number, batch).await;
                fleet.flushed(number, &due, done.as_ref().map(Received::bytes).map_err(Problem::clone))
            }
        };
        let done = together((0..fleet.config.servers.len()).map(flush)).await;
        done.into_iter().fold(Ok(()), Result::and)
    }

    async fn exchange(&self, fleet: &Fleet, number: usize, batch: &Batch) -> Result<Received, Problem> {
        if fleet.is_overdue(number) {
            let (due, deletes) = fleet.due(number);
            let received = self.send(fleet, number, &deletes).await?;
            fleet.settled(number, &due, &deletes, received.bytes())?;
        }
        self.send(fleet, number, batch).await
    }

    async fn send(&self, fleet: &Fleet, number: usize, batch: &Batch) -> Result<Received, Problem> {
        let mut received = Received::default();
        let node = &self.nodes(fleet)[number];
        let (effect, bytes) = (batch.effect(), batch.bytes());
        node.exchange(&fleet.config, effect, bytes, batch.len(), &mut received).await?;
        Ok(received)
    }

    fn nodes(&self, fleet: &Fleet) -> &[Node<Config>] {
        let servers = &fleet.config.servers;
        self.nodes.get_or(|| servers.iter().map(|server| Node::new(server.clone(), ())).collect())
    }

    /// How many connections wait to be used, in all runtimes.
    pub fn connections(&self, client: &Client) -> usize {
        self.nodes(client.fleet()).iter().map(Node::connections).sum()
    }
}
