//! Prefixes, versions and key functions: what keeps caches apart that share a store.
use hotclub::backend::memory::MemoryBackend;
use hotclub::blocking::Cache;
use hotclub::{ErrorKind, Ttl};
use std::sync::Arc;

fn seen(cache: &Cache, full_key: &str) -> bool {
    cache.backend().get(full_key, &Default::default()).unwrap().is_some()
}

#[test]
fn full_keys_are_prefix_version_key() {
    let cache = Cache::memory();
    cache.set("foo", &1).unwrap();
    cache.with_prefix("shop").with_version(-2).set("a:b é", &2).unwrap();
    assert!(seen(&cache, ":1:foo") && seen(&cache, "shop:-2:a:b é"));
}

#[test]
fn views_share_the_store_and_not_the_keys() {
    let cache = Cache::memory();
    let (shop, second) = (cache.with_prefix("shop"), cache.with_version(2));
    cache.set("key", &1).unwrap();
    shop.set("key", &2).unwrap();
    second.set("key", &3).unwrap();
    let read = |cache: &Cache| cache.get::<i32>("key").unwrap();
    assert_eq!((read(&cache), read(&shop), read(&second)), (Some(1), Some(2), Some(3)));
    assert_eq!(read(&shop.with_prefix("")), Some(1));
    assert_eq!((second.version(), second.with_version(1).version()), (2, 1));
    assert!(Arc::ptr_eq(cache.backend(), second.backend()));
    shop.delete("key").unwrap();
    assert_eq!((read(&cache), read(&shop), read(&second)), (Some(1), None, Some(3)));
}

#[test]
fn clear_removes_everything_whatever_the_prefix() {
    let cache = Cache::memory();
    let shop = cache.with_prefix("shop");
    cache.set("key", &1).unwrap();
    shop.set("key", &2).unwrap();
    shop.clear().unwrap();
    assert!(!cache.has("key").unwrap() && !shop.has("key").unwrap(), "as Django's clear");
}

#[test]
fn clear_prefix_removes_all_versions_of_its_own_prefix() {
    let cache = Cache::memory();
    let (shop, shopping) = (cache.with_prefix("shop"), cache.with_prefix("shopping"));
    for view in [&cache, &shop, &shop.with_version(2), &shopping] {
        view.set("key", &1).unwrap();
    }
    shop.clear_prefix().unwrap();
    assert!(!shop.has("key").unwrap() && !shop.with_version(2).has("key").unwrap());
    assert!(cache.has("key").unwrap() && shopping.has("key").unwrap());
}

#[test]
fn a_key_function_composes_alone_and_hides_the_prefix() {
    let cache = hotclub::Cache::builder()
        .backend(Arc::new(MemoryBackend::default()))
        .prefix("shop")
        .version(7)
        .key_function(|key, prefix, version| format!("{prefix}-{key}-{version}"))
        .build()
        .blocking();
    cache.set("key", &1).unwrap();
    assert!(seen(&cache, "shop-key-7") && cache.has("key").unwrap());
    assert!(
        seen(&cache, "shop-key-7") && !cache.with_version(8).has("key").unwrap(),
        "views keep the function"
    );
    let error = cache.clear_prefix().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("key function"), "{error}");
    assert!(cache.has("key").unwrap(), "nothing was cleared");
}

#[test]
fn a_version_move_takes_the_value_along_with_the_default_timeout() {
    let cache = Cache::memory();
    cache.set_for("key", "value", None::<u32>).unwrap();
    assert_eq!(cache.incr_version("key", 1).unwrap(), 2);
    assert_eq!(cache.get::<String>("key").unwrap(), None);
    let second = cache.with_version(2);
    assert_eq!(second.get::<String>("key").unwrap().as_deref(), Some("value"));
    assert!(matches!(second.ttl("key").unwrap(), Ttl::Left(_)), "the default timeout, as in Django");
    assert_eq!(second.decr_version("key", 1).unwrap(), 1);
    assert!(cache.has("key").unwrap() && !second.has("key").unwrap());
    assert_eq!(cache.incr_version("missing", 1).unwrap_err().kind(), ErrorKind::KeyNotFound);
    let last = cache.with_version(i64::MAX);
    last.set("key", &1).unwrap();
    assert_eq!(last.incr_version("key", 1).unwrap_err().kind(), ErrorKind::NotAnInteger);
    assert!(last.has("key").unwrap());
}
