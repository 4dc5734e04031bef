//! What these rooms promise, on real servers: the shared suite for each vendor and layout, then what only they have.
use super::config::{ServerConfig, Vendor};
use super::{ServerBackend, url};
use crate::backend::{Backend, GetOptions, SetOptions};
use crate::entry::Flags;
use crate::error::Result;
use crate::testing::servers::{
    MariaDbOptions, MariaDbServer, PostgresOptions, PostgresServer, mariadb_or_skip, postgres_or_skip,
};
use crate::testing::{Fixture, conformance};
use crate::timeout::Life;
use bytes::Bytes;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

mod failures;
mod fronts;
mod random;
mod room;
mod runtimes;
mod tables;
mod tls;

/// One server of each vendor for all tests of this process that need nothing special, a table for each.
static POSTGRES: LazyLock<PostgresServer> = LazyLock::new(|| PostgresServer::start(PostgresOptions::new()));
static MARIADB: LazyLock<MariaDbServer> = LazyLock::new(|| MariaDbServer::start(MariaDbOptions::new()));

/// A table that no other test has. Names of tables may hold blanks, and quotes.
fn table() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("case %22{}%22 of `many`", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn config(url: &str) -> ServerConfig {
    let vendor = if url.starts_with("mysql") { Vendor::MySql } else { Vendor::Postgres };
    let url = ::url::Url::parse(url).expect("the URL is right");
    let mut options = crate::Options::from_query(&url).expect("the options are right");
    url::read(vendor, &url, &mut options).expect("the options are right")
}

fn backend(url: &str) -> ServerBackend {
    ServerBackend::new(config(url)).expect("it opens")
}

/// A server to test with, of either vendor.
#[derive(Clone, Copy)]
enum Shared {
    Postgres,
    MariaDb,
}

impl Shared {
    /// Those that are on this machine.
    fn all(test: &str) -> Vec<Shared> {
        let postgres = postgres_or_skip(test).then_some(Shared::Postgres);
        postgres.into_iter().chain(mariadb_or_skip(test).then_some(Shared::MariaDb)).collect()
    }

    fn url(self) -> String {
        match self {
            Shared::Postgres => POSTGRES.url(),
            Shared::MariaDb => MARIADB.url(),
        }
    }

    /// What the vendor's own client prints for this; names of tables within `"`.
    fn sql(self, text: &str) -> String {
        match self {
            Shared::Postgres => POSTGRES.sql(text),
            Shared::MariaDb => MARIADB.sql(&text.replace('"', "`")),
        }
    }

    /// A backend on a table of this name.
    fn backend(self, layout: &str, table: &str) -> ServerBackend {
        backend(&format!("{}?layout={layout}&table={table}", self.url()))
    }
}

/// A plain name for a table that no other test has.
fn plain_table() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("plain{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn never() -> SetOptions {
    SetOptions::new(Life::Never)
}

fn set(backend: &ServerBackend, key: &str, value: &str) -> Result<bool> {
    backend.set(key, Bytes::copy_from_slice(value.as_bytes()), &never())
}

fn text(entry: crate::Entry) -> String {
    String::from_utf8_lossy(&entry.value).into_owned()
}

fn get(backend: &ServerBackend, key: &str) -> Result<Option<String>> {
    Ok(backend.get(key, &GetOptions::default())?.map(text))
}

async fn aset(backend: &ServerBackend, key: &str, value: &str) -> Result<bool> {
    backend.aset(key, Bytes::copy_from_slice(value.as_bytes()), &never()).await
}

async fn aget(backend: &ServerBackend, key: &str) -> Result<Option<String>> {
    Ok(backend.aget(key, &GetOptions::default()).await?.map(text))
}

/// Until it works again, at most this long.
fn recovers(backend: &ServerBackend, within: Duration) {
    let until = Instant::now() + within;
    while let Err(error) = set(backend, "recovered", "yes") {
        assert!(Instant::now() < until, "still: {error}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(get(backend, "recovered").unwrap().as_deref(), Some("yes"));
}

/// For the suite: within a runtime that outlives the tests.
fn enter(work: &mut dyn FnMut()) {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(runtime);
    let _entered = RUNTIME.enter();
    work();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("it starts")
}

fn fixture(server: &str, layout: &str) -> Fixture {
    let url = format!("{server}?layout={layout}&table={}", table());
    Fixture::by_hand(|clock| ServerBackend::with_clock(config(&url), clock).expect("it opens"))
        .with_runtime(enter)
}

fn on_postgres(layout: &str) -> Option<Fixture> {
    postgres_or_skip("conformance").then(|| fixture(&POSTGRES.url(), layout))
}

fn on_mariadb(layout: &str) -> Option<Fixture> {
    mariadb_or_skip("conformance").then(|| fixture(&MARIADB.url(), layout))
}

conformance!(postgres_own, or_skip, || on_postgres("own"));
conformance!(postgres_django, or_skip, || on_postgres("django"));
conformance!(mysql_own, or_skip, || on_mariadb("own"));
conformance!(mysql_django, or_skip, || on_mariadb("django"));
