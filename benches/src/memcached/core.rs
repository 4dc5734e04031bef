//! One core for this process and what it starts, and the CPU time of all its threads.
use std::mem;

/// While it lives, this thread and all that it starts run on one core.
pub(super) struct OneCore {
    before: libc::cpu_set_t,
}

impl OneCore {
    pub(super) fn keep() -> Self {
        let before = affinity();
        // SAFETY: CPU numbers below CPU_SETSIZE are what these take; the sets are values of their own.
        let first = unsafe {
            let first = (0..libc::CPU_SETSIZE as usize).find(|&core| libc::CPU_ISSET(core, &before));
            let mut one: libc::cpu_set_t = mem::zeroed();
            libc::CPU_SET(first.expect("this runs somewhere"), &mut one);
            one
        };
        set_affinity(&first);
        OneCore { before }
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        set_affinity(&self.before);
    }
}

fn affinity() -> libc::cpu_set_t {
    // SAFETY: a set of zeros is a set; the call writes at most its size into it. 0 is the calling thread.
    unsafe {
        let mut cores: libc::cpu_set_t = mem::zeroed();
        let result = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut cores);
        assert_eq!(result, 0, "every Linux tells its cores");
        cores
    }
}

fn set_affinity(cores: &libc::cpu_set_t) {
    // SAFETY: the set is valid for the length of the call. 0 is the calling thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), cores) };
    assert_eq!(result, 0, "the cores are among those we had");
}

/// Seconds of CPU that all threads of this process have taken.
pub(super) fn cpu_of_process() -> f64 {
    // SAFETY: `usage` is a valid, writable rusage for the length of the call; zeros are one.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0, "every Linux has RUSAGE_SELF");
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
