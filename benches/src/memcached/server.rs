//! A memcached on a free port of loopback.
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = "memcached";
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn is_installed() -> bool {
    Command::new(PROGRAM).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Ended when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    process: Child,
}

impl Server {
    pub(super) fn start() -> Self {
        let address = free_address();
        let mut command = Command::new(PROGRAM);
        command.args(["-l", &address.ip().to_string(), "-p", &address.port().to_string(), "-U", "0"]);
        // Root has to name a user; for others it means nothing.
        command.args(["-u", "root"]);
        let process = command.spawn().expect("it is installed");
        let server = Server { address, process };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < PATIENCE, "{PROGRAM} does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    probe.local_addr().expect("it is bound")
}
