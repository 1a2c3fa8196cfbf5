//! What the three bench programs share. Dev only; `cargo xtask bench` starts the programs and reads what they print.
//!
//! - `bench-upstream` is a provider that answers from memory.
//! - `bench-floor` is the least a hyper-based gateway can do: pass bytes on.
//! - `bench-load` sends requests on a schedule and compares every byte that comes back. It speaks the upstream's
//!   dialect, or another one, so that what the subject makes of both can be measured.
//!
//! Upstream and load are written with blocking sockets and a thread for each connection. That is less work for the
//! machine than an event loop when each connection has one thing to do, it can sleep to some 50 µs where tokio's timer
//! rounds to a millisecond, and it shares no code with what is measured.

pub mod answer;
pub mod ask;
pub mod check;
pub mod messages_check;
pub mod prompt;
pub mod schedule;
pub mod stream_check;
pub mod tally;
pub mod wire;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since the epoch.
///
/// Not monotonic, but the one clock two processes can compare without `unsafe`; chunk delays are a few microseconds
/// long and the clock is slewed, not stepped, while a bench runs.
#[must_use]
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Refuses an address outside this machine: the programs answer anybody and check no credential.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] when `address` is not a loopback address.
pub fn loopback_only(address: SocketAddr) -> io::Result<SocketAddr> {
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{address} is not a loopback address")))
}

/// Listens with room for a thousand connections that come at once; the standard library has room for 128, and
/// whoever comes later tries again after a second.
///
/// # Errors
/// When `address` is not on this machine, or is taken.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    use socket2::{Domain, Socket, Type};
    let address = loopback_only(address)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// As much as Linux allows by default.
const BACKLOG: i32 = 4096;

/// Ends the process after `seconds`, so that a program whose parent was killed does not stay behind.
pub fn end_after(seconds: u64) {
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(seconds));
        std::process::exit(0);
    });
}

#[cfg(test)]
mod tests {
    use super::loopback_only;

    #[test]
    fn only_loopback_is_served() {
        for (address, served) in [("127.0.0.1:1", true), ("[::1]:1", true), ("0.0.0.0:1", false)] {
            assert_eq!(loopback_only(address.parse().unwrap()).is_ok(), served, "{address}");
        }
    }
}
