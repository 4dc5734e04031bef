//! The contestants, each opened for one server with its own defaults, unless its name says otherwise.
use super::client::{Client, LIFE};
use async_memcached::AsciiProtocol;
use hotclub_memcached::reply::Tokens;
use hotclub_memcached::request::{Get, Store};
use hotclub_memcached::verb::{Item, Read, Write};
use hotclub_memcached::{Config, Key, Problem, Server, SetOptions, Tasks, Value};
use memcache::exp::{AsyncMemcache, Memcache, Ttl};
use memcache::{ConnectionManager, Url};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

type Owned = Option<Vec<u8>>;

fn owned(data: &[u8], _: Tokens<'_>) -> Result<Vec<u8>, Problem> {
    Ok(data.to_vec())
}

fn ttl() -> Ttl {
    Duration::from_secs(LIFE.into()).into()
}

/// hotclub's client for threads.
pub(super) struct Hotclub(hotclub_memcached::Client);

pub(super) fn hotclub(address: SocketAddr) -> Hotclub {
    let server = Server::Tcp(address.ip().to_string(), address.port());
    let config = Config::new(vec![server]).expect("there is a server");
    Hotclub(hotclub_memcached::Client::new(config).expect("these are the defaults"))
}

impl Client for Hotclub {
    const NAME: &'static str = "hotclub Client";
    type Found = Option<Value>;
    type Many = Vec<Option<Value>>;

    async fn get(&self, key: &str) -> Self::Found {
        self.0.get(key).expect(Self::NAME)
    }
    async fn set(&self, key: &str, value: &[u8]) {
        assert!(self.0.set(key, value, &SetOptions::lasting(LIFE.into())).expect(Self::NAME));
    }
    async fn get_many(&self, keys: &[&str]) -> Self::Many {
        self.0.get_many(keys).expect(Self::NAME)
    }
    async fn set_many(&self, items: &[(&str, &[u8])]) {
        let stored = self.0.set_many(items, &SetOptions::lasting(LIFE.into())).expect(Self::NAME);
        assert!(stored.iter().all(|&one| one));
    }
    fn value(found: Self::Found) -> Owned {
        found.map(|value| value.data.into())
    }
    fn values(_keys: &[&str], many: Self::Many) -> Vec<Owned> {
        many.into_iter().map(Self::value).collect()
    }
}

/// hotclub's client for tasks.
pub(super) struct HotclubTasks {
    tasks: Tasks,
    client: hotclub_memcached::Client,
}

pub(super) fn hotclub_tasks(address: SocketAddr) -> HotclubTasks {
    HotclubTasks { tasks: Tasks::default(), client: hotclub(address).0 }
}

impl HotclubTasks {
    async fn read(&self, keys: &[&str]) -> Vec<Owned> {
        let keys: Vec<Key<'_>> = keys.iter().map(|&key| Key::new(key).expect(Self::NAME)).collect();
        let absent = self.client.config().absent;
        let read = Read { keys: keys.into(), get: Get::default(), absent, found: owned };
        self.tasks.ask(&self.client, &read).await.expect(Self::NAME)
    }

    async fn write(&self, name: &'static str, items: &[(&str, &[u8])]) {
        let mut store = Store::default();
        store.exptime = LIFE.into();
        let item = |&(key, value): &(_, _)| Item {
            key: Key::new(key).expect(Self::NAME),
            value: Cow::Borrowed(value),
            store,
        };
        let items: Vec<Item<'_>> = items.iter().map(item).collect();
        let write = Write { name, items: items.into(), absent: self.client.config().absent };
        let stored = self.tasks.ask(&self.client, &write).await.expect(Self::NAME);
        assert!(stored.iter().all(Result::is_ok));
    }
}

impl Client for HotclubTasks {
    const NAME: &'static str = "hotclub Tasks";
    type Found = Owned;
    type Many = Vec<Owned>;

    async fn get(&self, key: &str) -> Self::Found {
        self.read(&[key]).await.pop().flatten()
    }
    async fn set(&self, key: &str, value: &[u8]) {
        self.write("set", &[(key, value)]).await;
    }
    async fn get_many(&self, keys: &[&str]) -> Self::Many {
        self.read(keys).await
    }
    async fn set_many(&self, items: &[(&str, &[u8])]) {
        self.write("set_many", items).await;
    }
    fn value(found: Self::Found) -> Owned {
        found
    }
    fn values(_keys: &[&str], many: Self::Many) -> Vec<Owned> {
        many
    }
}

/// The client that `memcache` has had for years. By default its pool asks the server for its version before each call.
pub(super) struct Classic<const TESTS: bool>(memcache::Client);

pub(super) fn classic(address: SocketAddr) -> Classic<true> {
    Classic(memcache::connect(url(address)).expect("the server answers"))
}

pub(super) fn classic_untested(address: SocketAddr) -> Classic<false> {
    let manager = ConnectionManager::new(Url::parse(&url(address)).expect("it is one"));
    let pool = r2d2::Pool::builder().test_on_check_out(false).build(manager).expect("the server answers");
    Classic(memcache::Client::with_pool(pool).expect("a pool is all it needs"))
}

fn url(address: SocketAddr) -> String {
    format!("memcache://{address}")
}

fn in_order(keys: &[&str], mut found: HashMap<String, Vec<u8>>) -> Vec<Owned> {
    keys.iter().map(|&key| found.remove(key)).collect()
}

