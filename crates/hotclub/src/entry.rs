//! A stored thing as backends see it: bytes with flags, a deadline and a compare-and-set token.
use crate::clock::Deadline;
use bytes::Bytes;

/// What a codec wrote, so that it can be read back: memcached's 32-bit field, kept by every backend
/// that can keep it ([`Capability::flags`](crate::backend::Capability::flags)). Backends never interpret it.
///
/// Values below 32 are those of pymemcache and pylibmc; ours lie above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// Bytes as they are.
    pub const RAW: Flags = Flags(0);
    /// A Python pickle.
    pub const PICKLE: Flags = Flags(1);
    /// A whole number in decimal digits: the form that `incr` works on.
    pub const INTEGER: Flags = Flags(2);
    /// UTF-8 text.
    pub const TEXT: Flags = Flags(16);
    /// MessagePack.
    pub const MESSAGE_PACK: Flags = Flags(1 << 16);
    /// JSON.
    pub const JSON: Flags = Flags(1 << 17);
}

/// What a read returns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Entry {
    /// The stored bytes.
    pub value: Bytes,
    /// What the codec wrote beside them.
    pub flags: Flags,
    /// When the entry ends; `None` means never, or that it was not asked for
    /// ([`GetOptions::want_deadline`](crate::backend::GetOptions::want_deadline)).
    pub deadline: Option<Deadline>,
    /// The token for [`Condition::IfCas`](crate::backend::Condition::IfCas), if asked for.
    pub cas: Option<u64>,
    /// The stamps of the tags asked for, in that order; `None` for a tag that does not exist.
    pub tags: Vec<Option<u64>>,
}

impl Entry {
    /// An entry of these bytes and flags, without deadline, token or tags.
    pub fn new(value: Bytes, flags: Flags) -> Self {
        Entry { value, flags, ..Entry::default() }
    }
}
