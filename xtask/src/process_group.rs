//! Signals: Ctrl-C noticed, whole process groups ended. The only unsafe code of xtask.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How strongly a process group is asked to end.
#[derive(Clone, Copy)]
pub(crate) enum Signal {
    /// What Ctrl-C sends.
    Interrupt,
    /// What `kill` sends.
    Terminate,
    /// Cannot be refused.
    Kill,
}

/// From now on Ctrl-C (and SIGTERM, SIGHUP) only sets a flag; whoever waits for a command looks at it.
pub(crate) fn watch_for_interrupts() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which is allowed in a signal handler, and it lives
        // as long as the program.
        unsafe { libc::signal(signal, remember as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
}

extern "C" fn remember(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Whether somebody wants us to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Sends a signal to a process group that we started; nothing happens if it is gone.
pub(crate) fn signal(group: u32, signal: Signal) {
    let Ok(group) = libc::pid_t::try_from(group) else { return };
    let number = match signal {
        Signal::Interrupt => libc::SIGINT,
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
    };
    // SAFETY: killpg touches no memory; the group is one that `shell` made and has not forgotten yet.
    unsafe { libc::killpg(group, number) };
}

/// Whether this process may install system packages.
pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid has no arguments and always succeeds.
    unsafe { libc::geteuid() == 0 }
}
