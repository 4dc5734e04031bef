//! The judges judged: a backend with one fault fails the case that is there for it.
use bytes::Bytes;
use hotclub::backend::memory::{MemoryBackend, MemoryConfig};
use hotclub::backend::{Backend, Capability, Condition, GetOptions, Scope, SetOptions};
use hotclub::clock::Clock;
use hotclub::testing::*;
use hotclub::{Entry, Flags, Life, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    AddOverwrites,
    ReplaceCreates,
    CasIgnoresTheToken,
    SetKeepsTheOldLife,
    GoneKeepsTheOldValue,
    LivesAreLonger,
    TouchRevives,
    TouchForgetsFlags,
    IncrStartsALife,
    IncrCreates,
    IncrIsTwoSteps,
    DeleteSaysYes,
    ClearForgetsOne,
    PrefixClearsAll,
    FlagsAreLost,
    KeysAreFolded,
    ManyAreSorted,
    LargeSetKeepsTheOld,
    TagsAreIgnored,
}

#[derive(Debug)]
struct Broken(MemoryBackend, Fault);

impl Broken {
    fn has(&self, fault: Fault) -> bool {
        self.1 == fault
    }

    fn key(&self, key: &str) -> String {
        if self.has(Fault::KeysAreFolded) { key.to_lowercase() } else { key.to_owned() }
    }

    fn rewrite(&self, key: &str, life: Life, flags: Option<Flags>) -> Result<bool> {
        let Some(entry) = self.0.get(key, &GetOptions::peek())? else { return Ok(false) };
        self.0.set(key, entry.value, &SetOptions::new(life).flags(flags.unwrap_or(entry.flags)))
    }
}

impl Backend for Broken {
    fn scheme(&self) -> &'static str {
        "memory"
    }

    fn capability(&self) -> Capability {
        self.0.capability()
    }

    fn get(&self, key: &str, options: &GetOptions) -> Result<Option<Entry>> {
        let mut options = options.clone();
        if self.has(Fault::TagsAreIgnored) {
            options.tags.clear();
        }
        let mut entry = self.0.get(&self.key(key), &options)?;
        if let Some(entry) = entry.as_mut().filter(|_| self.has(Fault::FlagsAreLost)) {
            entry.flags = Flags::RAW;
        }
        Ok(entry)
    }

    fn set(&self, key: &str, value: Bytes, options: &SetOptions) -> Result<bool> {
        let mut options = options.clone();
        match (self.1, options.condition, options.life) {
            (Fault::AddOverwrites, Condition::IfAbsent, _)
            | (Fault::ReplaceCreates, Condition::IfPresent, _)
            | (Fault::CasIgnoresTheToken, Condition::IfCas(_), _) => options.condition = Condition::Always,
            (Fault::GoneKeepsTheOldValue, _, Life::Gone) => return Ok(true),
            (Fault::LivesAreLonger, _, Life::For(time)) => {
                options.life = Life::For(time + Duration::from_millis(1))
            }
            (Fault::LargeSetKeepsTheOld, Condition::Always, _) => {
                options.condition = Condition::IfCas(u64::MAX)
            }
            (Fault::SetKeepsTheOldLife, Condition::Always, Life::For(_))
                if self.0.get(key, &GetOptions::peek())?.is_some() =>
            {
                return Ok(true);
            }
            _ => {}
        }
        let large = self.has(Fault::LargeSetKeepsTheOld) && value.len() < 1 << 20;
        if large {
            options.condition = Condition::Always;
        }
        self.0.set(&self.key(key), value, &options)
    }

    fn delete(&self, key: &str) -> Result<bool> {
        Ok(self.0.delete(&self.key(key))? || self.has(Fault::DeleteSaysYes))
    }

    fn incr(&self, key: &str, delta: i128) -> Result<i128> {
        match self.1 {
            Fault::IncrCreates if self.0.get(key, &GetOptions::peek())?.is_none() => {
                self.0.set(key, Bytes::from(delta.to_string()), &SetOptions::new(Life::Never))?;
                Ok(delta)
            }
            Fault::IncrIsTwoSteps => {
                let Some(entry) = self.0.get(key, &GetOptions::peek())? else {
                    return self.0.incr(key, delta);
                };
                let Ok(Ok(number)) = std::str::from_utf8(&entry.value).map(str::parse::<i128>) else {
                    return self.0.incr(key, delta);
                };
                std::thread::yield_now();
                let sum = Bytes::from((number + delta).to_string());
                self.0.set(key, sum, &SetOptions::new(Life::Never).flags(entry.flags))?;
                Ok(number + delta)
            }
            _ => {
                let sum = self.0.incr(&self.key(key), delta)?;
                if self.has(Fault::IncrStartsALife) {
                    self.rewrite(key, Life::Never, None)?;
                }
                Ok(sum)
            }
        }
    }

    fn touch(&self, key: &str, life: Life) -> Result<bool> {
        match self.1 {
            Fault::TouchForgetsFlags => self.rewrite(key, life, Some(Flags::RAW)),
            Fault::TouchRevives if life != Life::Gone => {
                self.0.set(key, Bytes::new(), &SetOptions::new(life).when(Condition::IfAbsent))?;
                self.0.touch(key, life)
            }
            _ => self.0.touch(&self.key(key), life),
        }
    }

    fn clear(&self, scope: Scope<'_>) -> Result<()> {
        let kept = self.0.get("shop:1:1", &GetOptions::peek())?.filter(|_| self.has(Fault::ClearForgetsOne));
        let scope = if self.has(Fault::PrefixClearsAll) { Scope::All } else { scope };
        self.0.clear(scope)?;
        let put = |entry: Entry| self.0.set("shop:1:1", entry.value, &SetOptions::new(Life::Never)).map(drop);
        kept.map_or(Ok(()), put)
    }

    fn get_many(&self, keys: &[&str], options: &GetOptions) -> Result<Vec<Option<Entry>>> {
        let mut keys = keys.to_vec();
        if self.has(Fault::ManyAreSorted) {
            keys.sort_unstable();
        }
        keys.iter().map(|key| self.get(key, options)).collect()
    }
}

