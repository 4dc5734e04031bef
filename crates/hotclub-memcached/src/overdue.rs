//! Deletions that could not be done because their node was not there. It is not read again before they are.
use crate::key::Key;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What one node owes. Not lost in a fork: the child has what its parent noted before.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    /// The common case, read without a lock.
    any: AtomicBool,
    /// The lock could not be had, so that nobody knows what is noted: everything on the node is to go.
    unknown: AtomicBool,
    // Short: keys are put in and taken out; the node is asked outside of it.
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    /// When each was noted, by the clock below.
    keys: BTreeMap<Wire, u64>,
    /// Everything on the node is to go, since then.
    flush: Option<u64>,
    /// Counts what was noted, and what was begun.
    clock: u64,
}

/// A key as it is sent, and whether that is base64.
pub(crate) type Wire = (Vec<u8>, bool);

/// What is to be done before the node is used. What is noted later is not done by it.
#[derive(Debug)]
pub(crate) enum Due {
    /// Everything that was noted up to then is done by a flush.
    Flush(u64),
    /// These, as they were noted.
    Delete(Vec<(Wire, u64)>),
}

/// In the child of a fork the lock may be held by a thread that does not exist there.
const LOCK_LIMIT: Duration = Duration::from_secs(1);

impl Overdue {
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// These could not be deleted.
    #[cold]
    pub(crate) fn note<'a>(&self, keys: impl Iterator<Item = &'a Key<'a>>, most: usize) {
        let Some(mut noted) = self.noted() else { return self.is_unknown() };
        noted.clock += 1;
        let now = noted.clock;
        noted.keys.extend(keys.map(|key| ((key.as_wire().to_vec(), key.is_base64()), now)));
        if noted.keys.len() > most {
            noted.keys.clear();
            noted.flush = Some(now);
        }
        self.any.store(true, Ordering::Release);
    }

    /// The node could not be flushed.
    #[cold]
    pub(crate) fn note_flush(&self) {
        let Some(mut noted) = self.noted() else { return self.is_unknown() };
        noted.clock += 1;
        noted.flush = Some(noted.clock);
        self.any.store(true, Ordering::Release);
    }

    fn is_unknown(&self) {
        self.unknown.store(true, Ordering::Release);
        self.any.store(true, Ordering::Release);
    }

    /// A flush begins.
    pub(crate) fn flush(&self) -> Due {
        Due::Flush(self.noted().map_or(u64::MAX, |noted| noted.clock))
    }

    #[cold]
    pub(crate) fn due(&self) -> Due {
        if self.unknown.load(Ordering::Acquire) {
            return self.flush();
        }
        let Some(noted) = self.noted() else { return Due::Flush(u64::MAX) };
        match noted.flush {
            Some(_) => Due::Flush(noted.clock),
            None => Due::Delete(noted.keys.iter().map(|(key, when)| (key.clone(), *when)).collect()),
        }
    }

    /// It was done. What was noted since it began stays.
    #[cold]
    pub(crate) fn done(&self, due: &Due) {
        let Some(mut noted) = self.noted() else { return };
        match due {
            Due::Flush(until) => {
                self.unknown.store(false, Ordering::Release);
                noted.keys.retain(|_, when| *when > *until);
                noted.flush = noted.flush.filter(|when| *when > *until);
            }
            Due::Delete(keys) => {
                for (key, when) in keys {
                    if noted.keys.get(key) == Some(when) {
                        noted.keys.remove(key);
                    }
                }
            }
        }
        let is_any = !noted.keys.is_empty() || noted.flush.is_some() || self.unknown.load(Ordering::Acquire);
        self.any.store(is_any, Ordering::Release);
    }

    fn noted(&self) -> Option<MutexGuard<'_, Noted>> {
        self.noted.try_lock_for(LOCK_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(overdue: &Overdue, keys: &[&str], most: usize) {
        let keys: Vec<_> = keys.iter().map(|key| Key::new(key).unwrap()).collect();
        overdue.note(keys.iter(), most);
    }

    fn keys(due: &Due) -> Vec<&[u8]> {
        match due {
            Due::Delete(keys) => keys.iter().map(|((key, _), _)| key.as_slice()).collect(),
            Due::Flush(_) => panic!("a flush"),
        }
    }

    #[test]
    fn what_is_noted_while_the_rest_is_done_stays() {
        let overdue = Overdue::default();
        assert!(!overdue.is_any());
        note(&overdue, &["a", "b", "a"], 10);
        let due = overdue.due();
        assert_eq!(keys(&due), [b"a", b"b"]);
        // Another one, and one of them again: written anew meanwhile, and its deletion lost once more.
        note(&overdue, &["c", "a"], 10);
        overdue.done(&due);
        assert!(overdue.is_any());
        assert_eq!(keys(&overdue.due()), [b"a", b"c"]);
        overdue.done(&overdue.due());
        assert!(!overdue.is_any());
    }

    #[test]
    fn too_many_become_a_flush() {
        let overdue = Overdue::default();
        note(&overdue, &["a", "b", "c"], 2);
        let due = overdue.due();
        assert!(matches!(due, Due::Flush(_)));
        overdue.done(&due);
        assert!(!overdue.is_any());
    }

    #[test]
    fn a_flush_does_what_was_noted_before_it_began() {
        let overdue = Overdue::default();
        note(&overdue, &["a"], 10);
        let flush = overdue.flush();
        note(&overdue, &["b"], 10);
        overdue.done(&flush);
        assert_eq!(keys(&overdue.due()), [b"b"]);
        let flush = overdue.flush();
        overdue.note_flush();
        overdue.done(&flush);
        assert!(overdue.is_any() && matches!(overdue.due(), Due::Flush(_)));
    }

    #[test]
    fn a_lock_that_nobody_will_release_becomes_a_flush() {
        let overdue = Overdue::default();
        std::mem::forget(overdue.noted.lock());
        note(&overdue, &["a"], 10);
        assert!(overdue.is_any() && matches!(overdue.due(), Due::Flush(_)));
    }
}
