//! The dummy backend: keeps nothing. For development, and to see a whole room at a glance.
use super::{Backend, Capability, Condition, GetOptions, Scope, SetOptions, Shared};
use crate::entry::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::timeout::Life;
use bytes::Bytes;

/// A cache in which every lookup misses and every write is forgotten (Django's `DummyCache`).
#[derive(Debug, Clone, Copy, Default)]
pub struct DummyBackend;

impl Backend for DummyBackend {
    fn scheme(&self) -> &'static str {
        "dummy"
    }

    fn capability(&self) -> Capability {
        Capability { inline: true, ..Capability::none(Shared::Nobody) }
    }

    fn get(&self, _key: &str, _options: &GetOptions) -> Result<Option<Entry>> {
        Ok(None)
    }

    fn set(&self, _key: &str, _value: Bytes, options: &SetOptions) -> Result<bool> {
        Ok(matches!(options.condition, Condition::Always | Condition::IfAbsent))
    }

    fn delete(&self, _key: &str) -> Result<bool> {
        Ok(false)
    }

    fn incr(&self, key: &str, _delta: i128) -> Result<i128> {
        Err(Error::new(ErrorKind::KeyNotFound, format!("'{key}'")).at("dummy", "incr"))
    }

    fn touch(&self, _key: &str, _life: Life) -> Result<bool> {
        Ok(false)
    }

    fn clear(&self, _scope: Scope<'_>) -> Result<()> {
        Ok(())
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::DummyBackend;
    use crate::testing::conformance;

    conformance!(dummy, |_clock| DummyBackend);
}
