//! Ports on the loopback that nobody else has.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that the kernel gives to clients, so that no connection takes one before its server does.
const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A free port. Each test process begins elsewhere and never gives the same twice, so that two of them do not meet
/// between the choice and the use.
pub(crate) fn free() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    loop {
        let at = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST;
        let port = u16::try_from(at).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
