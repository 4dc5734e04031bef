//! The bodies of the fuzz targets: plain functions over bytes that panic where a promise is broken.
//!
//! `fuzz/` hands them what the fuzzer finds; the tests below hand them pseudo-random input, so that every
//! test run exercises them a little.
use super::op::{self, Check};
use crate::codec::pickle::{self, Value};
use crate::entry::Flags;
use crate::key::Namespace;
use crate::{Codec, ErrorKind};
use std::collections::BTreeMap;

#[cfg(feature = "memcached-blocking")]
mod replies;
#[cfg(feature = "memcached-blocking")]
pub use replies::memcached_replies;

/// Splits input where the first byte says.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((&at, rest)) = data.split_first() else { return (&[], &[]) };
    rest.split_at(usize::from(at).min(rest.len()))
}

/// Full keys are `prefix:version:key`, whatever the parts hold, short or long.
pub fn keys(data: &[u8]) {
    let (number, texts) = data.split_at(data.len().min(8));
    let mut version = [0; 8];
    version[..number.len()].copy_from_slice(number);
    let version = i64::from_le_bytes(version);
    let (prefix, key) = split(texts);
    let (prefix, key) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(key));
    let namespace = Namespace::new(prefix.as_ref().into(), version, None);
    let full = namespace.full_key(&key);
    assert_eq!(*full, format!("{prefix}:{version}:{key}"));
    assert_eq!(*full.clone(), *full);
    assert!(full.starts_with(&namespace.shared_prefix().expect("there is no custom function")));
    let other = namespace.with_version(version.wrapping_add(1)).full_key(&key);
    assert_ne!(*other, *full, "two versions share a key");
}

type Mixed = BTreeMap<String, (Option<f64>, Vec<u8>, i128)>;

/// Any bytes under any flags are a value or an error, never a panic; what is written is read back.
pub fn codecs(data: &[u8]) {
    let (number, bytes) = data.split_at(data.len().min(4));
    let known = [Flags::RAW, Flags::PICKLE, Flags::INTEGER, Flags::TEXT, Flags::MESSAGE_PACK, Flags::JSON];
    let word = number.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
    for flags in known.into_iter().chain([Flags(word)]) {
        decoded::<String>(bytes, flags);
        decoded::<i64>(bytes, flags);
        decoded::<u128>(bytes, flags);
        decoded::<bool>(bytes, flags);
        decoded::<Vec<u8>>(bytes, flags);
        decoded::<Option<Vec<f64>>>(bytes, flags);
        decoded::<Mixed>(bytes, flags);
        decoded::<Value>(bytes, flags);
    }
    round_trip(data);
}

fn decoded<T: serde::de::DeserializeOwned>(bytes: &[u8], flags: Flags) {
    if let Err(error) = Codec::decode::<T>(bytes, flags) {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    Codec::preview(bytes, flags);
}

fn round_trip(data: &[u8]) {
    let (first, second) = split(data);
    let text = String::from_utf8_lossy(first).into_owned();
    let number =
        second.iter().fold(0_i128, |number, &byte| number.wrapping_mul(257).wrapping_add(byte.into()));
    let fraction = Some(number as f64 / 8.0);
    let mixed = Mixed::from([
        (text.clone(), (fraction, second.to_vec(), number)),
        (String::new(), (None, vec![], 0)),
    ]);
    for codec in
        ["messagepack", "json", "django", "raw"].into_iter().filter_map(|name| name.parse::<Codec>().ok())
    {
        same(codec, &number);
        same(codec, &text);
        same(codec, &second.to_vec());
        if codec != Codec::Raw {
            same(codec, &mixed);
            same(codec, &(text.clone(), fraction, number.is_positive()));
        }
    }
}

fn same<T>(codec: Codec, value: &T)
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let (bytes, flags) = codec.encode(value).unwrap_or_else(|error| panic!("{codec}: {value:?}: {error}"));
    let read =
        Codec::decode::<T>(&bytes, flags).unwrap_or_else(|error| panic!("{codec}: {value:?}: {error}"));
    assert_eq!(&read, value, "{codec}");
}

/// Reading a pickle never panics; what can be read can be written, and reads equal again.
pub fn pickle(data: &[u8]) {
    let Ok(value) = pickle::value_from_slice(data) else { return };
    let Ok(written) = pickle::to_vec(&value) else { return };
    let again = pickle::value_from_slice(&written).unwrap_or_else(|error| panic!("{value}: {error}"));
    // As text: NaN is not equal to itself.
    assert_eq!(again.to_string(), value.to_string());
    assert_eq!(pickle::to_vec(&again).ok(), Some(written), "writing is a function of the value");
}

/// Verbs against the model: a roomy store exactly, a tiny one as far as it may forget.
#[cfg(feature = "memory")]
pub fn memory(data: &[u8]) {
    use crate::backend::memory::{MemoryBackend, MemoryConfig, Policy};
    use crate::clock::ManualClock;
    let ops = op::decode(data);
    let roomy = MemoryConfig::bytes(1 << 30);
    let tiny = MemoryConfig::entries(5);
    for (config, check) in [
        (roomy.clone().with_shards(1), Check::Exact),
        (roomy.clone().with_shards(8), Check::Exact),
        (roomy.with_policy(Policy::Lru), Check::Exact),
        (tiny.clone(), Check::OneSided),
        (tiny.with_shards(4), Check::OneSided),
        (MemoryConfig::bytes(2_000), Check::OneSided),
        (MemoryConfig::lru(5, 3), Check::OneSided),
        (MemoryConfig::lru(5, 0), Check::OneSided),
    ] {
        let hand = ManualClock::new();
        let backend = MemoryBackend::with_clock(config.clone(), hand.clock());
        if let Err(difference) = op::run(&ops, &backend, &hand, check) {
            panic!("{config:?}: {difference}");
        }
    }
}

#[cfg(test)]
mod tests;
