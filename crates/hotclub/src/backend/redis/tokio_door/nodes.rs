//! The servers that the tasks of one runtime have met.
use super::Breakers;
use super::node::Node;
use crate::backend::redis::handshake::Role;
use crate::backend::redis::server::Server;
use hotclub_net::locks::RwLock;
use std::sync::Arc;

/// Few: looked for one by one.
#[derive(Debug)]
pub(super) struct Nodes {
    // Short: pointers are compared, cloned and put in.
    met: RwLock<Vec<Arc<Node>>>,
    breakers: Arc<Breakers>,
}

impl Nodes {
    pub(super) fn new(breakers: Arc<Breakers>) -> Self {
        Nodes { met: RwLock::default(), breakers }
    }

    /// The way to this server, in this role; it may be new.
    pub(super) fn of(&self, server: &Server, role: Role) -> Arc<Node> {
        let find = |met: &[Arc<Node>]| met.iter().find(|node| node.is(server, role)).cloned();
        if let Some(node) = find(&self.met.read()) {
            return node;
        }
        let made = Arc::new(Node::new(server.clone(), role, self.breakers.of(server)));
        let mut met = self.met.write();
        find(&met).unwrap_or_else(|| {
            met.push(made.clone());
            made
        })
    }

    /// Lets go of those that are needed no longer; who is still asked answers to the end.
    pub(super) fn keep(&self, is_needed: impl Fn(&Server) -> bool) {
        let gone: Vec<_> = self.met.write().extract_if(.., |node| !is_needed(&node.server)).collect();
        // Closing connections takes time, and nobody should wait for it.
        drop(gone);
    }

    /// How many connections there are to all of them.
    pub(super) fn connections(&self) -> usize {
        self.met.read().iter().map(|node| node.connections()).sum()
    }
}
