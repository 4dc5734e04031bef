//! What verbs take and give.
use crate::backend::{Condition, Limit};
use crate::entry::Flags;
use crate::timeout::Life;

/// An entry that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The value.
    pub value: Vec<u8>,
    /// What the codec wrote.
    pub flags: Flags,
    /// When it ends, in milliseconds since 1970; `None`: never.
    pub deadline: Option<u64>,
    /// For [`Condition::IfCas`], where the layout keeps it.
    pub cas: Option<u64>,
}

/// How an entry is written.
#[derive(Debug, Clone, Copy)]
pub struct Write {
    /// How long it lives.
    pub life: Life,
    /// When it is written.
    pub condition: Condition,
    /// The caller's limit; without one the store's.
    pub limit: Option<Limit>,
}

/// One entry of a write of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The full key.
    pub key: String,
    /// The value.
    pub value: Vec<u8>,
    /// What the codec wrote.
    pub flags: Flags,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Written,
    /// The condition did not hold.
    Unwritten,
    /// There is no room for it. What stood there is gone too: it is not the current value any more.
    NoRoom,
}
