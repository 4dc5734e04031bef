//! Requests as bytes. Each gets exactly one reply, in order, so a batch is its bytes and how many they are; but for
//! quiet writes, which are answered together.
use crate::key::Key;
use crate::reply::UP_TO_NOOP;
use hotclub_net::Effect;

/// When a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// In any case.
    #[default]
    Set,
    /// If there is none.
    Add,
    /// If there is one.
    Replace,
    /// Behind the one that is there.
    Append,
    /// Before the one that is there.
    Prepend,
}

/// What `mg` should tell, and do, beside the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Get {
    /// The compare-and-swap id, to be given to [`Store::cas`].
    pub cas: bool,
    /// How many seconds are left.
    pub ttl: bool,
    /// Gives the entry these seconds to live, as [`Store::exptime`].
    pub touch: Option<i64>,
    /// Not the value itself, only what is asked beside it.
    pub without_value: bool,
    /// On a miss, makes an empty entry that lives so many seconds; the one who made it is told so (`W`), and
    /// others that somebody has (`Z`).
    pub vivify: Option<u32>,
    /// How many bytes the value has; an empty entry that somebody is making has none.
    pub size: bool,
    /// Comes back with the reply.
    pub opaque: Option<u32>,
}

/// How `ms` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Store {
    /// What the value is, for readers.
    pub flags: u32,
    /// Seconds to live; 0: for ever; below 0: not at all; above 30 days: the Unix time of the end.
    pub exptime: i64,
    /// When.
    pub mode: Mode,
    /// Only over the entry that was read with this id.
    pub cas: Option<u64>,
    /// Gives the entry this id instead of one of the server's own; servers before 1.6.22 refuse that.
    pub new_cas: Option<u64>,
    /// Comes back with the reply.
    pub opaque: Option<u32>,
}

/// What `md` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Remove {
    /// Only the entry that was read with this id.
    pub cas: Option<u64>,
    /// Not removed: declared stale, for so many seconds more. Who reads it next is told that it is, and the first one
    /// also that it is up to him to make it anew.
    pub stale_for: Option<u32>,
}

impl Get {
    /// Whether nothing but value and flags is asked.
    pub fn is_plain(&self) -> bool {
        *self == Get::default()
    }

    /// Not the value itself.
    #[must_use]
    pub fn without_value(self) -> Self {
        Get { without_value: true, ..self }
    }

    /// With the id.
    #[must_use]
    pub fn cas(self, cas: bool) -> Self {
        Get { cas, ..self }
    }

    /// With the seconds left.
    #[must_use]
    pub fn ttl(self, ttl: bool) -> Self {
        Get { ttl, ..self }
    }

    /// With other seconds to live.
    #[must_use]
    pub fn touch(self, exptime: Option<i64>) -> Self {
        Get { touch: exptime, ..self }
    }
}

impl Store {
    /// In any case, with these flags and seconds to live.
    pub fn new(flags: u32, exptime: i64) -> Self {
        Store { flags, exptime, ..Store::default() }
    }

    /// In this case only.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Store { mode, ..self }
    }

    /// Only over the entry that was read with this id.
    #[must_use]
    pub fn cas(self, cas: Option<u64>) -> Self {
        Store { cas, ..self }
    }

    /// Whether it is written in any case, so that doing it twice is as good as once.
    pub fn is_plain(&self) -> bool {
        self.mode == Mode::Set && self.cas.is_none()
    }
}

/// Requests that are sent in one go. Made once, used again and again.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    verb: &'static str,
    effect: Effect,
    bytes: Vec<u8>,
    count: usize,
}

/// More room than this is given back after use.
const MOST_SPARE: usize = 1 << 20;

impl Batch {
    /// Empties it for a verb of this name.
    pub fn start(&mut self, verb: &'static str, effect: Effect) {
        self.bytes.clear();
        self.bytes.shrink_to(MOST_SPARE);
        (self.verb, self.effect, self.count) = (verb, effect, 0);
    }

    /// Reads an entry.
    #[inline]
    pub fn get(&mut self, key: &Key<'_>, get: Get) {
        self.begin(b"mg ", key);
        self.put(if get.without_value { b" f" } else { b" v f" });
        if get.cas {
            self.put(b" c");
        }
        if get.ttl {
            self.put(b" t");
        }
        if get.size {
            self.put(b" s");
        }
        self.option(b" T", get.touch);
        self.option(b" N", get.vivify.map(i64::from));
        self.option(b" O", get.opaque.map(i64::from));
        self.end();
    }

