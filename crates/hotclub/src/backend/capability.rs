//! What a backend can do, as data.

/// Who sees an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// Nobody: nothing is kept.
    Nobody,
    /// This process.
    Process,
    /// All processes of this machine.
    Machine,
    /// All machines that reach the server.
    Network,
}

/// What a backend does natively, as data: layers, docs and the conformance suite read it.
///
/// Nothing that cannot be atomic is emulated silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capability {
    /// Every call ends without waiting: async callers take the blocking door and never make a future.
    pub inline: bool,
    /// Who sees an entry.
    pub shared: Shared,
    /// Entries survive the end of the process.
    pub persistent: bool,
    /// `incr` is one atomic step.
    pub atomic_incr: bool,
    /// The many-verbs are one round trip.
    pub native_many: bool,
    /// `touch` is one atomic step.
    pub native_touch: bool,
    /// [`Condition::IfCas`](crate::backend::Condition::IfCas) works.
    pub cas: bool,
    /// [`Entry::deadline`](crate::Entry::deadline) can be read.
    pub ttl_readable: bool,
    /// [`Flags`](crate::Flags) are kept beside the value.
    pub flags: bool,
    /// [`Scope::Prefix`](crate::backend::Scope::Prefix) works.
    pub clear_prefix: bool,
    /// The server tells its clients what changed.
    pub push_invalidation: bool,
    /// [`lease`](crate::backend::Backend::lease), [`fill`](crate::backend::Backend::fill) and
    /// [`release`](crate::backend::Backend::release) work.
    pub leases: bool,
    /// [`bump`](crate::backend::Backend::bump) and [`GetOptions::tags`](crate::backend::GetOptions::tags) work.
    pub tags: bool,
    /// The longest full key, in bytes.
    pub max_key: Option<usize>,
    /// The largest value, in bytes.
    pub max_value: Option<usize>,
}

impl Capability {
    /// The least a backend can be: nothing native, answers only over a wait.
    pub const fn none(shared: Shared) -> Self {
        Capability {
            inline: false,
            shared,
            persistent: false,
            atomic_incr: false,
            native_many: false,
            native_touch: false,
            cas: false,
            ttl_readable: false,
            flags: false,
            clear_prefix: false,
            push_invalidation: false,
            leases: false,
            tags: false,
            max_key: None,
            max_value: None,
        }
    }

    /// The rows of the capability table in `docs/reference`: a name and what this backend has there.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let bytes =
            |limit: Option<usize>| limit.map_or("no limit".to_owned(), |bytes| format!("{bytes} bytes"));
        vec![
            ("answers without waiting", yes_no(self.inline)),
            ("shared by", format!("{:?}", self.shared).to_lowercase()),
            ("survives the process", yes_no(self.persistent)),
            ("atomic incr", yes_no(self.atomic_incr)),
            ("native many-verbs", yes_no(self.native_many)),
            ("native touch", yes_no(self.native_touch)),
            ("compare and set", yes_no(self.cas)),
            ("TTL readable", yes_no(self.ttl_readable)),
            ("keeps flags", yes_no(self.flags)),
            ("clear by prefix", yes_no(self.clear_prefix)),
            ("pushes invalidations", yes_no(self.push_invalidation)),
            ("leases", yes_no(self.leases)),
            ("tags", yes_no(self.tags)),
            ("longest key", bytes(self.max_key)),
            ("largest value", bytes(self.max_value)),
        ]
    }
}
