//! The older protocol, for servers that do not know the newer one: requests of `mg`, `ms`, `md` and `ma` said once
//! more in its words. The replies are understood anyway.
//!
//! Rare, and so a translation of bytes that were written before: verbs and doors know nothing of it.
use crate::request::Batch;
use hotclub_net::Problem;

/// The older words for what the batch says. Each request keeps its one reply.
///
/// # Errors
/// What the older protocol has no words for.
pub(crate) fn older(batch: &Batch) -> Result<Batch, Problem> {
    let mut older = Batch::default();
    older.start(batch.verb(), batch.effect());
    let mut rest = batch.bytes();
    while !rest.is_empty() {
        let (line, behind) = split_line(rest)?;
        rest = behind;
        let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        match words.as_slice() {
            [b"mg", key, flags @ ..] => get(&mut older, key, flags)?,
            [b"ms", key, size, flags @ ..] => {
                let (value, behind) = value(rest, size)?;
                rest = behind;
                store(&mut older, key, value, flags)?;
            }
            [b"md", key] => older.raw(&[b"delete", key]),
            [b"md", ..] => return Err(unknown("deleting only what was read, keys that are no text")),
            [b"ma", key, flags @ ..] => count(&mut older, key, flags)?,
            [b"mn"] => older.raw(&[b"version"]),
            // Was the same before.
            _ => older.raw(&[line]),
        }
    }
    Ok(older)
}

fn split_line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Problem> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").ok_or_else(cut)?;
    Ok((&bytes[..end], &bytes[end + 2..]))
}

fn value<'a>(bytes: &'a [u8], size: &[u8]) -> Result<(&'a [u8], &'a [u8]), Problem> {
    let size = std::str::from_utf8(size).ok().and_then(|size| size.parse::<usize>().ok()).ok_or_else(cut)?;
    let value = bytes.get(..size).ok_or_else(cut)?;
    Ok((value, bytes.get(size + 2..).ok_or_else(cut)?))
}

fn cut() -> Problem {
    Problem::Malformed("a request that is none".into())
}

fn unknown(what: &str) -> Problem {
    Problem::Refused(format!("the server is older than 1.6.12 and cannot do this: {what}"))
}

/// What stands behind a letter among flags.
fn flag<'a>(flags: &[&'a [u8]], letter: u8) -> Option<&'a [u8]> {
    flags.iter().find_map(|flag| flag.strip_prefix(&[letter]))
}

fn refuse(flags: &[&[u8]], unknown_letters: &[(u8, &str)]) -> Result<(), Problem> {
    match unknown_letters.iter().find(|(letter, _)| flag(flags, *letter).is_some()) {
        None => Ok(()),
        Some((_, what)) => Err(unknown(what)),
    }
}

/// Time left and size are not told, and so not known.
fn get(older: &mut Batch, key: &[u8], flags: &[&[u8]]) -> Result<(), Problem> {
    refuse(flags, &[(b'b', "keys that are no text"), (b'N', "leases"), (b'O', "opaque tokens")])?;
    let is_read = flag(flags, b'v').is_some() || flag(flags, b'f').is_some();
    let get: &[u8] = if flag(flags, b'c').is_some() { b"gets" } else { b"get" };
    match (flag(flags, b'T'), is_read) {
        (Some(exptime), false) => older.raw(&[b"touch", key, exptime]),
        (Some(exptime), true) if get == b"get" => older.raw(&[b"gat", exptime, key]),
        (Some(exptime), true) => older.raw(&[b"gats", exptime, key]),
        (None, _) => older.raw(&[get, key]),
    }
    Ok(())
}

fn store(older: &mut Batch, key: &[u8], value: &[u8], flags: &[&[u8]]) -> Result<(), Problem> {
    let unknown = [
        (b'b', "keys that are no text"),
        (b'E', "ids of one's own"),
        (b'O', "opaque tokens"),
        (b'q', "quiet"),
    ];
    refuse(flags, &unknown)?;
    let exptime = flag(flags, b'T').unwrap_or(b"0");
    let number = flag(flags, b'F').unwrap_or(b"0");
    let size = value.len().to_string();
    let command: &[u8] = match (flag(flags, b'C'), flag(flags, b'M')) {
        (Some(_), _) => b"cas",
        (None, Some(b"E")) => b"add",
        (None, Some(b"R")) => b"replace",
        (None, Some(b"A")) => b"append",
        (None, Some(b"P")) => b"prepend",
        (None, _) => b"set",
    };
    let mut words = vec![command, key, number, exptime, size.as_bytes()];
    words.extend(flag(flags, b'C'));
    older.raw_with_value(&words, value);
    Ok(())
}

