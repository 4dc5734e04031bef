//! Deletions that could not be done because their node was not there. It is not read again before they are.
use crate::key::Key;
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What one node owes. Not lost in a fork: the child has what its parent noted before.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    /// The common case, read without a lock.
    any: AtomicBool,
    /// Everything on the node is to go.
    flush: AtomicBool,
    // Short: keys are put in and taken out; the node is asked outside of it.
    keys: Mutex<BTreeSet<Wire>>,
}

/// A key as it is sent, and whether that is base64.
pub(crate) type Wire = (Vec<u8>, bool);

/// What is to be done before the node is used.
pub(crate) enum Due {
    Flush,
    Delete(Vec<Wire>),
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
        match self.keys() {
            Some(mut noted) => {
                noted.extend(keys.map(|key| (key.as_wire().to_vec(), key.is_base64())));
                if noted.len() > most {
                    noted.clear();
                    self.flush.store(true, Ordering::Release);
                }
                self.any.store(true, Ordering::Release);
            }
            None => self.note_flush(),
        }
    }

    /// The node could not be flushed.
    #[cold]
    pub(crate) fn note_flush(&self) {
        self.flush.store(true, Ordering::Release);
        self.any.store(true, Ordering::Release);
    }

    #[cold]
    pub(crate) fn due(&self) -> Due {
        if self.flush.load(Ordering::Acquire) {
            return Due::Flush;
        }
        self.keys().map_or(Due::Flush, |noted| Due::Delete(noted.iter().cloned().collect()))
    }

    /// It was done. What was noted meanwhile stays.
    #[cold]
    pub(crate) fn done(&self, due: &Due) {
        let noted = self.keys();
        match due {
            Due::Flush => self.flush.store(false, Ordering::Release),
            Due::Delete(_) => {}
        }
        let Some(mut noted) = noted else { return };
        match due {
            Due::Flush => noted.clear(),
            Due::Delete(keys) => noted.retain(|key| !keys.contains(key)),
        }
        if noted.is_empty() && !self.flush.load(Ordering::Acquire) {
            self.any.store(false, Ordering::Release);
        }
    }

    fn keys(&self) -> Option<MutexGuard<'_, BTreeSet<Wire>>> {
        self.keys.try_lock_for(LOCK_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(overdue: &Overdue, keys: &[&str], most: usize) {
        let keys: Vec<_> = keys.iter().map(|key| Key::new(key).unwrap()).collect();
        overdue.note(keys.iter(), most);
    }

    #[test]
    fn what_is_noted_while_the_rest_is_done_stays() {
        let overdue = Overdue::default();
        assert!(!overdue.is_any());
        note(&overdue, &["a", "b", "a"], 10);
        let due = overdue.due();
        assert!(matches!(&due, Due::Delete(keys) if keys.len() == 2));
        note(&overdue, &["c"], 10);
        overdue.done(&due);
        assert!(overdue.is_any());
        assert!(matches!(overdue.due(), Due::Delete(keys) if keys == [(b"c".to_vec(), false)]));
        overdue.done(&overdue.due());
        assert!(!overdue.is_any());
    }

    #[test]
    fn too_many_become_a_flush() {
        let overdue = Overdue::default();
        note(&overdue, &["a", "b", "c"], 2);
        assert!(matches!(overdue.due(), Due::Flush));
        overdue.done(&Due::Flush);
        assert!(!overdue.is_any());
        overdue.note_flush();
        assert!(overdue.is_any() && matches!(overdue.due(), Due::Flush));
    }

    #[test]
    fn a_lock_that_nobody_will_release_becomes_a_flush() {
        let overdue = Overdue::default();
        std::mem::forget(overdue.keys.lock());
        note(&overdue, &["a"], 10);
        assert!(overdue.is_any() && matches!(overdue.due(), Due::Flush));
    }
}
