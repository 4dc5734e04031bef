//! Free ports on loopback.
use std::net::TcpListener;

/// Two ports that were free a moment ago: whoever starts a server there tries again if somebody was faster.
pub(super) fn two_free() -> (u16, u16) {
    // Both are held until both are known, else the second could be the first again.
    let (one, other) = (listen(), listen());
    (port_of(&one), port_of(&other))
}

/// Listens on a port that nobody has.
pub(super) fn listen() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports")
}

/// Where it listens.
pub(super) fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("a listener has an address").port()
}