impl<const TESTS: bool> Client for Classic<TESTS> {
    const NAME: &'static str =
        if TESTS { "memcache Client" } else { "memcache Client; pool that does not test" };
    type Found = Owned;
    type Many = HashMap<String, Vec<u8>>;

    async fn get(&self, key: &str) -> Self::Found {
        self.0.get(key).expect(Self::NAME)
    }
    async fn set(&self, key: &str, value: &[u8]) {
        self.0.set(key, value, LIFE).expect(Self::NAME);
    }
    async fn get_many(&self, keys: &[&str]) -> Self::Many {
        self.0.gets(keys).expect(Self::NAME)
    }
    async fn set_many(&self, items: &[(&str, &[u8])]) {
        for &(key, value) in items {
            self.set(key, value).await;
        }
    }
    fn value(found: Self::Found) -> Owned {
        found
    }
    fn values(keys: &[&str], many: Self::Many) -> Vec<Owned> {
        in_order(keys, many)
    }
}

/// What `memcache` calls experimental, on the meta protocol; for threads.
pub(super) struct Experimental(Memcache);

pub(super) fn experimental(address: SocketAddr) -> Experimental {
    Experimental(Memcache::connect([address]).expect("the server answers"))
}

impl Client for Experimental {
    const NAME: &'static str = "memcache exp::Memcache";
    type Found = Owned;
    type Many = HashMap<String, Vec<u8>>;

    async fn get(&self, key: &str) -> Self::Found {
        self.0.get(key).expect(Self::NAME)
    }
    async fn set(&self, key: &str, value: &[u8]) {
        self.0.set(key, value, ttl()).expect(Self::NAME);
    }
    async fn get_many(&self, keys: &[&str]) -> Self::Many {
        self.0.get_many(keys.iter().map(|&key| key.to_owned())).expect(Self::NAME)
    }
    async fn set_many(&self, items: &[(&str, &[u8])]) {
        self.0.set_many(items.iter().copied(), ttl()).expect(Self::NAME);
    }
    fn value(found: Self::Found) -> Owned {
        found
    }
    fn values(keys: &[&str], many: Self::Many) -> Vec<Owned> {
        in_order(keys, many)
    }
}

/// The same for tasks.
pub(super) struct ExperimentalAsync(AsyncMemcache);

pub(super) async fn experimental_async(address: SocketAddr) -> ExperimentalAsync {
    ExperimentalAsync(AsyncMemcache::connect([address]).await.expect("the server answers"))
}

impl Client for ExperimentalAsync {
    const NAME: &'static str = "memcache exp::AsyncMemcache";
    type Found = Owned;
    type Many = HashMap<String, Vec<u8>>;

    async fn get(&self, key: &str) -> Self::Found {
        self.0.get(key).await.expect(Self::NAME)
    }
    async fn set(&self, key: &str, value: &[u8]) {
        self.0.set(key, value, ttl()).await.expect(Self::NAME);
    }
    async fn get_many(&self, keys: &[&str]) -> Self::Many {
        self.0.get_many(keys.iter().map(|&key| key.to_owned())).await.expect(Self::NAME)
    }
    async fn set_many(&self, items: &[(&str, &[u8])]) {
        self.0.set_many(items.iter().copied(), ttl()).await.expect(Self::NAME);
    }
    fn value(found: Self::Found) -> Owned {
        found
    }
    fn values(keys: &[&str], many: Self::Many) -> Vec<Owned> {
        in_order(keys, many)
    }
}

/// One connection, for one task at a time.
pub(super) struct AsyncMemcached(RefCell<async_memcached::Client>);

pub(super) async fn async_memcached(address: SocketAddr) -> AsyncMemcached {
    let client = async_memcached::Client::new(format!("tcp://{address}")).await;
    AsyncMemcached(RefCell::new(client.expect("the server answers")))
}

// One task alone asks, so the borrow is never contended.
#[allow(clippy::await_holding_refcell_ref)]
impl Client for AsyncMemcached {
    const NAME: &'static str = "async-memcached";
    type Found = Option<async_memcached::Value>;
    type Many = Vec<async_memcached::Value>;

    async fn get(&self, key: &str) -> Self::Found {
        self.0.borrow_mut().get(key).await.expect(Self::NAME)
    }
    async fn set(&self, key: &str, value: &[u8]) {
        self.0.borrow_mut().set(key, value, Some(LIFE.into()), None).await.expect(Self::NAME);
    }
    async fn get_many(&self, keys: &[&str]) -> Self::Many {
        self.0.borrow_mut().get_multi(keys).await.expect(Self::NAME)
    }
    async fn set_many(&self, items: &[(&str, &[u8])]) {
        let mut client = self.0.borrow_mut();
        let stored = client.set_multi(items, Some(LIFE.into()), None).await.expect(Self::NAME);
        assert!(stored.len() == items.len() && stored.values().all(Result::is_ok));
    }
    fn value(found: Self::Found) -> Owned {
        found.and_then(|value| value.data)
    }
    fn values(keys: &[&str], many: Self::Many) -> Vec<Owned> {
        let found = many.into_iter().map(|value| (String::from_utf8_lossy(&value.key).into(), value.data));
        let found: HashMap<String, Owned> = found.collect();
        keys.iter().map(|&key| found.get(key).cloned().flatten()).collect()
    }
}