    /// Reads entries, as one request of the older protocol: the server answers it in one go, but pipelined requests
    /// twenty at a time. For keys that are text; with their ids if `cas`.
    pub fn get_all<'a>(&mut self, keys: impl Iterator<Item = &'a Key<'a>>, cas: bool) {
        self.put(if cas { b"gets" } else { b"get" });
        for key in keys {
            self.put(b" ");
            self.put(key.as_wire());
        }
        self.end();
    }

    /// Writes an entry.
    #[inline]
    pub fn store(&mut self, key: &Key<'_>, value: &[u8], store: Store) {
        self.write_store(key, value, store, b"");
    }

    /// The same without a reply if it is stored; to be ended by [`Batch::end_quietly`].
    #[inline]
    pub fn store_quietly(&mut self, key: &Key<'_>, value: &[u8], store: Store) {
        self.write_store(key, value, store, b" q");
    }

    /// Ends requests without replies: the whole batch has one, which comes behind whatever went wrong before.
    pub fn end_quietly(&mut self) {
        self.noop();
        self.count = UP_TO_NOOP;
    }

    #[inline]
    fn write_store(&mut self, key: &Key<'_>, value: &[u8], store: Store, quiet: &[u8]) {
        self.put(b"ms ");
        self.put(key.as_wire());
        // The length comes before any flag.
        self.number(b" ", value.len() as i64);
        if key.is_base64() {
            self.put(b" b");
        }
        if store.exptime != 0 {
            self.number(b" T", store.exptime);
        }
        if store.flags != 0 {
            self.number(b" F", i64::from(store.flags));
        }
        self.put(match store.mode {
            Mode::Set => b"",
            Mode::Add => b" ME",
            Mode::Replace => b" MR",
            Mode::Append => b" MA",
            Mode::Prepend => b" MP",
        });
        self.unsigned(b" C", store.cas);
        self.unsigned(b" E", store.new_cas);
        self.option(b" O", store.opaque.map(i64::from));
        self.put(quiet);
        self.value(value);
    }

    /// Removes an entry, or declares it stale.
    #[inline]
    pub fn delete(&mut self, key: &Key<'_>, remove: Remove) {
        self.begin(b"md ", key);
        self.unsigned(b" C", remove.cas);
        if let Some(seconds) = remove.stale_for {
            self.number(b" I T", i64::from(seconds));
        }
        self.end();
    }

    /// The same for a key that was written before.
    pub(crate) fn delete_wire(&mut self, wire: &[u8], base64: bool) {
        self.put(b"md ");
        self.put(wire);
        if base64 {
            self.put(b" b");
        }
        self.end();
    }

    /// Gives an entry other seconds to live, as [`Store::exptime`].
    #[inline]
    pub fn touch(&mut self, key: &Key<'_>, exptime: i64) {
        self.begin(b"mg ", key);
        self.number(b" T", exptime);
        self.end();
    }

    /// Adds to a number. The server floors at 0 and wraps at 2^64.
    #[inline]
    pub fn count_up(&mut self, key: &Key<'_>, delta: u64) {
        self.count_by(b"", key, delta);
    }

    /// Subtracts from a number; the server stops at 0.
    #[inline]
    pub fn count_down(&mut self, key: &Key<'_>, delta: u64) {
        self.count_by(b" MD", key, delta);
    }

    /// Removes everything from the node.
    pub fn flush_all(&mut self) {
        self.line(b"flush_all");
    }

    /// Asks which release the server is.
    pub fn version(&mut self) {
        self.line(b"version");
    }

    /// Asks for nothing but a reply.
    pub fn noop(&mut self) {
        self.line(b"mn");
    }

    /// Says who we are, to a server with an authentication file (`-Y`); must be the first request.
    pub fn authenticate(&mut self, user: &str, password: &str) {
        let token = format!("{user} {password}");
        self.put(b"set auth 0 0");
        self.number(b" ", token.len() as i64);
        self.value(token.as_bytes());
    }

    /// The verb that the batch is for; errors name it.
    pub fn verb(&self) -> &'static str {
        self.verb
    }

    /// What the batch does.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// All requests as they go over the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many replies come: one to each request, or [`UP_TO_NOOP`].
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One request in words.
    pub(crate) fn raw(&mut self, words: &[&[u8]]) {
        words.iter().enumerate().for_each(|(at, word)| {
            self.put(if at == 0 { b"" } else { b" " });
            self.put(word);
        });
        self.end();
    }

    /// The same with a value behind it.
    pub(crate) fn raw_with_value(&mut self, words: &[&[u8]], value: &[u8]) {
        self.raw(words);
        self.put(value);
        self.put(b"\r\n");
    }

    fn count_by(&mut self, mode: &[u8], key: &Key<'_>, delta: u64) {
        self.begin(b"ma ", key);
        self.put(mode);
        self.unsigned(b" D", Some(delta));
        self.put(b" v");
        self.end();
    }

    fn line(&mut self, line: &[u8]) {
        self.put(line);
        self.end();
    }

    #[inline]
    fn begin(&mut self, command: &[u8], key: &Key<'_>) {
        self.put(command);
        self.put(key.as_wire());
        if key.is_base64() {
            self.put(b" b");
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    fn option(&mut self, name: &[u8], number: Option<i64>) {
        if let Some(number) = number {
            self.number(name, number);
        }
    }

    #[inline]
    fn number(&mut self, name: &[u8], number: i64) {
        self.put(name);
        if number < 0 {
            self.put(b"-");
        }
        self.digits(number.unsigned_abs());
    }

    #[inline]
    fn unsigned(&mut self, name: &[u8], number: Option<u64>) {
        if let Some(number) = number {
            self.put(name);
            self.digits(number);
        }
    }

    #[inline]
    fn digits(&mut self, mut number: u64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.put(&digits[at..]);
    }

    #[inline]
    fn value(&mut self, value: &[u8]) {
        self.put(b"\r\n");
        self.put(value);
        self.end();
    }

    #[inline]
    fn end(&mut self) {
        self.put(b"\r\n");
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Batch)) -> String {
        let mut batch = Batch::default();
        batch.start("test", Effect::Read);
        write(&mut batch);
        assert_eq!(batch.len(), 1);
        String::from_utf8(batch.bytes().to_vec()).unwrap()
    }

    fn key() -> Key<'static> {
        Key::new(":1:k").unwrap()
    }

    #[test]
    fn requests_of_the_meta_protocol() {
        let meta = |write: &dyn Fn(&mut Batch)| written(|batch| write(batch));
        assert_eq!(meta(&|batch| batch.get(&key(), Get::default())), "mg :1:k v f\r\n");
        let all = Get {
            cas: true,
            ttl: true,
            touch: Some(60),
            vivify: Some(10),
            opaque: Some(7),
            size: true,
            ..Get::default()
        };
        assert_eq!(meta(&|batch| batch.get(&key(), all)), "mg :1:k v f c t s T60 N10 O7\r\n");
        let store = Store { flags: 16, exptime: 300, ..Store::default() };
        assert_eq!(meta(&|batch| batch.store(&key(), b"abc", store)), "ms :1:k 3 T300 F16\r\nabc\r\n");
        let add = Store { mode: Mode::Add, exptime: -1, cas: Some(u64::MAX), ..Store::default() };
        let wire = "ms :1:k 0 T-1 ME C18446744073709551615\r\n\r\n";
        assert_eq!(meta(&|batch| batch.store(&key(), b"", add)), wire);
        let leased = Store { cas: Some(7), new_cas: Some(9), ..Store::default() };
        assert_eq!(meta(&|batch| batch.store(&key(), b"a", leased)), "ms :1:k 1 C7 E9\r\na\r\n");
        assert_eq!(meta(&|batch| batch.delete(&key(), Remove::default())), "md :1:k\r\n");
        let read = Remove { cas: Some(5), ..Remove::default() };
        assert_eq!(meta(&|batch| batch.delete(&key(), read)), "md :1:k C5\r\n");
        let stale = Remove { stale_for: Some(30), ..Remove::default() };
        assert_eq!(meta(&|batch| batch.delete(&key(), stale)), "md :1:k I T30\r\n");
        assert_eq!(meta(&|batch| batch.touch(&key(), 0)), "mg :1:k T0\r\n");
        assert_eq!(meta(&|batch| batch.count_up(&key(), 3)), "ma :1:k D3 v\r\n");
        assert_eq!(meta(&|batch| batch.count_down(&key(), 3)), "ma :1:k MD D3 v\r\n");
        assert_eq!(meta(&Batch::flush_all), "flush_all\r\n");
    }

    #[test]
    fn quiet_writes_are_answered_together() {
        let mut batch = Batch::default();
        batch.start("set_many", Effect::Idempotent);
        batch.store_quietly(&key(), b"a", Store::new(16, 60));
        batch.store_quietly(&key(), b"", Store::new(0, 0));
        batch.end_quietly();
        assert_eq!(batch.bytes(), b"ms :1:k 1 T60 F16 q\r\na\r\nms :1:k 0 q\r\n\r\nmn\r\n");
        assert_eq!(batch.len(), UP_TO_NOOP);
    }

    #[test]
    fn many_keys_are_one_request() {
        let keys = [key(), Key::new(":1:é").unwrap()];
        assert_eq!(written(|batch| batch.get_all(keys.iter(), false)), "get :1:k :1:é\r\n");
        assert_eq!(written(|batch| batch.get_all(keys.iter(), true)), "gets :1:k :1:é\r\n");
    }

    #[test]
    fn a_token_is_the_value_of_a_first_set() {
        let wire = "set auth 0 0 11\r\nuser secret\r\n";
        assert_eq!(written(|batch| batch.authenticate("user", "secret")), wire);
    }

    #[test]
    fn a_key_that_is_no_text_goes_as_base64() {
        let key = Key::binary(&b"a b\xff"[..]).unwrap();
        assert_eq!(written(|batch| batch.delete(&key, Remove::default())), "md YSBi/w== b\r\n");
        let store = Store { flags: 1, ..Store::default() };
        assert_eq!(written(|batch| batch.store(&key, b"v", store)), "ms YSBi/w== 1 b F1\r\nv\r\n");
        assert_eq!(written(|batch| batch.get(&key, Get::default())), "mg YSBi/w== b v f\r\n");
    }
}
