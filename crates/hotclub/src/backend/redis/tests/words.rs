//! What tests with servers that change need: threads that end, and waiting with a limit.
use crate::testing::servers::RedisServer;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ends the threads of a test even where it fails: they look at what is inside.
pub(super) struct Stop(AtomicBool);

impl Stop {
    pub(super) fn new() -> Self {
        Stop(AtomicBool::new(false))
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets it when dropped: made within the scope of the threads, so that a panic there is no hang.
pub(super) struct SetAtEnd<'a>(pub(super) &'a Stop);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Waits for what servers do in their own time.
#[track_caller]
pub(super) fn wait(what: &str, is_done: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_done() {
        assert!(Instant::now() < until, "it takes too long: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How often a server has done a command of this name.
pub(super) fn calls(server: &RedisServer, command: &str) -> usize {
    let stats = server.info(&format!("cmdstat_{command}")).unwrap_or_default();
    stats.split(',').find_map(|part| part.strip_prefix("calls=")?.parse().ok()).unwrap_or(0)
}

/// What a server says it is: `master`, `slave`.
pub(super) fn role(server: &RedisServer) -> String {
    server.command(&["ROLE"]).lines().next().unwrap_or_default().to_owned()
}
