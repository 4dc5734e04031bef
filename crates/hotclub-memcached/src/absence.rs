//! Nodes that left the ring for a while, as pymemcache's timers have it: their keys move to others meanwhile.
use crate::config::Leave;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Which nodes are out, and until when.
#[derive(Debug)]
pub(crate) struct Absences {
    leave: Leave,
    began: Instant,
    /// The common case: none.
    any: AtomicBool,
    nodes: Vec<Absence>,
}

#[derive(Debug, Default)]
struct Absence {
    failures: AtomicU32,
    /// In milliseconds since it began; 0: it is not out.
    until: AtomicU64,
}

impl Absences {
    pub(crate) fn new(leave: Leave, nodes: usize) -> Self {
        Absences {
            leave,
            began: Instant::now(),
            any: AtomicBool::new(false),
            nodes: (0..nodes).map(|_| Absence::default()).collect(),
        }
    }

    /// Whether keys of this node go elsewhere now.
    #[cold]
    pub(crate) fn is_out(&self, node: usize) -> bool {
        let Absence { failures, until } = &self.nodes[node];
        match until.load(Relaxed) {
            0 => false,
            end if self.now() < end => true,
            // Its time is over: it is asked again, and has all its trials before it.
            _ => {
                failures.store(0, Relaxed);
                until.store(0, Relaxed);
                self.any.store(self.nodes.iter().any(|node| node.until.load(Relaxed) != 0), Relaxed);
                false
            }
        }
    }

    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        self.any.load(Relaxed)
    }

    /// A trial to reach it failed; whether it leaves now.
    #[cold]
    pub(crate) fn failed(&self, node: usize) -> bool {
        let Absence { failures, until } = &self.nodes[node];
        let leaves = failures.fetch_add(1, Relaxed) >= self.leave.attempts;
        if leaves {
            let time = u64::try_from(self.leave.dead.as_millis()).unwrap_or(u64::MAX);
            until.store(self.now().saturating_add(time).max(1), Relaxed);
            self.any.store(true, Relaxed);
        }
        leaves
    }

    /// It answered.
    #[inline]
    pub(crate) fn answered(&self, node: usize) {
        let failures = &self.nodes[node].failures;
        if failures.load(Relaxed) != 0 {
            failures.store(0, Relaxed);
        }
    }

    /// No step of the system's clock keeps a node out for longer.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_node_leaves_after_so_many_trials_and_comes_back_by_itself() {
        let hour = Duration::from_secs(3600);
        let absences = Absences::new(Leave { attempts: 2, dead: hour }, 2);
        assert!(!absences.failed(1) && !absences.failed(1));
        assert!(!absences.is_any() && !absences.is_out(1));
        absences.answered(1);
        (0..2).for_each(|_| assert!(!absences.failed(1)));
        assert!(!absences.is_out(1), "an answer begins the count anew");
        assert!(absences.failed(1));
        assert!(absences.is_any() && absences.is_out(1) && !absences.is_out(0));
        absences.nodes[1].until.store(1, Relaxed);
        assert!(!absences.is_out(1) && !absences.is_any());
    }

    #[test]
    fn without_trials_the_first_failure_counts() {
        let absences = Absences::new(Leave { attempts: 0, dead: Duration::from_secs(3600) }, 1);
        assert!(absences.failed(0));
        assert!(absences.is_out(0));
    }
}
