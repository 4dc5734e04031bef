//! What this room promises, on real servers: the shared suite for each variant, then what only it has.
use super::RedisBackend;
use crate::testing::servers::{RedisOptions, RedisServer, redis_or_skip};
use crate::testing::{Fixture, conformance};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

mod awaited;
mod cluster;
mod failures;
mod forms;
mod prefixed;
mod replicas;
mod sentinel;
mod tls;
mod tokio;
mod words;

/// One server for all tests of this process that need nothing special, a database for each.
static SERVER: LazyLock<RedisServer> =
    LazyLock::new(|| RedisServer::start(RedisOptions::new().databases(DATABASES)));
const DATABASES: usize = 1000;

/// A URL of an empty database, which no other test has.
fn database() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    SERVER.url_db(NEXT.fetch_add(1, Ordering::Relaxed) % DATABASES)
}

fn config(url: &str) -> super::RedisConfig {
    let url = url::Url::parse(url).expect("the URL is right");
    let mut options = crate::Options::from_query(&url).expect("the options are right");
    super::url::read(&url, &mut options).expect("the options are right")
}

fn backend(url: &str) -> RedisBackend {
    RedisBackend::new(config(url)).expect("it opens")
}

fn fixture(test: &str, url: impl FnOnce() -> String) -> Option<Fixture> {
    redis_or_skip(test).then(|| {
        let url = url();
        Fixture::in_real_time(|| backend(&url)).with_unit(UNIT).with_runtime(tokio::enter)
    })
}

/// The shortest life in the cases about time.
const UNIT: Duration = Duration::from_millis(450);

conformance!(standalone, or_skip, || fixture("standalone", database));
conformance!(resp3, or_skip, || fixture("resp3", || format!("{}?protocol=3", database())));
conformance!(unix_socket, or_skip, || fixture("unix_socket", || {
    let number = database().rsplit('/').next().map(str::to_owned).unwrap_or_default();
    format!("redis+unix://{}?db={number}", SERVER.unix_path().display())
}));
