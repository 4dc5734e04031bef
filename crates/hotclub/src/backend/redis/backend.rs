//! The verbs of the contract: each writes its commands, sends them, and reads the replies.
use super::batch::{Answers, Batch, Effect};
use super::client::Client;
use super::command::{self, Expiry, When};
use super::config::RedisConfig;
use super::error::Problem;
use super::resp::Reply;
use crate::backend::{Backend, Capability, Condition, GetOptions, Item, Scope, SetOptions, Shared};
use crate::clock::Clock;
use crate::entry::{Entry, Flags};
use crate::error::{Error, Result};
use crate::timeout::Life;
use bytes::Bytes;
use std::cell::RefCell;

/// A cache in Redis or Valkey.
#[derive(Debug)]
pub struct RedisBackend {
    client: Client,
}

thread_local! {
    static SCRATCH: RefCell<(Batch, Answers)> = RefCell::default();
}

impl RedisBackend {
    /// A backend that follows this configuration; connects at the first verb.
    ///
    /// # Errors
    /// As [`RedisConfig::check`].
    pub fn new(config: RedisConfig) -> Result<Self> {
        Ok(RedisBackend { client: Client::new(config)? })
    }

    /// The client below.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// One exchange: `write` puts commands into the batch, `read` understands the replies.
    fn ask<T>(
        &self,
        verb: &'static str,
        effect: Effect,
        write: impl FnOnce(&mut Batch),
        read: impl FnOnce(&Answers) -> Result<T, Problem>,
    ) -> Result<T> {
        SCRATCH.with_borrow_mut(|(batch, answers)| {
            batch.start(verb, effect, self.client.is_clustered());
            write(batch);
            if batch.is_empty() {
                answers.clear();
            } else {
                self.client.exchange(batch, answers)?;
            }
            read(answers).map_err(|problem| self.client.refuse(batch, problem))
        })
    }
}

impl Backend for RedisBackend {
    fn scheme(&self) -> &'static str {
        "redis"
    }

    fn capability(&self) -> Capability {
        Capability {
            atomic_incr: true,
            native_many: true,
            native_touch: true,
            ttl_readable: true,
            clear_prefix: true,
            ..Capability::none(Shared::Network)
        }
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        if !options.tags.is_empty() {
            return Err(Error::unsupported("redis", "get with tags"));
        }
        let key = key.as_bytes();
        match options.touch {
            Some(Life::Gone) => {
                let entry = self.ask("get", Effect::Read, |batch| command::get(batch, key), one_entry)?;
                self.delete_bytes(key)?;
                Ok(entry)
            }
            Some(life) => {
                let expiry = Expiry::of(life).unwrap_or(Expiry::Never);
                let write = |batch: &mut Batch| command::get_and_touch(batch, key, expiry);
                self.ask("get", Effect::Idempotent, write, one_entry)
            }
            None if options.want_deadline => {
                self.ask("get", Effect::Read, |batch| command::get_with_ttl(batch, key), entry_with_ttl)
            }
            None => self.ask("get", Effect::Read, |batch| command::get(batch, key), one_entry),
        }
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        let key = key.as_bytes();
        let when = match options.condition {
            Condition::Always => When::Always,
            Condition::IfAbsent => When::Absent,
            Condition::IfPresent => When::Present,
            Condition::IfCas(_) => return Err(Error::unsupported("redis", "compare and set")),
        };
        match (Expiry::of(options.life), when) {
            (Some(expiry), _) => {
                let effect = if when == When::Always { Effect::Idempotent } else { Effect::Once };
                let write = |batch: &mut Batch| command::set(batch, key, &value, expiry, when);
                self.ask("set", effect, write, done)
            }
            (None, When::Always) => self.delete_bytes(key).map(|_| true),
            (None, When::Present) => self.delete_bytes(key),
            (None, When::Absent) => self.ask(
                "add",
                Effect::Read,
                |batch| command::exists(batch, key),
                |answers| Ok(!truth(answers)?),
            ),
        }
    }

    fn delete(&self, key: &str) -> Result<bool> {
        self.delete_bytes(key.as_bytes())
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        let small = i64::try_from(delta).map_err(|_| {
            let message = format!("{delta} does not fit into the 64 bits that the server counts with");
            Error::new(crate::ErrorKind::NotAnInteger, message).at("redis", "incr")
        })?;
        let write = |batch: &mut Batch| command::incr(batch, key.as_bytes(), small);
        let sum = self.ask("incr", Effect::Once, write, |answers| match answers.first()? {
            Reply::Integer(sum) => Ok(Some(i128::from(sum))),
            Reply::Nil => Ok(None),
            other => Err(refusal(other)),
        })?;
        sum.ok_or_else(|| Error::new(crate::ErrorKind::KeyNotFound, format!("'{key}'")).at("redis", "incr"))
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        match Expiry::of(life) {
            None => self.delete_bytes(key.as_bytes()),
            Some(expiry) => {
                let write = |batch: &mut Batch| command::touch(batch, key.as_bytes(), expiry);
                self.ask("touch", Effect::Idempotent, write, |answers| {
                    answers.replies().try_fold(false, |_, reply| integer(reply?).map(|found| found > 0))
                })
            }
        }
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        match scope {
            Scope::All => {
                self.ask("clear", Effect::Idempotent, command::clear, |answers| done(answers).map(drop))
            }
            Scope::Prefix(prefix) => self.clear_prefix(prefix),
        }
    }

    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        if options.touch.is_some() || options.want_deadline || !options.tags.is_empty() {
            return keys.iter().map(|key| self.get(key, options)).collect();
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let write = |batch: &mut Batch| command::get_many(batch, keys);
        self.ask("get_many", Effect::Read, write, |answers| entries(answers, keys.len()))
    }

    fn set_many(&self, items: &[Item<'_>], options: &SetOptions) -> Result<Vec<bool>> {
        if options.condition != Condition::Always {
            let write = |item: &Item<'_>| self.set(item.key, item.value.clone(), options);
            return items.iter().map(write).collect();
        }
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let expiry = Expiry::of(options.life);
        let write = |batch: &mut Batch| {
            command::begin_set_many(batch);
            for item in items {
                command::set_one(batch, item.key.as_bytes(), &item.value, expiry);
            }
            command::end_set_many(batch);
        };
        self.ask("set_many", Effect::Idempotent, write, all_done)?;
        Ok(vec![true; items.len()])
    }

    fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        if keys.is_empty() {
            return Ok(0);
        }
        self.ask("delete_many", Effect::Idempotent, |batch| command::delete_many(batch, keys), sum)
    }
}

