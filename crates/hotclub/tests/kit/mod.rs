//! What the tests of the test kit share.
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub(crate) const SHORT: Duration = Duration::from_millis(200);
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Skips the rest of a test on a machine without the programs.
macro_rules! need {
    ($or_skip:ident) => {
        if !$or_skip(std::thread::current().name().unwrap_or_default()) {
            return;
        }
    };
}

pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Sends inline commands and reads as much as is expected.
pub(crate) fn talk(mut stream: impl Read + Write, request: &str, expected: &str) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), expected);
}

pub(crate) fn says_nothing(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let kind = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{kind:?}");
    stream.set_read_timeout(Some(LONG)).unwrap();
}

pub(crate) fn refuses(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

pub(crate) fn is_alive(pid: u32) -> bool {
    // SAFETY: signal 0 only asks whether there is such a process.
    unsafe { libc::kill(libc::pid_t::try_from(pid).unwrap(), 0) == 0 }
}

pub(crate) fn wait_until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !is() {
        assert!(Instant::now() < end, "not within {LONG:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
