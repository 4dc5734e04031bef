//! Values as they were stored, in one buffer: they become objects when the GIL is held again.
use hotclub_memcached::reply::Reply;
use hotclub_memcached::request::{Batch, Get};
use hotclub_memcached::verb::{Part, Verb, owned, read_gets, refused, write_gets};
use hotclub_memcached::{AbsentNodes, Effect, Key, Problem};
use std::borrow::Cow;
use std::ops::Range;

/// Reads entries into one buffer.
pub(super) struct Collect<'a> {
    pub(super) keys: Cow<'a, [Key<'a>]>,
    pub(super) absent: AbsentNodes,
}

impl Collect<'_> {
    pub(super) fn into_owned(self) -> Collect<'static> {
        Collect { keys: owned(self.keys), absent: self.absent }
    }
}

#[derive(Default)]
pub(super) struct Collected {
    pub(super) bytes: Vec<u8>,
    /// Flags, and where the value lies in the bytes.
    pub(super) spans: Vec<Option<(u32, Range<usize>)>>,
}

impl Collected {
    pub(super) fn get(&self, place: usize) -> Option<(u32, &[u8])> {
        self.spans.get(place)?.as_ref().map(|(flags, span)| (*flags, &self.bytes[span.clone()]))
    }
}

impl Verb for Collect<'_> {
    type Answer = Collected;

    fn name(&self) -> &'static str {
        if self.keys.len() == 1 { "get" } else { "get_many" }
    }
    fn effect(&self) -> Effect {
        Effect::Read
    }
    fn len(&self) -> usize {
        self.keys.len()
    }
    fn key(&self, request: usize) -> &Key<'_> {
        &self.keys[request]
    }
    fn write(&self, request: usize, batch: &mut Batch) {
        batch.get(&self.keys[request], Get::default());
    }
    fn write_part(&self, requests: &[usize], batch: &mut Batch, _plainly: bool) -> usize {
        write_gets(self, requests, batch, false)
    }
    fn read_part(&self, requests: &[usize], bytes: &[u8], answer: &mut Collected) -> Result<Part, Problem> {
        answer.bytes.reserve(bytes.len());
        read_gets(self, requests, bytes, answer)
    }
    fn start(&self) -> Collected {
        Collected { bytes: Vec::new(), spans: vec![None; self.keys.len()] }
    }
    fn read(&self, request: usize, reply: Reply<'_>, answer: &mut Collected) -> Result<(), Problem> {
        match reply {
            Reply::Value(bytes, tokens) => {
                let start = answer.bytes.len();
                answer.bytes.extend_from_slice(bytes);
                answer.spans[request] = Some((tokens.flags()?, start..answer.bytes.len()));
                Ok(())
            }
            Reply::Missing => Ok(()),
            other => Err(refused(&other)),
        }
    }
    fn absent(&self, _request: usize, _answer: &mut Collected) -> bool {
        self.absent == AbsentNodes::Miss
    }
}