type Case = fn(&Fixture);

fn fails(fault: Fault, case: Case) -> bool {
    let make = |clock: Clock| Broken(MemoryBackend::with_clock(MemoryConfig::bytes(1 << 20), clock), fault);
    let fixture = Fixture::by_hand(make);
    catch_unwind(AssertUnwindSafe(|| case(&fixture))).is_err()
}

#[test]
fn every_fault_is_found_by_its_case() {
    let faults: [(Fault, Case); 19] = [
        (Fault::AddOverwrites, conditions::add_keeps_the_first_value),
        (Fault::ReplaceCreates, conditions::replace_needs_an_entry),
        (Fault::CasIgnoresTheToken, conditions::compare_and_set_works_once),
        (Fault::SetKeepsTheOldLife, timeouts::a_new_set_starts_a_new_life),
        (Fault::GoneKeepsTheOldValue, timeouts::a_set_with_no_life_removes_the_entry),
        (Fault::LivesAreLonger, timeouts::an_entry_lives_until_its_deadline),
        (Fault::TouchRevives, touch::touch_of_an_expired_entry_does_not_revive_it),
        (Fault::TouchForgetsFlags, flags::touch_and_incr_keep_the_flags),
        (Fault::IncrStartsALife, counters::incr_keeps_the_deadline),
        (Fault::IncrCreates, counters::incr_of_a_missing_key_is_an_error_and_creates_nothing),
        (Fault::IncrIsTwoSteps, threads::threads_increment_without_losing_any),
        (Fault::DeleteSaysYes, get_set::deleting_twice_is_safe),
        (Fault::ClearForgetsOne, clear::clear_removes_every_entry),
        (Fault::PrefixClearsAll, clear::clear_by_prefix_removes_nothing_else),
        (Fault::FlagsAreLost, flags::flags_are_kept_beside_the_value),
        (Fault::KeysAreFolded, get_set::keys_are_compared_byte_by_byte),
        (Fault::ManyAreSorted, many::get_many_answers_in_the_order_of_the_keys),
        (Fault::LargeSetKeepsTheOld, limits::a_value_beyond_the_limit_is_refused_and_leaves_nothing_old),
        (Fault::TagsAreIgnored, leases::tags_are_refused_where_they_are_not_claimed),
    ];
    for (fault, case) in faults {
        assert!(!fails(Fault::None, case), "the case of {fault:?} fails without any fault");
        assert!(fails(fault, case), "{fault:?} was not found");
    }
}

#[test]
fn random_verbs_find_faults_too() {
    let mut random = Random::new(11);
    let inputs: Vec<Vec<u8>> = (0..100).map(|_| random.bytes(400)).collect();
    let found = |fault| {
        inputs.iter().any(|bytes| {
            let hand = ManualClock::new();
            let backend =
                Broken(MemoryBackend::with_clock(MemoryConfig::bytes(1 << 20), hand.clock()), fault);
            op::run(&op::decode(bytes), &backend, &hand, op::Check::Exact).is_err()
        })
    };
    assert!(!found(Fault::None));
    for fault in [
        Fault::AddOverwrites,
        Fault::ReplaceCreates,
        Fault::CasIgnoresTheToken,
        Fault::SetKeepsTheOldLife,
        Fault::GoneKeepsTheOldValue,
        Fault::LivesAreLonger,
        Fault::TouchRevives,
        Fault::TouchForgetsFlags,
        Fault::IncrStartsALife,
        Fault::IncrCreates,
        Fault::DeleteSaysYes,
        Fault::PrefixClearsAll,
        Fault::FlagsAreLost,
        Fault::ManyAreSorted,
    ] {
        assert!(found(fault), "{fault:?} was not found");
    }
}
