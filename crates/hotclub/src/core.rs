//! What both doors share, written once: keys, codec, timeouts, flights, and the rows of the trace.
use crate::backend::{Backend, Condition, GetOptions, Item, SetOptions};
use crate::codec::{Codec, envelope};
use crate::entry::{Entry, Flags};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::fill::flight::Flights;
use crate::key::{FullKey, Namespace};
use crate::timeout::{Life, Timeout};
use crate::trace::{Call, Step, human};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One cache: a backend seen through a namespace and a codec.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) scheme: &'static str,
    /// The backend never waits: async verbs take its blocking door.
    pub(crate) inline: bool,
    /// Flags are kept beside the value; else the bytes say what they would.
    pub(crate) keeps_flags: bool,
    pub(crate) namespace: Namespace,
    pub(crate) default_life: Life,
    pub(crate) jitter: f64,
    pub(crate) codec: Codec,
    pub(crate) flights: Arc<Flights>,
    pub(crate) flight_wait: Duration,
}

/// Time left to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// There is no entry.
    Missing,
    /// The entry never expires.
    Never,
    /// The entry expires after this time.
    Left(Duration),
}

impl Core {
    pub(crate) fn full_key(&self, key: &str) -> Result<FullKey> {
        let full = self.namespace.full_key(key);
        match self.backend.capability().max_key {
            Some(most) if full.len() > most => {
                let message = format!("{:?} has {} bytes, at most {most} are allowed", &*full, full.len());
                Err(Error::new(ErrorKind::InvalidKey, message).at(self.scheme, "key"))
            }
            _ => Ok(full),
        }
    }

    /// What identifies this cache's flights, for the check of recursion.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.flights) as usize
    }

    /// The life asked for, a little shorter at random where jitter is on.
    pub(crate) fn life(&self, timeout: Timeout) -> Life {
        match timeout.life(self.default_life) {
            Life::For(time) if self.jitter > 0.0 => {
                Life::For(time.mul_f64(1.0 - self.jitter * random_fraction()))
            }
            life => life,
        }
    }

    pub(crate) fn seal<T: Serialize + ?Sized>(
        &self,
        action: &'static str,
        value: &T,
        timeout: Timeout,
        condition: Condition,
    ) -> Result<(bytes::Bytes, SetOptions)> {
        let (bytes, flags) = self.encode(value).map_err(|error| error.at(self.scheme, action))?;
        Ok((bytes, SetOptions::new(self.life(timeout)).flags(flags).when(condition)))
    }

    /// A value as it is stored.
    fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<(bytes::Bytes, Flags)> {
        let (bytes, flags) = self.codec.encode(value)?;
        Ok(if self.keeps_flags { (bytes, flags) } else { (envelope::close(bytes, flags), Flags::RAW) })
    }

    /// What was stored, as the codec wrote it.
    fn content<'e>(&self, entry: &'e Entry) -> (&'e [u8], Flags) {
        if self.keeps_flags { (&entry.value, entry.flags) } else { envelope::open(&entry.value) }
    }

    pub(crate) fn open<T: DeserializeOwned>(&self, key: &str, entry: &Entry) -> Result<T> {
        let named = |error: Error| error.at(self.scheme, "get").in_place(format!("key {key:?}"));
        let (bytes, flags) = self.content(entry);
        Codec::decode(bytes, flags).map_err(named)
    }

    pub(crate) fn open_maybe<T: DeserializeOwned>(
        &self,
        key: &str,
        entry: Option<Entry>,
    ) -> Result<Option<T>> {
        entry.map(|entry| self.open(key, &entry)).transpose()
    }

    pub(crate) fn ttl(entry: Option<&Entry>) -> Ttl {
        let Some(entry) = entry else { return Ttl::Missing };
        let Some(deadline) = entry.deadline else { return Ttl::Never };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ttl::Left(Duration::from_millis(deadline.0).saturating_sub(now))
    }

    pub(crate) fn want_deadline() -> GetOptions {
        GetOptions { want_deadline: true, ..GetOptions::peek() }
    }

    pub(crate) fn loader_failed(&self, key: &str, error: impl Into<BoxError>) -> Error {
        let error = error.into();
        Error::new(ErrorKind::Loader, error.to_string())
            .at(self.scheme, "get_or_set")
            .in_place(format!("key {key:?}"))
            .caused_by(error)
    }

    pub(crate) fn not_found(&self, action: &'static str, full_key: &str) -> Error {
        Error::new(ErrorKind::KeyNotFound, format!("'{full_key}'")).at(self.scheme, action)
    }

    pub(crate) fn no_prefix(&self) -> Error {
        let message = "a custom key function hides which keys are this cache's";
        Error::new(ErrorKind::Unsupported, message).at(self.scheme, "clear_prefix")
    }

    // The rows of the execution table; each is made only while a trace is being recorded.

    fn step(&self, action: String) -> Step {
        Step { action, backend: self.scheme.to_owned(), ..Step::default() }
    }

    pub(crate) fn trace_get(&self, call: Call, key: &str, got: &Result<Option<Entry>>) {
        call.end(|| Step {
            get_result: match got {
                Ok(Some(entry)) => {
                    let (bytes, flags) = self.content(entry);
                    Codec::preview(bytes, flags)
                }
                Ok(None) => "None".to_owned(),
                Err(_) => String::new(),
            },
            output: got.as_ref().err().map(Error::to_string).unwrap_or_default(),
            ..self.step(format!("get({key:?})"))
        });
    }

    pub(crate) fn trace_write(&self, call: Call, action: &str, key: &str, life: Life, done: &Result<bool>) {
        call.end(|| Step {
            set_action: match (done, life) {
                (Ok(true), Life::Gone) => "not kept: the timeout is zero".to_owned(),
                (Ok(true), Life::Never) => "stored, no timeout".to_owned(),
                (Ok(true), Life::For(time)) => format!("stored, timeout {}", human(time)),
                (Ok(false), _) => "not stored".to_owned(),
                (Err(_), _) => String::new(),
            },
            output: output(done),
            ..self.step(format!("{action}({key:?})"))
        });
    }

    pub(crate) fn trace_delete(&self, call: Call, key: &str, done: &Result<bool>) {
        call.end(|| Step {
            set_action: match done {
                Ok(true) => "deleted".to_owned(),
                Ok(false) => "nothing to delete".to_owned(),
                Err(_) => String::new(),
            },
            output: output(done),
            ..self.step(format!("delete({key:?})"))
        });
    }

    pub(crate) fn trace_other<T: std::fmt::Debug>(
        &self,
        call: Call,
        action: impl FnOnce() -> String,
        done: &Result<T>,
    ) {
        call.end(|| Step { output: output(done), ..self.step(action()) });
    }
}

