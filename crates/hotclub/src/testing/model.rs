//! The plainest cache there is: a map and a number for the time.
use super::op::Written;
use std::collections::HashMap;
use std::time::Duration;

/// What a backend must be indistinguishable from.
#[derive(Debug, Clone, Default)]
pub struct Model {
    entries: HashMap<String, Kept>,
    now_ms: u64,
}

/// An entry of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Bytes and flags.
    pub written: Written,
    /// In the model's milliseconds; `None` means never.
    pub deadline_ms: Option<u64>,
}

impl Model {
    /// Lets time pass.
    pub fn advance(&mut self, time: Duration) {
        self.now_ms += time.as_millis() as u64;
        let now = self.now_ms;
        self.entries.retain(|_, kept| kept.deadline_ms.is_none_or(|deadline| deadline > now));
    }

    /// The time now.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The entry of a key.
    pub fn get(&self, key: &str) -> Option<&Kept> {
        self.entries.get(key)
    }

    /// Writes an entry that ends after this many milliseconds; zero removes, `None` means never.
    pub fn put(&mut self, key: &str, written: Written, life_ms: Option<u64>) {
        let deadline_ms = life_ms.map(|life| self.now_ms + life);
        match life_ms {
            Some(0) => self.remove(key),
            _ => self.entries.insert(key.to_owned(), Kept { written, deadline_ms }).is_some(),
        };
    }

    /// Exchanges the bytes of an entry and keeps its deadline.
    pub fn exchange(&mut self, key: &str, value: Vec<u8>) {
        if let Some(kept) = self.entries.get_mut(key) {
            kept.written.value = value;
        }
    }

    /// Gives an entry a new life.
    pub fn touch(&mut self, key: &str, life_ms: Option<u64>) {
        if let Some(kept) = self.entries.get(key).cloned() {
            self.put(key, kept.written, life_ms);
        }
    }

    /// Removes an entry; whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        self.entries.remove(key).is_some()
    }

    /// Removes the entries whose key starts with this.
    pub fn clear(&mut self, prefix: &str) {
        self.entries.retain(|key, _| !key.starts_with(prefix));
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
