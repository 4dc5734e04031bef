//! A process forks, and the child goes on using what its parent opened.
use super::Fixture;
use crate::backend::Shared;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A child that takes longer is ended by its alarm: a lock that nobody can open any more.
const SECONDS: u32 = 20;

/// Runs `child` in a forked process; how it ended: its exit code, or the signal below zero.
pub(crate) fn in_a_child(child: impl FnOnce()) -> i32 {
    // SAFETY: the child only uses what no other thread of its parent knows, and ends with `_exit`: nothing
    // of the parent's runs twice.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: sets this process's alarm; the default action of its signal ends the process.
            unsafe { libc::alarm(SECONDS) };
            let code = i32::from(catch_unwind(AssertUnwindSafe(child)).is_err());
            // SAFETY: ends this process at once, as a child of a threaded process should.
            unsafe { libc::_exit(code) }
        }
        -1 => panic!("fork failed: {}", std::io::Error::last_os_error()),
        child => {
            let mut status = 0;
            // SAFETY: `status` is valid for the length of the call; the child is ours and not reaped yet.
            let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
            assert_eq!(reaped, child, "waitpid failed: {}", std::io::Error::last_os_error());
            if libc::WIFSIGNALED(status) { -libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
        }
    }
}

/// A backend that was used before the fork works in the child, and in the parent afterwards.
pub fn a_forked_child_can_use_the_backend(fixture: &Fixture) {
    fixture.set("before", "parent");
    assert_eq!(fixture.get("before"), fixture.kept("parent"));
    let ended = in_a_child(|| {
        assert_eq!(fixture.get("before"), fixture.kept("parent"), "what was there before is there");
        fixture.set("key", "1");
        assert_eq!(fixture.get("key"), fixture.kept("1"));
        if fixture.keeps() {
            assert_eq!(fixture.backend().incr("key", 1).ok(), Some(2));
        }
        assert_eq!(fixture.delete("key"), fixture.keeps());
    });
    assert_eq!(ended, 0, "1: an assertion failed in the child; -14: the child hung");
    fixture.set("after", "parent");
    assert_eq!(fixture.get("after"), fixture.kept("parent"));
    assert_eq!(fixture.get("before"), fixture.kept("parent"));
}

/// What a child writes is seen by its parent exactly where the store is shared between processes.
pub fn parent_and_child_see_what_the_capability_says(fixture: &Fixture) {
    fixture.set("key", "parent");
    assert_eq!(in_a_child(|| fixture.set("key", "child")), 0);
    let expected = match fixture.can().shared {
        Shared::Nobody => None,
        Shared::Process => Some("parent"),
        Shared::Machine | Shared::Network => Some("child"),
    };
    assert_eq!(fixture.get("key").as_deref(), expected);
}
