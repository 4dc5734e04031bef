//! The verbs as commands. Every door sends these; what a reply means is said beside each.
use super::batch::Batch;
use crate::timeout::Life;

/// How a deadline is written: whole seconds as Django does, or milliseconds as django-redis does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// No deadline.
    Never,
    /// `EX`.
    Seconds(i64),
    /// `PX`.
    Millis(i64),
}

impl Expiry {
    /// The deadline in milliseconds; `None` if nothing readable is to remain.
    pub fn of(life: Life) -> Option<Expiry> {
        match life {
            Life::Never => Some(Expiry::Never),
            Life::Gone => None,
            // At least one: a fraction of a millisecond is no "never".
            Life::For(time) => {
                let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
                Some(if millis > LONGEST { Expiry::Never } else { Expiry::Millis(millis.max(1)) })
            }
        }
    }
}

/// Redis adds the time of day to what it is given, in 64 bits; three hundred thousand years are never.
const LONGEST: i64 = i64::MAX / 1000;

/// When a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// `NX`.
    Absent,
    /// `XX`.
    Present,
}

/// The value, or nil.
#[inline]
pub fn get(batch: &mut Batch, key: &[u8]) {
    batch.command("GET", 2).key(key);
}

/// The value, or nil; the entry gets a new deadline. Redis 6.2.
pub fn get_and_touch(batch: &mut Batch, key: &[u8], expiry: Expiry) {
    match expiry {
        Expiry::Never => batch.command("GETEX", 3).key(key).arg(b"PERSIST"),
        Expiry::Seconds(time) => batch.command("GETEX", 4).key(key).arg(b"EX").number(time),
        Expiry::Millis(time) => batch.command("GETEX", 4).key(key).arg(b"PX").number(time),
    };
}

/// The value, or nil; the entry is gone afterwards. Redis 6.2.
pub fn take(batch: &mut Batch, key: &[u8]) {
    batch.command("GETDEL", 2).key(key);
}

/// Four replies, of which the last holds two: the value or nil, and the milliseconds left (-1 never, -2 missing).
pub fn get_with_ttl(batch: &mut Batch, key: &[u8]) {
    batch.command("MULTI", 1).beside(key);
    batch.command("GET", 2).key(key);
    batch.command("PTTL", 2).key(key);
    batch.command("EXEC", 1).beside(key);
}

/// `OK`, or nil if the condition did not hold.
#[inline]
pub fn set(batch: &mut Batch, key: &[u8], value: &[u8], expiry: Expiry, when: When) {
    let parts = 3 + 2 * usize::from(expiry != Expiry::Never) + usize::from(when != When::Always);
    batch.command("SET", parts).key(key).arg(value);
    match expiry {
        Expiry::Never => {}
        Expiry::Seconds(time) => drop(batch.arg(b"EX").number(time)),
        Expiry::Millis(time) => drop(batch.arg(b"PX").number(time)),
    }
    match when {
        When::Always => {}
        When::Absent => drop(batch.arg(b"NX")),
        When::Present => drop(batch.arg(b"XX")),
    }
}

/// How many there were.
#[inline]
pub fn delete(batch: &mut Batch, key: &[u8]) {
    batch.command("DEL", 2).key(key);
}

/// 1 or 0.
#[inline]
pub fn exists(batch: &mut Batch, key: &[u8]) {
    batch.command("EXISTS", 2).key(key);
}

/// One reply, 1 or 0; for [`Expiry::Never`] two, of which the **last** tells whether the entry is there:
/// PERSIST says 0 for a persistent entry too.
pub fn touch(batch: &mut Batch, key: &[u8], expiry: Expiry) {
    match expiry {
        Expiry::Never => {
            batch.command("PERSIST", 2).key(key);
            exists(batch, key);
        }
        Expiry::Seconds(time) => drop(batch.command("EXPIRE", 3).key(key).number(time)),
        Expiry::Millis(time) => drop(batch.command("PEXPIRE", 3).key(key).number(time)),
    }
}

/// A missing key is nil and stays missing; in one atomic step, which `EXISTS` and then `INCRBY` are not. The sum is
/// read back as text: as a number it would pass through Lua's doubles, which end at 2^53.
const INCR: &str = "if redis.call('EXISTS',KEYS[1])==0 then return false end \
                    redis.call('INCRBY',KEYS[1],ARGV[1]) return redis.call('GET',KEYS[1])";

/// The sum as text, or nil.
pub fn incr(batch: &mut Batch, key: &[u8], delta: i64) {
    batch.command("EVAL", 5).arg(INCR.as_bytes()).arg(b"1").key(key).number(delta);
}

/// The same with a delta in words: what is no number of 64 bits the server refuses itself.
pub fn incr_by(batch: &mut Batch, key: &[u8], delta: &[u8]) {
    batch.command("EVAL", 5).arg(INCR.as_bytes()).arg(b"1").key(key).arg(delta);
}

/// The sum; a missing key counts as 0.
pub fn incr_or_create(batch: &mut Batch, key: &[u8], delta: &[u8]) {
    batch.command("INCRBY", 3).key(key).arg(delta);
}

/// One reply of as many values or nils; in a cluster a reply for each key.
pub fn get_many<K: AsRef<[u8]>>(batch: &mut Batch, keys: &[K]) {
    if batch.is_clustered() {
        return keys.iter().for_each(|key| get(batch, key.as_ref()));
    }
    batch.command("MGET", 1 + keys.len());
    for key in keys {
        batch.arg(key.as_ref());
    }
}

