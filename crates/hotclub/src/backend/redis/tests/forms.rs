//! The bytes that lie on the server: Django's where Django's are asked for, and readable by every cache of ours.
use super::*;
use crate::blocking::Cache;
use crate::codec::pickle::Value;
use crate::testing::servers::Reply;
use crate::{Codec, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// A database of its own, seen by caches and from below.
struct Store {
    number: usize,
    url: String,
}

impl Store {
    fn new(test: &str) -> Option<Store> {
        redis_or_skip(test).then(|| {
            let url = database();
            Store { number: url.rsplit('/').next().unwrap().parse().unwrap(), url }
        })
    }

    fn cache(&self, codec: &str) -> Cache {
        Cache::open(&format!("{}?codec={codec}", self.url)).unwrap()
    }

    fn raw(&self, command: &[&[u8]]) -> Reply {
        let number = self.number.to_string();
        SERVER.ask_all(&[&[b"SELECT", number.as_bytes()], command]).remove(1)
    }

    fn bytes(&self, key: &str) -> Vec<u8> {
        match self.raw(&[b"GET", format!(":1:{key}").as_bytes()]) {
            Reply::Bytes(bytes) => bytes,
            other => panic!("{key}: {other:?}"),
        }
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        self.raw(&[b"SET", format!(":1:{key}").as_bytes(), bytes]);
    }

    /// Through `set`, and in a `set_many`.
    #[track_caller]
    fn written<T: Serialize>(&self, codec: &str, value: &T, expected: &[u8]) {
        let cache = self.cache(codec);
        cache.set("one", value).unwrap();
        assert_eq!(self.bytes("one").escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(cache.set_many([("many", value)]).unwrap(), [""; 0]);
        assert_eq!(self.bytes("many"), expected);
    }

    #[track_caller]
    fn read<T: DeserializeOwned + PartialEq + std::fmt::Debug>(&self, bytes: &[u8], expected: &T) {
        self.put("key", bytes);
        for codec in CODECS {
            let cache = self.cache(codec);
            assert_eq!(cache.get::<T>("key").unwrap().as_ref(), Some(expected), "{codec}");
            assert_eq!(cache.get_many::<T, _>(["key"]).unwrap().get("key"), Some(expected), "{codec}");
        }
    }
}

const CODECS: [&str; 4] = ["django", "messagepack", "json", "raw"];

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// WIRE.md, section 2.
const GOLDEN: &[(Value, &str)] = &[
    (Value::None, "80054e2e"),
    (Value::Bool(true), "8005882e"),
    (Value::Bool(false), "8005892e"),
    (Value::Float(1.5), "8005950a00000000000000473ff80000000000002e"),
];

#[test]
fn django_reads_what_the_codec_django_writes() {
    let Some(store) = Store::new("django_reads_what_the_codec_django_writes") else { return };
    for (value, golden) in GOLDEN {
        store.written("django", value, &hex(golden));
    }
    store.written("django", &"hi", &hex("80059506000000000000008c026869942e"));
    store.written("django", &"é", &hex("80059506000000000000008c02c3a9942e"));
    store.written("django", &(1, "a"), &hex("80059509000000000000004b018c01619486942e"));
    store.written("django", &vec![1, 2], &hex("80059509000000000000005d94284b014b02652e"));
    let mapping = BTreeMap::from([("a", 1)]);
    store.written("django", &mapping, &hex("8005950a000000000000007d948c0161944b01732e"));
}

#[test]
fn whole_numbers_are_bare_digits_under_every_codec() {
    let Some(store) = Store::new("whole_numbers_are_bare_digits_under_every_codec") else { return };
    for codec in CODECS {
        store.written(codec, &42, b"42");
        store.written(codec, &-7, b"-7");
        store.written(codec, &(1_i128 << 80), b"1208925819614629174706176");
        store.cache(codec).set("counter", &41).unwrap();
        assert_eq!(store.cache(codec).incr("counter", 1).unwrap(), 42);
        assert_eq!(store.bytes("counter"), b"42");
    }
    store.written("messagepack", &true, b"\xc1\xc3");
    store.written("django", &true, b"\x80\x05\x88.");
}

#[test]
fn numbers_are_what_django_takes_for_numbers() {
    let Some(store) = Store::new("numbers_are_what_django_takes_for_numbers") else { return };
    for (bytes, number) in [(&b" 12 "[..], 12), (b"+5", 5), (b"1_000", 1000), (b"0012", 12), (b"-7\n", -7)] {
        store.read(bytes, &number);
    }
}

#[test]
fn every_cache_reads_what_django_wrote() {
    let Some(store) = Store::new("every_cache_reads_what_django_wrote") else { return };
    store.read(&hex("80059506000000000000008c026869942e"), &"hi".to_owned());
    store.read(&hex("80049506000000000000008c026869942e"), &"hi".to_owned());
    store.read(b"I42\n.", &42);
    store.read(&hex("80054b2a2e"), &42);
    store.read(&hex("80059509000000000000005d94284b014b02652e"), &vec![1, 2]);
    store.read(&hex("80054e2e"), &Option::<i64>::None);
}

#[test]
fn every_cache_reads_what_every_other_wrote() {
    let Some(store) = Store::new("every_cache_reads_what_every_other_wrote") else { return };
    for (codec, first) in [("messagepack", 0xc1), ("json", 0xf5), ("raw", 0xf7), ("django", 0x80)] {
        store.cache(codec).set("text", "Nuages ☁").unwrap();
        let bytes = store.bytes("text");
        assert_eq!(bytes[0], first, "{codec}");
        store.read(&bytes, &"Nuages ☁".to_owned());
    }
    store.cache("raw").set("octets", &vec![0_u8, 255]).unwrap();
    assert_eq!(store.bytes("octets"), [0xf6, 0, 255]);
    store.read(&[0xf6, 0, 255], &vec![0_u8, 255]);
    store.read(&[0xf6], &Vec::<u8>::new());
}

#[test]
fn what_is_no_entry_is_an_error_and_no_miss() {
    let Some(store) = Store::new("what_is_no_entry_is_an_error_and_no_miss") else { return };
    for bytes in [&b""[..], b"hello", b"1.0", b"\xc1", b"\xf5{", b"\xff\xff"] {
        store.put("key", bytes);
        let error = store.cache("django").get::<String>("key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{}: {error}", bytes.escape_ascii());
        assert!(error.to_string().contains("key"), "{error}");
    }
}

#[test]
fn entries_keep_their_form_on_every_road() {
    let Some(store) = Store::new("entries_keep_their_form_on_every_road") else { return };
    let cache = store.cache("messagepack");
    let page = || vec!["a".to_owned(), "b".to_owned()];
    let made: Vec<String> = cache.get_or_set("page", |_| page()).unwrap();
    let bytes = store.bytes("page");
    assert_eq!((made, bytes[0]), (page(), 0xc1));
    assert_eq!(cache.get_or_set("page", |_| Vec::<String>::new()).unwrap(), page());
    assert_eq!(cache.incr_version("page", 1).unwrap(), 2);
    assert_eq!(cache.with_version(2).get::<Vec<String>>("page").unwrap(), Some(page()));
    assert!(cache.add("added", "x").unwrap());
    assert_eq!(store.bytes("added"), b"\xc1\xa1x");
    let (_, table) = crate::trace::record(|| cache.with_version(2).get::<Vec<String>>("page"));
    assert_eq!(table.steps()[0].get_result, "['a', 'b']");
}

#[test]
fn tasks_and_threads_share_entries() {
    let Some(store) = Store::new("tasks_and_threads_share_entries") else { return };
    let cache = crate::Cache::open(&format!("{}?codec=django", store.url)).unwrap();
    ::tokio::runtime::Runtime::new().unwrap().block_on(async {
        cache.set_many([("a", "1"), ("b", "2")]).await.unwrap();
        let loaded: String = cache.get_or_set("c", |_| async { "3".to_owned() }).await.unwrap();
        assert_eq!(loaded, "3");
        assert_eq!(cache.get_many::<String, _>(["a", "b", "c"]).await.unwrap().len(), 3);
        assert!(matches!(cache.ttl("a").await.unwrap(), crate::Ttl::Left(_)));
    });
    assert_eq!(cache.blocking().get::<String>("c").unwrap().as_deref(), Some("3"));
    assert_eq!(store.bytes("a"), Codec::Pickle.encode("1").unwrap().0);
}