fn count(older: &mut Batch, key: &[u8], flags: &[&[u8]]) -> Result<(), Problem> {
    refuse(flags, &[(b'b', "keys that are no text")])?;
    let delta = flag(flags, b'D').unwrap_or(b"1");
    let command: &[u8] = if flags.contains(&&b"MD"[..]) { b"decr" } else { b"incr" };
    older.raw(&[command, key, delta]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;
    use crate::request::{Get, Mode, Remove, Store};
    use hotclub_net::Effect;

    fn said(write: impl FnOnce(&mut Batch)) -> Result<String, Problem> {
        let mut batch = Batch::default();
        batch.start("test", Effect::Once);
        write(&mut batch);
        let older = older(&batch)?;
        assert_eq!((older.len(), older.verb(), older.effect()), (batch.len(), "test", Effect::Once));
        Ok(String::from_utf8(older.bytes().to_vec()).unwrap())
    }

    fn key() -> Key<'static> {
        Key::new("k").unwrap()
    }

    #[test]
    fn each_request_has_its_older_words() {
        let same = |write: &dyn Fn(&mut Batch)| said(|batch| write(batch)).unwrap();
        assert_eq!(same(&|batch| batch.get(&key(), Get::default())), "get k\r\n");
        assert_eq!(same(&|batch| batch.get(&key(), Get::default().cas(true).ttl(true))), "gets k\r\n");
        assert_eq!(same(&|batch| batch.get(&key(), Get::default().without_value())), "get k\r\n");
        assert_eq!(same(&|batch| batch.get(&key(), Get::default().touch(Some(9)))), "gat 9 k\r\n");
        assert_eq!(same(&|batch| batch.touch(&key(), -1)), "touch k -1\r\n");
        let store = Store::new(16, 300);
        assert_eq!(same(&|batch| batch.store(&key(), b"a\r\nb", store)), "set k 16 300 4\r\na\r\nb\r\n");
        assert_eq!(same(&|batch| batch.store(&key(), b"", store.mode(Mode::Add))), "add k 16 300 0\r\n\r\n");
        let cas = Store::new(0, 0).cas(Some(7));
        assert_eq!(same(&|batch| batch.store(&key(), b"v", cas)), "cas k 0 0 1 7\r\nv\r\n");
        assert_eq!(same(&|batch| batch.delete(&key(), Remove::default())), "delete k\r\n");
        assert_eq!(same(&|batch| batch.count_up(&key(), 3)), "incr k 3\r\n");
        assert_eq!(same(&|batch| batch.count_down(&key(), 3)), "decr k 3\r\n");
        assert_eq!(same(&Batch::flush_all), "flush_all\r\n");
        let keys = [key(), Key::new("l").unwrap()];
        assert_eq!(same(&|batch| batch.get_all(keys.iter(), false)), "get k l\r\n");
    }

    #[test]
    fn a_batch_keeps_its_order() {
        let both = |batch: &mut Batch| {
            batch.store(&key(), b"mg k v f", Store::new(0, 0));
            batch.get(&key(), Get::default());
        };
        assert_eq!(said(both).unwrap(), "set k 0 0 8\r\nmg k v f\r\nget k\r\n");
    }

    #[test]
    fn what_it_has_no_words_for_is_refused_with_the_reason() {
        let binary = Key::binary(&b"a b"[..]).unwrap();
        let told = |write: &dyn Fn(&mut Batch)| said(|batch| write(batch)).unwrap_err().told().1;
        assert!(told(&|batch| batch.get(&binary, Get::default())).contains("keys that are no text"));
        let lease = Get { vivify: Some(10), ..Get::default() };
        assert!(told(&|batch| batch.get(&key(), lease)).contains("older than 1.6.12"));
        let read = Remove { cas: Some(1), ..Remove::default() };
        assert!(told(&|batch| batch.delete(&key(), read)).contains("deleting"));
    }
}