/// How many there were; in a cluster a reply for each key.
pub fn delete_many<K: AsRef<[u8]>>(batch: &mut Batch, keys: &[K]) {
    if batch.is_clustered() {
        return keys.iter().for_each(|key| delete(batch, key.as_ref()));
    }
    batch.command("DEL", 1 + keys.len());
    for key in keys {
        batch.arg(key.as_ref());
    }
}

/// Begins a `set_many` of this many entries; [`set_one`] follows for each, and then [`end_set_many`].
///
/// All or nothing, as in Django: within `MULTI` and `EXEC`. In a cluster each entry is for itself.
pub fn begin_set_many(batch: &mut Batch) {
    if !batch.is_clustered() {
        batch.command("MULTI", 1);
    }
}

/// One entry of a `set_many`. Without an expiry nothing readable remains.
pub fn set_one(batch: &mut Batch, key: &[u8], value: &[u8], expiry: Option<Expiry>) {
    match expiry {
        Some(expiry) => set(batch, key, value, expiry, When::Always),
        None => delete(batch, key),
    }
}

/// The last reply tells: the replies of all entries. In a cluster a reply for each entry.
pub fn end_set_many(batch: &mut Batch) {
    if !batch.is_clustered() {
        batch.command("EXEC", 1);
    }
}

/// `OK`, from every primary. The whole database, whatever the prefix, as Django has it.
pub fn clear(batch: &mut Batch) {
    batch.command("FLUSHDB", 1).everywhere();
}

/// A cursor, and keys that match: those of the node that is asked.
pub fn scan(batch: &mut Batch, cursor: &[u8], pattern: &[u8], count: i64) {
    batch.command("SCAN", 6).arg(cursor).arg(b"MATCH").arg(pattern).arg(b"COUNT").number(count);
}

/// How many there were. The server frees their memory in the background.
pub fn unlink<K: AsRef<[u8]>>(batch: &mut Batch, keys: &[K]) {
    if batch.is_clustered() {
        for key in keys {
            batch.command("UNLINK", 2).key(key.as_ref());
        }
        return;
    }
    batch.command("UNLINK", 1 + keys.len());
    for key in keys {
        batch.arg(key.as_ref());
    }
}

/// The pattern that matches keys that start with exactly these bytes.
pub fn pattern_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 8);
    for &byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\') {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::batch::Effect;
    use std::time::Duration;

    fn wire(clustered: bool, write: impl FnOnce(&mut Batch)) -> String {
        let mut batch = Batch::default();
        batch.start("test", Effect::Read, clustered);
        write(&mut batch);
        let words = |span: &super::super::batch::Span| {
            let text = String::from_utf8_lossy(&batch.bytes()[span.start..span.end]).into_owned();
            let words: Vec<_> = text.split("\r\n").skip(2).step_by(2).map(str::to_owned).collect();
            words.join(" ")
        };
        batch.spans().iter().map(words).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn verbs_are_these_commands() {
        assert_eq!(wire(false, |b| get(b, b"k")), "GET k");
        assert_eq!(wire(false, |b| set(b, b"k", b"v", Expiry::Never, When::Always)), "SET k v");
        assert_eq!(wire(false, |b| set(b, b"k", b"v", Expiry::Seconds(5), When::Absent)), "SET k v EX 5 NX");
        assert_eq!(wire(false, |b| set(b, b"k", b"v", Expiry::Millis(5), When::Present)), "SET k v PX 5 XX");
        assert_eq!(wire(false, |b| touch(b, b"k", Expiry::Never)), "PERSIST k | EXISTS k");
        assert_eq!(wire(false, |b| touch(b, b"k", Expiry::Seconds(9))), "EXPIRE k 9");
        assert_eq!(wire(false, |b| get_many(b, &["a", "b"])), "MGET a b");
        assert_eq!(wire(true, |b| get_many(b, &["a", "b"])), "GET a | GET b");
        assert_eq!(wire(false, |b| delete_many(b, &["a", "b"])), "DEL a b");
        assert_eq!(wire(false, |b| take(b, b"k")), "GETDEL k");
        assert_eq!(wire(false, |b| get_with_ttl(b, b"k")), "MULTI | GET k | PTTL k | EXEC");
    }

    #[test]
    fn many_writes_are_one_transaction_but_not_across_slots() {
        let write = |batch: &mut Batch| {
            begin_set_many(batch);
            set_one(batch, b"a", b"1", Some(Expiry::Seconds(3)));
            set_one(batch, b"b", b"2", None);
            end_set_many(batch);
        };
        assert_eq!(wire(false, write), "MULTI | SET a 1 EX 3 | DEL b | EXEC");
        assert_eq!(wire(true, write), "SET a 1 EX 3 | DEL b");
    }

    #[test]
    fn a_life_becomes_milliseconds_and_is_never_rounded_to_nothing() {
        assert_eq!(Expiry::of(Life::For(Duration::from_micros(1))), Some(Expiry::Millis(1)));
        assert_eq!(Expiry::of(Life::For(Duration::from_millis(1500))), Some(Expiry::Millis(1500)));
        assert_eq!(Expiry::of(Life::For(Duration::MAX)), Some(Expiry::Never));
        assert_eq!(Expiry::of(Life::Gone), None);
    }

    #[test]
    fn a_prefix_matches_itself_only() {
        assert_eq!(pattern_of_prefix(b"a*b?[c]\\:"), b"a\\*b\\?\\[c\\]\\\\:*");
    }
}
