//! Deletions that could not be done because their node was not there. It is not read again before they are.
use crate::key::Key;
use hotclub_net::Server;
use hotclub_net::fork::PerProcess;
use hotclub_net::locks::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What one node owes. Not lost in a fork: the child has what its parent noted before.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    /// The common case, read without a lock.
    any: AtomicBool,
    // Short: keys are put in and taken out; the node is asked outside of it.
    noted: PerProcess<Mutex<Noted>>,
}

#[derive(Debug, Clone, Default)]
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

/// What each server owes, whoever asks it: two configurations of one server read the same entries. A debt outlives
/// the client that made it.
static OWED: PerProcess<Mutex<Known>> = PerProcess::new();

type Known = Vec<(Server, Arc<Overdue>)>;

impl Overdue {
    /// That of this server, shared by all clients of this process.
    pub(crate) fn of(server: &Server) -> Arc<Overdue> {
        // Short: a look at a list of the servers that are in use.
        let mut owed = OWED.get_or_from(|parents| Mutex::new(known(parents).unwrap_or_default())).lock();
        owed.retain(|(_, overdue)| Arc::strong_count(overdue) > 1 || overdue.is_any());
        if let Some((_, overdue)) = owed.iter().find(|(known, _)| known == server) {
            return overdue.clone();
        }
        let overdue = Arc::<Overdue>::default();
        owed.push((server.clone(), overdue.clone()));
        overdue
    }

    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// These could not be deleted.
    #[cold]
    pub(crate) fn note<'a>(&self, keys: impl Iterator<Item = &'a Key<'a>>, most: usize) {
        let mut noted = self.noted();
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
        let mut noted = self.noted();
        noted.clock += 1;
        noted.flush = Some(noted.clock);
        self.any.store(true, Ordering::Release);
    }

    /// A flush begins.
    pub(crate) fn flush(&self) -> Due {
        Due::Flush(self.noted().clock)
    }

    #[cold]
    pub(crate) fn due(&self) -> Due {
        let noted = self.noted();
        match noted.flush {
            Some(_) => Due::Flush(noted.clock),
            None => Due::Delete(noted.keys.iter().map(|(key, when)| (key.clone(), *when)).collect()),
        }
    }

    /// It was done. What was noted since it began stays.
    #[cold]
    pub(crate) fn done(&self, due: &Due) {
        let mut noted = self.noted();
        match due {
            Due::Flush(until) => {
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
        self.any.store(!noted.keys.is_empty() || noted.flush.is_some(), Ordering::Release);
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.get_or_from(|parents| Mutex::new(Self::inherited(parents))).lock()
    }

    /// What the parent of a fork noted. If that was being written at that very moment, nobody knows what it is:
    /// everything on the node is to go.
    fn inherited(parents: Option<&Mutex<Noted>>) -> Noted {
        match (parents, known(parents)) {
            (None, _) => Noted::default(),
            (_, Some(noted)) => noted,
            (Some(_), None) => Noted { flush: Some(1), clock: 1, ..Noted::default() },
        }
    }
}

/// What the parent of a fork had under this lock; nothing if it was held at that very moment, by a thread that the child
/// does not have. Another thread of the child may hold it for a while, to see the same.
fn known<T: Clone>(parents: Option<&Mutex<T>>) -> Option<T> {
    const TRIALS: u32 = 100;
    (0..TRIALS).find_map(|trial| {
        let known = parents?.try_lock().map(|known| known.clone());
        if known.is_none() && trial > 0 {
            thread::sleep(Duration::from_micros(200));
        }
        known
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(overdue: &Overdue, keys: &[&str], most: usize) {
        let keys: Vec<_> = keys.iter().map(|&key| Key::new(key).unwrap()).collect();
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
    fn clients_of_one_server_share_what_it_owes() {
        let server = Server::Tcp("overdue.test".into(), 1);
        let (one, two) = (Overdue::of(&server), Overdue::of(&server));
        note(&one, &["a"], 10);
        assert_eq!(keys(&two.due()), [b"a"]);
        assert!(!Overdue::of(&Server::Tcp("overdue.test".into(), 2)).is_any());
        drop((one, two));
        let again = Overdue::of(&server);
        assert_eq!(keys(&again.due()), [b"a"], "a debt outlives who made it");
        assert!(in_a_child(|| keys(&Overdue::of(&server).due()) == [b"a"]), "and is known in a child");
        again.done(&again.due());
    }

    /// Runs this in the child of a fork; whether it was so there.
    fn in_a_child(work: impl FnOnce() -> bool) -> bool {
        hotclub_net::fork::watch();
        // SAFETY: the child uses this thread's memory only, waits for no lock, and leaves by `_exit`.
        unsafe {
            match libc::fork() {
                0 => libc::_exit(i32::from(work())),
                child => {
                    let mut status = 0;
                    libc::waitpid(child, &mut status, 0);
                    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1
                }
            }
        }
    }

    #[test]
    fn a_child_has_what_its_parent_noted() {
        let overdue = Overdue::default();
        note(&overdue, &["a"], 10);
        assert!(in_a_child(|| overdue.is_any() && keys(&overdue.due()) == [b"a"]));
    }

    #[test]
    fn a_lock_that_nobody_will_release_becomes_one_flush() {
        let overdue = Overdue::default();
        note(&overdue, &["a"], 10);
        let _held = overdue.noted();
        assert!(in_a_child(|| {
            let due = overdue.due();
            let is_flush = matches!(due, Due::Flush(_));
            overdue.done(&due);
            is_flush && !overdue.is_any()
        }));
    }
}
