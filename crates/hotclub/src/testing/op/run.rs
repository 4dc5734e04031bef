//! One verb against both, backend and model.
use super::{Check, LifeMs, Model, Op, PREFIXES, When, Written, key, reading};
use crate::ErrorKind;
use crate::backend::{Backend, Capability, Condition, GetOptions, Item, Scope, SetOptions};
use crate::clock::{Deadline, ManualClock};
use crate::entry::Entry;
use crate::timeout::Life;
use bytes::Bytes;
use std::fmt::Debug;
use std::time::Duration;

type Step = Result<(), String>;

pub(super) struct Run<'a> {
    backend: &'a dyn Backend,
    can: Capability,
    hand: &'a ManualClock,
    check: Check,
    model: Model,
    began_ms: u64,
}

fn life(ms: LifeMs) -> Life {
    match ms {
        None => Life::Never,
        Some(0) => Life::Gone,
        Some(ms) => Life::For(Duration::from_millis(ms)),
    }
}

fn same<T: PartialEq + Debug>(got: T, expected: T) -> Step {
    if got == expected { Ok(()) } else { Err(format!("the backend answers {got:?}, the model {expected:?}")) }
}

fn answered<T>(answer: crate::Result<T>) -> Result<T, String> {
    answer.map_err(|error| format!("the backend fails: {error}"))
}

impl<'a> Run<'a> {
    pub(super) fn new(backend: &'a dyn Backend, hand: &'a ManualClock, check: Check) -> Self {
        let (can, began_ms) = (backend.capability(), hand.clock().now_ms());
        Run { backend, can, hand, check, model: Model::default(), began_ms }
    }

    pub(super) fn step(&mut self, op: &Op) -> Step {
        match op {
            Op::Get(number, peek) => self.get(&key(*number), *peek),
            Op::GetAndTouch(number, life) => self.get_and_touch(&key(*number), *life),
            Op::Set(number, written, life, when) => self.set(&key(*number), written, *life, *when),
            Op::Delete(number) => self.delete(&key(*number)),
            Op::Incr(number, delta) => self.incr(&key(*number), (*delta).into()),
            Op::Touch(number, life) => self.touch(&key(*number), *life),
            Op::GetMany(numbers) => self.get_many(numbers),
            Op::SetMany(items, life) => self.set_many(items, *life),
            Op::DeleteMany(numbers) => self.delete_many(numbers),
            Op::Clear => self.clear(Scope::All, ""),
            Op::ClearPrefix(number) => {
                let prefix = PREFIXES[usize::from(*number) % PREFIXES.len()];
                if self.can.clear_prefix { self.clear(Scope::Prefix(prefix), prefix) } else { Ok(()) }
            }
            Op::Advance(time) => {
                self.hand.advance(*time);
                self.model.advance(*time);
                Ok(())
            }
        }
    }

    /// What a backend that may lose entries has lost of this key, the model forgets. A hit is compared.
    fn settle(&mut self, key: &str) -> Step {
        if self.check == Check::Exact {
            return Ok(());
        }
        match answered(self.backend.get(key, &reading(self.backend, true)))? {
            Some(entry) => self.compare(key, Some(entry)),
            None => {
                self.model.remove(key);
                Ok(())
            }
        }
    }

    fn compare(&self, key: &str, entry: Option<Entry>) -> Step {
        let kept = self.model.get(key);
        let expected = kept.map(|kept| kept.written.value.clone());
        same(entry.as_ref().map(|entry| entry.value.to_vec()), expected)?;
        let Some((entry, kept)) = entry.zip(kept) else { return Ok(()) };
        if self.can.flags {
            same(entry.flags, kept.written.flags)?;
        }
        if self.can.ttl_readable {
            same(entry.deadline, kept.deadline_ms.map(|at| Deadline(self.began_ms + at)))?;
        }
        Ok(())
    }

    fn get(&mut self, key: &str, peek: bool) -> Step {
        self.settle(key)?;
        self.compare(key, answered(self.backend.get(key, &reading(self.backend, peek)))?)
    }

    fn get_and_touch(&mut self, key: &str, ms: LifeMs) -> Step {
        if !self.can.native_touch {
            return Ok(());
        }
        self.settle(key)?;
        let touching = GetOptions { touch: Some(life(ms)), ..GetOptions::default() };
        let got = answered(self.backend.get(key, &touching))?;
        same(
            got.map(|entry| entry.value.to_vec()),
            self.model.get(key).map(|kept| kept.written.value.clone()),
        )?;
        self.model.touch(key, ms);
        Ok(())
    }

