//! What a store of entries that survive the process does, whichever it is.
/// An entry to be written.
pub(crate) use hotclub::backend::database::sqlite::Item;
use hotclub::backend::{Condition, Limit};
use hotclub::{Error, Flags, Life, Result, Stats};
use pyo3::prelude::*;
use std::any::Any;

/// An entry that was read.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) value: Vec<u8>,
    pub(crate) flags: Flags,
    /// What else tells it from another one; the matter of its store.
    pub(crate) deadline: Option<u64>,
    pub(crate) cas: Option<u64>,
}

/// How entries are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write {
    pub(crate) life: Life,
    pub(crate) condition: Condition,
    pub(crate) limit: Option<Limit>,
}

impl Write {
    /// The verb that writes so, for errors.
    pub(crate) fn verb(self) -> &'static str {
        if self.condition == Condition::IfAbsent { "add" } else { "set" }
    }
}

/// What came of adding to a whole number.
#[derive(Debug)]
pub(crate) enum Added {
    Sum(i64),
    Missing,
    /// What stands there is no plain whole number, or the sum is none: Python adds.
    Other,
}

/// One kind of store. Errors name it and the place.
pub(crate) trait Persistent: Any + Send + Sync {
    /// The bare name of the room.
    fn name(&self) -> &'static str;
    /// The bytes of a value, and what they are.
    fn dump(&self, value: &Bound<'_, PyAny>, to: &mut Vec<u8>) -> PyResult<Flags>;
    fn load<'py>(&self, py: Python<'py>, value: &[u8], flags: Flags) -> PyResult<Bound<'py, PyAny>>;
    fn get(&self, key: &str) -> Result<Option<Kept>>;
    /// The same without counting as use.
    fn peek(&self, key: &str) -> Result<Option<Kept>>;
    fn has(&self, key: &str) -> Result<bool>;
    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Kept>>>;
    fn set(&self, item: &Item, write: Write) -> Result<bool>;
    /// Which were written.
    fn set_many(&self, items: &[Item], write: Write) -> Result<Vec<bool>>;
    fn touch(&self, key: &str, life: Life) -> Result<bool>;
    /// Whether there was one, also one whose time was over.
    fn delete(&self, key: &str) -> Result<bool>;
    fn delete_many(&self, keys: &[String]) -> Result<u64>;
    /// Writes over what was read, with its deadline; false if something else is there now.
    fn replace(&self, key: &str, read: &Kept, value: &[u8], flags: Flags) -> Result<bool>;
    /// Adds to a whole number in one step.
    fn add(&self, key: &str, delta: i64) -> Result<Added>;
    fn clear(&self) -> Result<()>;
    fn stats(&self) -> Result<Stats>;
    /// Others wrote the same entry again and again.
    fn too_busy(&self) -> Error;
}