impl RedisBackend {
    fn delete_bytes(&self, key: &[u8]) -> Result<bool> {
        self.ask("delete", Effect::Idempotent, |batch| command::delete(batch, key), truth)
    }

    /// Step by step, so that the server is never held up for long.
    fn clear_prefix(&self, prefix: &str) -> Result<()> {
        let pattern = command::pattern_of_prefix(prefix.as_bytes());
        let mut cursor = b"0".to_vec();
        loop {
            let write = |batch: &mut Batch| command::scan(batch, &cursor, &pattern, SCAN_COUNT);
            let (next, keys) = self.ask("clear_prefix", Effect::Idempotent, write, scanned)?;
            if !keys.is_empty() {
                self.ask("clear_prefix", Effect::Idempotent, |batch| command::unlink(batch, &keys), sum)?;
            }
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
    }
}

/// How many keys the server looks at in one step.
const SCAN_COUNT: i64 = 1000;

fn refusal(reply: Reply<'_>) -> Problem {
    match reply {
        Reply::Error(text) => Problem::from(text),
        other => Problem::unexpected(&other),
    }
}

fn integer(reply: Reply<'_>) -> Result<i64, Problem> {
    match reply {
        Reply::Integer(number) => Ok(number),
        other => Err(refusal(other)),
    }
}

fn truth(answers: &Answers) -> Result<bool, Problem> {
    Ok(integer(answers.first()?)? > 0)
}

fn sum(answers: &Answers) -> Result<u64, Problem> {
    answers.replies().try_fold(0, |sum, reply| Ok(sum + u64::try_from(integer(reply?)?).unwrap_or(0)))
}

/// `OK`, or nil for a condition that did not hold.
fn done(answers: &Answers) -> Result<bool, Problem> {
    match answers.first()? {
        Reply::Status(_) => Ok(true),
        Reply::Nil => Ok(false),
        other => Err(refusal(other)),
    }
}

/// Every reply is a success; that of `EXEC` holds further ones.
fn all_done(answers: &Answers) -> Result<(), Problem> {
    answers.replies().try_for_each(|reply| match reply? {
        Reply::Status(_) | Reply::Integer(_) => Ok(()),
        Reply::Array(replies) => replies.into_iter().try_for_each(|reply| match reply {
            Reply::Status(_) | Reply::Integer(_) => Ok(()),
            other => Err(refusal(other)),
        }),
        other => Err(refusal(other)),
    })
}

fn entry(reply: Reply<'_>) -> Result<Option<Entry>, Problem> {
    match reply {
        Reply::Bulk(bytes) => Ok(Some(Entry::new(Bytes::copy_from_slice(bytes), Flags::RAW))),
        Reply::Nil => Ok(None),
        other => Err(refusal(other)),
    }
}

fn one_entry(answers: &Answers) -> Result<Option<Entry>, Problem> {
    entry(answers.first()?)
}

fn entries(answers: &Answers, count: usize) -> Result<Vec<Option<Entry>>, Problem> {
    let found = match answers.first()? {
        Reply::Array(values) => values.into_iter().map(entry).collect::<Result<Vec<_>, _>>()?,
        _ => answers.replies().map(|reply| entry(reply?)).collect::<Result<Vec<_>, _>>()?,
    };
    if found.len() != count {
        return Err(Problem::Malformed(format!("{} values for {count} keys", found.len())));
    }
    Ok(found)
}

fn entry_with_ttl(answers: &Answers) -> Result<Option<Entry>, Problem> {
    let last = answers.replies().last().ok_or_else(|| Problem::Malformed("there is no reply".into()))??;
    let (value, left) = match last {
        Reply::Array(both) => match <[Reply<'_>; 2]>::try_from(both) {
            Ok([value, left]) => (value, integer(left)?),
            Err(other) => return Err(Problem::unexpected(&Reply::Array(other))),
        },
        other => return Err(refusal(other)),
    };
    let Some(mut entry) = entry(value)? else { return Ok(None) };
    let clock = Clock::system();
    let deadline = |left| clock.deadline(clock.now_ms() + left);
    entry.deadline = u64::try_from(left).ok().map(deadline);
    Ok(Some(entry))
}

fn scanned(answers: &Answers) -> Result<(Vec<u8>, Vec<Vec<u8>>), Problem> {
    let reply = answers.first()?;
    if let Reply::Array(both) = &reply
        && let [Reply::Bulk(cursor), Reply::Array(keys)] = both.as_slice()
    {
        let bytes = |key: &Reply<'_>| match key {
            Reply::Bulk(bytes) => Ok(bytes.to_vec()),
            other => Err(Problem::unexpected(other)),
        };
        return Ok((cursor.to_vec(), keys.iter().map(bytes).collect::<Result<_, _>>()?));
    }
    Err(refusal(reply))
}
