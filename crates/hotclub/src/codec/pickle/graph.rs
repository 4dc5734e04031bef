//! What a pickle holds: nodes that refer to nodes, no more of them than the pickle has bytes.
//!
//! Nothing is copied that the bytes hold as such, and nothing that is referred to twice is made twice.
//! Only [`Unpickler`](super::de::Unpickler) spreads the graph out, within a budget.
use super::Fault;
use super::datetime::{Date, DateTime};
use super::global::Global;
use std::borrow::Cow;
use std::cell::Cell;

/// The place of a node in [`Graph`].
pub(super) type Id = u32;

/// An object, by the places of the objects in it. A dict's keys and values take turns.
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i128),
    /// More than `i128::MAX`.
    Huge(u128),
    Float(f64),
    Str(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<Id>),
    Set(Vec<Id>),
    FrozenSet(Vec<Id>),
    DateTime(DateTime),
    Date(Date),
    /// In seconds, if it can be the offset of a time zone.
    TimeDelta(Option<i32>),
    TimeZone(i32),
    Global(Global),
}

/// The nodes, and how much may still be made of them.
pub(super) struct Graph<'a> {
    nodes: Vec<Node<'a>>,
    budget: Cell<usize>,
}

impl<'a> Graph<'a> {
    /// For a pickle of so many bytes. Without shared references there is at most one node a byte; so a
    /// multiple of that is in proportion, and a million always is.
    pub(super) fn new(bytes: usize) -> Self {
        Graph { nodes: Vec::new(), budget: Cell::new(bytes.saturating_mul(8).max(1_000_000)) }
    }

    pub(super) fn add(&mut self, node: Node<'a>) -> Result<Id, Fault> {
        let id = Id::try_from(self.nodes.len()).ok().filter(|&id| id < Id::MAX);
        self.nodes.push(node);
        id.ok_or_else(|| Fault::new("the pickle holds too many objects"))
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    pub(super) fn node_mut(&mut self, id: Id) -> &mut Node<'a> {
        &mut self.nodes[id as usize]
    }

    /// Takes the cost of `units` nodes from the budget.
    pub(super) fn spend(&self, units: usize) -> Result<(), Fault> {
        let left = self.budget.get().checked_sub(units);
        self.budget
            .set(left.ok_or_else(|| Fault::new("the pickle grows out of proportion when it is read"))?);
        Ok(())
    }

    /// Takes the cost of so many bytes of text: as many as a node is large cost as much as a node.
    pub(super) fn spend_bytes(&self, bytes: usize) -> Result<(), Fault> {
        self.spend(bytes / size_of::<Node<'_>>())
    }
}
