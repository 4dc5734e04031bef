//! What this room promises, on real servers: the shared suite for each variant, then what only it has.
use super::RedisBackend;
use crate::registry::Registry;
use crate::testing::servers::{RedisOptions, RedisServer, redis_or_skip};
use crate::testing::{Fixture, conformance};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

mod failures;

/// One server for all tests of this process that need nothing special, a database for each.
static SERVER: LazyLock<RedisServer> =
    LazyLock::new(|| RedisServer::start(RedisOptions::new().databases(DATABASES)));
const DATABASES: usize = 1000;

/// A URL of an empty database, which no other test has.
fn database() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    SERVER.url_db(NEXT.fetch_add(1, Ordering::Relaxed) % DATABASES)
}

fn open(url: &str) -> Arc<dyn crate::backend::Backend> {
    Registry::default().open(url).expect("the URL is right").backend().clone()
}

fn backend(url: &str) -> RedisBackend {
    let url = url::Url::parse(url).expect("the URL is right");
    let mut options = crate::Options::from_query(&url).expect("the options are right");
    RedisBackend::new(super::url::read(&url, &mut options).expect("the options are right")).expect("it opens")
}

fn fixture(test: &str, url: impl FnOnce() -> String) -> Option<Fixture> {
    redis_or_skip(test).then(|| {
        let url = url();
        Fixture::in_real_time(|| backend(&url)).with_unit(Duration::from_millis(120))
    })
}

conformance!(standalone, or_skip, || fixture("standalone", database));
conformance!(resp3, or_skip, || fixture("resp3", || format!("{}?protocol=3", database())));
conformance!(unix_socket, or_skip, || fixture("unix_socket", || {
    let number = database().rsplit('/').next().map(str::to_owned).unwrap_or_default();
    format!("redis+unix://{}?db={number}", SERVER.unix_path().display())
}));
