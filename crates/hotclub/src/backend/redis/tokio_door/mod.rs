//! The async door, for Rust programs on tokio: many tasks share one connection to a server (two, if large values
//! are about), and the `redis` crate matches replies with those who wait for them.
//!
//! A connection belongs to the runtime that made it and to the process that made it: each runtime has its own, and
//! so has the child of a fork. Dropping a future is safe at any moment. Which servers there are is the blocking
//! client's knowledge.
use super::batch::{Answers, Batch};
use super::breaker::Breaker;
use super::client::Client;
use super::config::RedisConfig;
use super::error::{Failure, Problem};
use super::handshake::Role;
use super::server::Server;
use super::topology::{Topology, choose};
use super::verbs::Verb;
use crate::error::Result;
use crate::fork::PerProcess;
use hotclub_net::locks::Mutex;
use hotclub_net::tasks::Runtimes;
use node::Request;
use nodes::Nodes;
use std::collections::HashMap;
use std::sync::Arc;

mod aside;
mod cluster;
mod node;
mod nodes;
mod sentinel;
mod translate;
mod wire;

/// The servers of one client, for tasks.
#[derive(Debug)]
pub(crate) struct TokioDoor {
    client: Arc<Client>,
    state: PerProcess<State>,
}

#[derive(Debug, Default)]
struct State {
    runtimes: Runtimes<Nodes>,
    breakers: Arc<Breakers>,
    /// Held while servers are looked for: one task does, the others wait for what comes of it.
    turn: tokio::sync::Mutex<()>,
}

/// One breaker a server, for all runtimes of this process.
#[derive(Debug, Default)]
struct Breakers(Mutex<HashMap<Server, Arc<Breaker>>>);

impl Breakers {
    fn of(&self, server: &Server) -> Arc<Breaker> {
        self.0.lock().entry(server.clone()).or_default().clone()
    }
}

/// The door as the tasks of one runtime see it.
struct Door<'d> {
    client: &'d Arc<Client>,
    config: &'d RedisConfig,
    nodes: &'d Nodes,
    turn: &'d tokio::sync::Mutex<()>,
}

impl TokioDoor {
    /// A door to the servers of this client; nothing is connected before the first verb.
    pub(crate) fn new(client: Arc<Client>) -> Self {
        TokioDoor { client, state: PerProcess::new() }
    }

    /// One exchange. The commands are written at once, the rest happens when the future is polled.
    pub(crate) fn ask<'a, V>(&'a self, verb: V) -> impl Future<Output = Result<V::Answer>> + Send + 'a
    where
        V: Verb + Send + 'a,
    {
        self.ask_on(None, verb)
    }

    /// The same at this one of the servers, whatever the keys are.
    pub(crate) fn ask_on<'a, V>(
        &'a self,
        server: Option<&'a Server>,
        verb: V,
    ) -> impl Future<Output = Result<V::Answer>> + Send + 'a
    where
        V: Verb + Send + 'a,
    {
        let mut batch = Batch::default();
        batch.start(verb.name(), verb.effect(), self.client.is_clustered());
        verb.write(&mut batch);
        async move {
            let mut answers = Answers::default();
            if !batch.is_empty() {
                let done = self.exchange(server, &batch, &mut answers).await;
                done.map_err(|failure| failure.into_error(batch.verb(), batch.effect()))?;
            }
            verb.read(&mut answers.replies()).map_err(|problem| self.client.refuse(&batch, problem))
        }
    }

    /// The primaries, as [`Client::nodes`] has them.
    pub(crate) async fn nodes(&self) -> Result<Vec<Server>> {
        let client = self.client.clone();
        aside::aside(move || client.nodes()).await.unwrap_or_else(|| self.client.nodes())
    }

    async fn exchange(
        &self,
        server: Option<&Server>,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let state = self.state.get_or(State::default);
        let nodes = state.runtimes.current(|| Nodes::new(state.breakers.clone()));
        let nodes = nodes.map_err(|problem| Failure::at(problem, &self.client.place()))?;
        let (client, config) = (&self.client, self.client.config());
        let door = Door { client, config, nodes: &nodes, turn: &state.turn };
        match (client.topology(), server) {
            (Topology::Servers(_), _) => {
                let number = choose(config.servers.len(), batch.effect(), config.read_from);
                let number = if server.is_some() { 0 } else { number };
                door.ask(&config.servers[number], Role::Data(number), batch, answers).await
            }
            (Topology::Sentinel(sentinel), _) => sentinel::exchange(&door, sentinel, batch, answers).await,
            (Topology::Cluster(cluster), None) => cluster::exchange(&door, cluster, batch, answers).await,
            (Topology::Cluster(cluster), Some(server)) => {
                cluster::exchange_on(&door, cluster, server, batch, answers).await
            }
        }
    }

    /// How many connections the tasks of this process have, in all runtimes.
    pub(crate) fn connections(&self) -> usize {
        self.state.get_or(State::default).runtimes.sum(Nodes::connections)
    }
}

impl Door<'_> {
    /// Sends a batch to this server.
    async fn ask(
        &self,
        server: &Server,
        role: Role,
        batch: &Batch,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let request = Request { effect: batch.effect(), bytes: batch.bytes(), replies: batch.len() };
        let done = self.nodes.of(server, role).exchange(self.config, request, &mut answers.received).await;
        done.map_err(|problem| Failure::at(problem, server))
    }

    /// All primaries, asked for anew.
    async fn primaries(&self) -> Result<Vec<Server>, Failure> {
        let client = self.client.clone();
        let asked = aside::aside(move || client.topology().nodes(client.config())).await;
        asked.unwrap_or_else(|| {
            let problem = Problem::Nobody("no thread could be started to look for the servers".to_owned());
            Err(Failure::at(problem, &self.client.place()))
        })
    }
}
