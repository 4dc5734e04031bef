//! A client as the benches see it, and the loops around its verbs.
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Seconds that every entry lives.
pub(super) const LIFE: u32 = 3600;
const MANY: usize = 100;

#[derive(Clone, Copy)]
pub(super) enum Verb {
    Get,
    Set,
    GetMany,
    SetMany,
}

impl Verb {
    pub(super) const ALL: [Verb; 4] = [Verb::Get, Verb::Set, Verb::GetMany, Verb::SetMany];

    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::Set => "set",
            Verb::GetMany => "get_many(100)",
            Verb::SetMany => "set_many(100)",
        }
    }
}

/// Clients that block do so in these. What a client has no verb for, it does in a loop; what fails ends the bench.
pub(super) trait Client {
    const NAME: &'static str;
    /// What a read gives, as the client gives it: making it the same for all is not timed.
    type Found;
    /// The same for many keys.
    type Many;

    async fn get(&self, key: &str) -> Self::Found;
    async fn set(&self, key: &str, value: &[u8]);
    async fn get_many(&self, keys: &[&str]) -> Self::Many;
    async fn set_many(&self, items: &[(&str, &[u8])]);

    fn value(found: Self::Found) -> Option<Vec<u8>>;
    /// In the order of the keys.
    fn values(keys: &[&str], many: Self::Many) -> Vec<Option<Vec<u8>>>;
}

/// A client with what it is asked.
pub(super) struct Asked<C> {
    client: C,
    keys: Vec<String>,
    values: Vec<Vec<u8>>,
}

impl<C: Client> Asked<C> {
    pub(super) fn new(client: C) -> Self {
        static CONTESTANTS: AtomicUsize = AtomicUsize::new(0);
        let number = CONTESTANTS.fetch_add(1, Relaxed);
        let keys = (0..MANY).map(|index| format!("bench{number}:user:{index:06}"));
        let values = (0..MANY).map(|index| format!("Minor Swing {index}").into_bytes());
        Asked { client, keys: keys.collect(), values: values.collect() }
    }

    fn keys(&self) -> Vec<&str> {
        self.keys.iter().map(String::as_str).collect()
    }

    fn items(&self) -> Vec<(&str, &[u8])> {
        self.keys().into_iter().zip(self.values.iter().map(Vec::as_slice)).collect()
    }

    /// Every verb does what is to be timed.
    pub(super) async fn verify(&self) {
        let (client, keys, (key, value)) = (&self.client, self.keys(), self.items()[0]);
        assert_eq!(C::value(client.get(key).await), None, "{} found what nobody set", C::NAME);
        client.set(key, value).await;
        assert_eq!(C::value(client.get(key).await).as_deref(), Some(value), "{}", C::NAME);
        let found = C::values(&keys, client.get_many(&keys).await);
        assert_eq!(found.iter().flatten().count(), 1, "{} found what nobody set", C::NAME);
        client.set_many(&self.items()).await;
        let found = C::values(&keys, client.get_many(&keys).await);
        assert!(found.iter().flatten().eq(&self.values) && found.len() == MANY, "{}: {found:?}", C::NAME);
    }

    pub(super) async fn run(&self, verb: Verb, calls: usize) {
        let (client, keys, items) = (&self.client, self.keys(), self.items());
        let (key, value) = items[0];
        for _ in 0..calls {
            match verb {
                Verb::Get => drop(black_box(client.get(black_box(key)).await)),
                Verb::Set => client.set(black_box(key), value).await,
                Verb::GetMany => drop(black_box(client.get_many(black_box(&keys)).await)),
                Verb::SetMany => client.set_many(black_box(&items)).await,
            }
        }
    }
}