    fn write(&self, key: &str, written: &Written, ms: LifeMs, condition: Condition) -> Result<bool, String> {
        let options = SetOptions::new(life(ms)).flags(written.flags).when(condition);
        answered(self.backend.set(key, Bytes::copy_from_slice(&written.value), &options))
    }

    fn token(&self, key: &str) -> Result<Option<u64>, String> {
        let wanted = GetOptions { want_cas: true, ..GetOptions::peek() };
        Ok(answered(self.backend.get(key, &wanted))?.and_then(|entry| entry.cas))
    }

    fn set(&mut self, key: &str, written: &Written, ms: LifeMs, when: When) -> Step {
        self.settle(key)?;
        let live = self.model.get(key).is_some();
        let (condition, expected) = match when {
            When::Always => (Condition::Always, true),
            When::IfAbsent => (Condition::IfAbsent, !live),
            When::IfPresent => (Condition::IfPresent, live),
            When::IfUnchanged | When::IfChanged if !self.can.cas => return Ok(()),
            When::IfUnchanged => (Condition::IfCas(self.token(key)?.unwrap_or(u64::MAX)), live),
            When::IfChanged => {
                let seen = self.token(key)?.unwrap_or(u64::MAX);
                same(self.write(key, written, None, Condition::Always)?, true)?;
                self.model.put(key, written.clone(), None);
                (Condition::IfCas(seen), false)
            }
        };
        same(self.write(key, written, ms, condition)?, expected)?;
        if expected {
            self.model.put(key, written.clone(), ms);
        }
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Step {
        self.settle(key)?;
        same(answered(self.backend.delete(key))?, self.model.remove(key))
    }

    fn touch(&mut self, key: &str, ms: LifeMs) -> Step {
        self.settle(key)?;
        same(answered(self.backend.touch(key, life(ms)))?, self.model.get(key).is_some())?;
        self.model.touch(key, ms);
        Ok(())
    }

    fn incr(&mut self, key: &str, delta: i128) -> Step {
        self.settle(key)?;
        let stored =
            self.model.get(key).map(|kept| std::str::from_utf8(&kept.written.value).ok().map(str::to_owned));
        let number = |text: &Option<String>| text.as_ref()?.trim_matches(' ').parse::<i128>().ok();
        let expected = match stored.as_ref().map(number) {
            None => Err(ErrorKind::KeyNotFound),
            Some(number) => {
                number.and_then(|number| number.checked_add(delta)).ok_or(ErrorKind::NotAnInteger)
            }
        };
        same(self.backend.incr(key, delta).map_err(|error| error.kind()), expected)?;
        if let Ok(sum) = expected {
            self.model.exchange(key, sum.to_string().into_bytes());
        }
        Ok(())
    }

    fn get_many(&mut self, numbers: &[u8]) -> Step {
        let keys: Vec<String> = numbers.iter().map(|&number| key(number)).collect();
        keys.iter().try_for_each(|key| self.settle(key))?;
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let entries = answered(self.backend.get_many(&names, &reading(self.backend, false)))?;
        same(entries.len(), keys.len())?;
        keys.iter().zip(entries).try_for_each(|(key, entry)| self.compare(key, entry))
    }

    fn set_many(&mut self, items: &[(u8, Written)], ms: LifeMs) -> Step {
        let keys: Vec<String> = items.iter().map(|(number, _)| key(*number)).collect();
        let item = |(key, (_, written)): (&'_ String, &(u8, Written))| {
            (key.clone(), Bytes::copy_from_slice(&written.value), written.flags)
        };
        let parts: Vec<_> = keys.iter().zip(items).map(item).collect();
        let made: Vec<Item<'_>> = parts
            .iter()
            .map(|(key, value, flags)| Item { key, value: value.clone(), flags: *flags })
            .collect();
        let written = answered(self.backend.set_many(&made, &SetOptions::new(life(ms))))?;
        same(written, vec![true; items.len()])?;
        for (key, (_, written)) in keys.iter().zip(items) {
            self.model.put(key, written.clone(), ms);
        }
        Ok(())
    }

    fn delete_many(&mut self, numbers: &[u8]) -> Step {
        let keys: Vec<String> = numbers.iter().map(|&number| key(number)).collect();
        keys.iter().try_for_each(|key| self.settle(key))?;
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let expected = keys.iter().filter(|key| self.model.remove(key)).count() as u64;
        same(answered(self.backend.delete_many(&names))?, expected)
    }

    fn clear(&mut self, scope: Scope<'_>, prefix: &str) -> Step {
        answered(self.backend.clear(scope))?;
        self.model.clear(prefix);
        Ok(())
    }
}
