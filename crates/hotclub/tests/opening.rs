//! Opening caches: by URL, by table, by hand; what is refused, and how the refusal helps.
use hotclub::backend::memory::MemoryBackend;
use hotclub::blocking::Cache;
use hotclub::{CacheConfig, Caches, Error, ErrorKind, Registry, Ttl};
use std::sync::Arc;
use std::time::Duration;

fn refused(url: &str) -> String {
    let error: Error = Cache::open(url).expect_err(url);
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_temporary());
    error.to_string()
}

fn left(cache: &Cache, key: &str) -> Duration {
    match cache.ttl(key).unwrap() {
        Ttl::Left(time) => time,
        other => panic!("{key} has {other:?}"),
    }
}

#[test]
fn a_url_says_everything() {
    let cache = Cache::open(
        "memory://?max_bytes=16MiB&policy=lru&prefix=shop&version=3&timeout=60&jitter=0&codec=json",
    )
    .unwrap();
    assert_eq!((cache.version(), cache.backend().scheme()), (3, "memory"));
    assert_eq!(cache.backend().capability().max_value, Some(16 << 20));
    cache.set("key", "value").unwrap();
    let entry = cache.backend().get("shop:3:key", &Default::default()).unwrap().unwrap();
    assert_eq!((&entry.value[..], entry.flags), (&br#""value""#[..], hotclub::Flags::JSON));
    assert!(left(&cache, "key") <= Duration::from_secs(60));
}

#[test]
fn names_of_options_and_backends_may_be_in_upper_case() {
    let cache = Cache::open("MEMORY://?PREFIX=shop&Timeout=NEVER&POLICY=LRU&MAX_ENTRIES=5").unwrap();
    cache.set("key", &1).unwrap();
    assert_eq!(cache.ttl("key").unwrap(), Ttl::Never);
    assert!(cache.with_prefix("shop").has("key").unwrap());
}

#[test]
fn a_dummy_keeps_nothing() {
    let cache = Cache::open("dummy://").unwrap();
    cache.set("key", &1).unwrap();
    assert_eq!(cache.get::<i32>("key").unwrap(), None);
    assert_eq!(cache.get_or_set("key", |_| 7).unwrap(), 7);
    assert_eq!(cache.incr("key", 1).unwrap_err().kind(), ErrorKind::KeyNotFound);
    assert!(cache.stats().is_none());
}

#[test]
fn an_unknown_backend_names_the_known_ones() {
    for url in ["memroy://", "memcache", "", "://", "oracle://host/table"] {
        let message = refused(url);
        assert!(message.contains("known are dummy, ") && message.contains(", memory"), "{message}");
    }
}

#[test]
fn an_unknown_option_names_the_known_ones() {
    let message = refused("memory://?max_entires=5");
    assert!(message.starts_with("memory: open failed"), "{message}");
    for word in ["max_entires", "max_entries", "cull_frequency", "prefix", "timeout"] {
        assert!(message.contains(word), "{word} is missing: {message}");
    }
    assert!(refused("dummy://?max_entries=5").contains("max_entries"));
}

#[test]
fn wrong_values_are_refused_with_their_option() {
    for (option, values) in [
        ("max_entries", &["0", "-1", "many", "1.5", ""][..]),
        ("cull_frequency", &["-1", "x"]),
        ("max_bytes", &["0", "-5", "64 parsecs", ""]),
        ("policy", &["fifo", ""]),
        ("version", &["one", "1.0"]),
        ("timeout", &["soon", "nan", ""]),
        ("jitter", &["-0.1", "1.1", "nan", "x"]),
        ("codec", &["yaml", ""]),
    ] {
        for value in values {
            let message = refused(&format!("memory://?{option}={value}"));
            assert!(message.contains(option), "{option}={value}: {message}");
        }
    }
}

#[test]
fn an_option_given_twice_is_refused() {
    assert!(refused("memory://?prefix=a&PREFIX=b").contains("twice"));
    assert!(refused("memory://one?name=two").contains("twice"));
    let config = CacheConfig::url("memory://?prefix=a").option("prefix", "b");
    assert!(Cache::from_config(&config).unwrap_err().to_string().contains("twice"));
}

#[test]
fn one_name_is_one_store_in_this_process() {
    let one = Cache::open("memory://opening_one?prefix=a").unwrap();
    let two = Cache::open("memory://?name=opening_one&prefix=b").unwrap();
    let (other, own) = (Cache::open("memory://opening_two").unwrap(), Cache::open("memory://").unwrap());
    one.with_prefix("").set("key", &7).unwrap();
    assert_eq!(two.with_prefix("").get::<i32>("key").unwrap(), Some(7));
    assert_eq!((other.get::<i32>("key").unwrap(), own.get::<i32>("key").unwrap()), (None, None));
}

#[test]
fn one_name_with_other_options_is_refused() {
    Cache::open("memory://opening_fixed?max_entries=10").unwrap();
    Cache::open("memory://opening_fixed?max_entries=10&prefix=other&timeout=5").unwrap();
    assert!(refused("memory://opening_fixed?max_entries=11").contains("opening_fixed"));
}

#[test]
fn tables_open_many_caches() {
    let text = r#"
        [default]
        url = "memory://?max_bytes=16MiB"
        prefix = "shop"

        [sessions]
        backend = "memory"
        MAX_ENTRIES = 100_000
        timeout = "never"

        [off]
        backend = "dummy"
    "#;
    let toml = Caches::from_toml(text).unwrap();
    let json = Caches::from_json(
        r#"{"default": {"url": "memory://?max_bytes=16MiB", "prefix": "shop"},
            "sessions": {"backend": "memory", "max_entries": 100000, "timeout": null},
            "off": {"backend": "dummy"}}"#,
    )
    .unwrap();
    for caches in [toml, json] {
        assert_eq!(caches.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["default", "off", "sessions"]);
        let sessions = caches.get("sessions").unwrap().blocking();
        sessions.set("key", &1).unwrap();
        assert_eq!(sessions.ttl("key").unwrap(), Ttl::Never);
        assert_eq!(sessions.backend().capability().max_value, None);
        let message = caches.get("session").unwrap_err().to_string();
        assert!(message.contains("default, off, sessions"), "{message}");
    }
}

#[test]
fn a_wrong_table_names_its_cache_and_its_fault() {
    for (table, words) in [
        (r#"{"blog": {"backend": "memroy"}}"#, &["blog", "memroy"][..]),
        (r#"{"blog": {"backend": "memory", "max_entires": 5}}"#, &["blog", "max_entires"]),
        (r#"{"blog": {"backend": "memory", "timeout": true}}"#, &["blog", "timeout"]),
        (r#"{"blog": {"timeout": 5}}"#, &["blog", "`url` or `backend`"]),
        (r#"{"blog": {"url": "memory://", "backend": "memory"}}"#, &["blog", "`url` or `backend`"]),
        (r#"{"blog": {"backend": ["memory"]}}"#, &["table"]),
        ("[]", &["table"]),
        ("{", &["table"]),
    ] {
        let error = Caches::from_json(table).expect_err(table);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{table}: {error}");
    }
}

#[test]
fn a_registry_takes_rooms_of_others() {
    let mut registry = Registry::default();
    let open: hotclub::Opener = |_, options| {
        let size = options.take_integer("size")?.unwrap_or(1 << 20);
        Ok(Arc::new(MemoryBackend::new(hotclub::backend::memory::MemoryConfig::bytes(size as usize))))
    };
    registry.register(hotclub::Room {
        scheme: "mine",
        aliases: &["our"],
        options: &[("size", "in bytes")],
        open,
    });
    let cache = registry.open("mine://?size=5000").unwrap();
    assert_eq!(cache.backend().capability().max_value, Some(5000));
    assert!(registry.open("our://?size=5000").is_ok());
    let message = registry.open("mine://?sise=5000").unwrap_err().to_string();
    assert!(message.contains("sise") && message.contains("known are size"), "{message}");
}

#[test]
fn jitter_shortens_by_at_most_its_share() {
    let cache = Cache::open("memory://?jitter=0.2&timeout=1000").unwrap();
    let times: Vec<Duration> = (0..200)
        .map(|n| {
            let key = n.to_string();
            cache.set(&key, &n).unwrap();
            left(&cache, &key)
        })
        .collect();
    let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(
        *least >= Duration::from_secs(795) && *most <= Duration::from_secs(1_000),
        "{least:?} to {most:?}"
    );
    assert!(*most - *least > Duration::from_secs(100), "spread over the whole range: {least:?} to {most:?}");
    cache.set_for("never", &1, None::<u32>).unwrap();
    assert_eq!(cache.ttl("never").unwrap(), Ttl::Never);
}