fn output<T: std::fmt::Debug>(done: &Result<T>) -> String {
    match done {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    }
}

/// Text that shows itself without quotes.
pub(crate) struct Shown(pub(crate) String);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Uniform from 0 to 1; spreads deadlines, so any quick source will do.
pub(crate) fn random_fraction() -> f64 {
    use std::cell::Cell;
    use std::hash::{BuildHasher, RandomState};
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(1_u8) | 1);
    }
    STATE.with(|state| {
        let mut word = state.get();
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        state.set(word);
        (word >> 11) as f64 / (1_u64 << 53) as f64
    })
}

/// A batch of entries on its way to `set_many`: full keys, bytes and the caller's keys.
pub(crate) struct Batch {
    full_keys: Vec<FullKey>,
    values: Vec<(bytes::Bytes, Flags)>,
    pub(crate) keys: Vec<String>,
}

impl Batch {
    pub(crate) fn seal<K, T>(core: &Core, items: impl IntoIterator<Item = (K, T)>) -> Result<Self>
    where
        K: AsRef<str>,
        T: Serialize,
    {
        let mut batch = Batch { full_keys: Vec::new(), values: Vec::new(), keys: Vec::new() };
        for (key, value) in items {
            batch.full_keys.push(core.full_key(key.as_ref())?);
            let encoded = core.encode(&value).map_err(|error| {
                error.at(core.scheme, "set_many").in_place(format!("key {:?}", key.as_ref()))
            })?;
            batch.values.push(encoded);
            batch.keys.push(key.as_ref().to_owned());
        }
        Ok(batch)
    }

    pub(crate) fn items(&self) -> Vec<Item<'_>> {
        self.full_keys
            .iter()
            .zip(&self.values)
            .map(|(key, (value, flags))| Item { key, value: value.clone(), flags: *flags })
            .collect()
    }

    /// The caller's keys that were not written.
    pub(crate) fn failed(self, written: &[bool]) -> Vec<String> {
        self.keys.into_iter().zip(written).filter(|(_, written)| !**written).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_fractions_spread_over_the_whole_range() {
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            tenths[(random_fraction() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|&count| count > 700), "{tenths:?}");
    }
}
