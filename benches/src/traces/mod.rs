//! Sequences of requested objects, the same in every run.
mod recency;
mod zipf;

pub(crate) use recency::recency;
pub(crate) use zipf::{with_scans, zipf};

/// How many objects a Zipf trace asks for, and what capacities are a share of.
pub(crate) const OBJECTS: usize = 200_000;
