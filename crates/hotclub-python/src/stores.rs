//! The stores of this process, by LOCATION: shared by all cache objects, kept when they go.
use crate::held::Held;
use hotclub::backend::memory::{MemoryConfig, Policy, Store};
use hotclub::clock::Clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

static STORES: Mutex<BTreeMap<String, Arc<Store<Held>>>> = Mutex::new(BTreeMap::new());

/// What a cache object's OPTIONS ask of its store.
pub(crate) struct Wish {
    pub(crate) policy: Policy,
    pub(crate) max_entries: Option<i64>,
    pub(crate) max_bytes: Option<usize>,
}

impl Wish {
    /// Under `lru` MAX_ENTRIES belongs to the cache object, as in Django, and not to the store.
    fn config(&self) -> MemoryConfig {
        match self.policy {
            Policy::Lru => MemoryConfig::lru(0, 0).with_max_entries(None).with_max_bytes(self.max_bytes),
            Policy::S3Fifo => {
                let most = self.max_entries.map(|most| most.max(1));
                // One shard: with the GIL there is nothing to gain from more.
                MemoryConfig::default().with_max_entries(most).with_max_bytes(self.max_bytes).with_shards(1)
            }
        }
    }
}

/// The store of this LOCATION; made if there is none.
///
/// A store that no cache object uses any more gives way to one of other limits (settings changed, as
/// in tests). While one does, other limits are an error, told in words.
pub(crate) fn open(location: &str, wish: &Wish) -> Result<Arc<Store<Held>>, String> {
    let config = wish.config();
    // Short: a lookup, and once the making of an empty store. No Python code runs in here: an old
    // store, whose values may, is dropped after the lock.
    let mut stores = STORES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut old = None;
    if let Some(store) = stores.get(location) {
        if *store.config() == config {
            return Ok(store.clone());
        }
        if Arc::strong_count(store) > 1 {
            let (has, wants) = (describe(store.config()), describe(&config));
            return Err(format!("the store {location:?} is in use with {has}, and cannot also have {wants}"));
        }
        old = stores.remove(location);
    }
    let store = Arc::new(Store::new(config, Clock::system()));
    stores.insert(location.to_owned(), store.clone());
    drop(stores);
    drop(old);
    Ok(store)
}

fn describe(config: &MemoryConfig) -> String {
    let limit = |limit: Option<String>| limit.unwrap_or_else(|| "none".to_owned());
    format!(
        "POLICY {}, MAX_BYTES {}, MAX_ENTRIES of the store {}",
        config.policy(),
        limit(config.max_bytes().map(|bytes| bytes.to_string())),
        limit(config.max_entries().map(|entries| entries.to_string())),
    )
}
