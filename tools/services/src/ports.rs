//! Free ports that stay ours while a server is down.

use std::net::TcpListener;
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
#[cfg(target_os = "linux")]
use std::sync::{Mutex, PoisonError};

use crate::error::Error;

/// Below every system's ephemeral range, so that no outgoing connection takes the port of a server that was killed and
/// is to start again.
const RANGE: Range<u32> = 14_000..32_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Names in the kernel's abstract socket namespace, one a port: other processes of this project see that it is taken,
/// and the names vanish with this process, however it ends.
#[cfg(target_os = "linux")]
static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// Returns a free port on 127.0.0.1 that no other process of this project takes while this one lives.
///
/// # Errors
/// [`Error::Unexpected`] when every port of the range is taken.
pub fn free_port() -> Result<u16, Error> {
    let width = RANGE.end - RANGE.start;
    // Processes begin far apart: 7919 is prime and shares no factor with the width.
    let offset = process::id().wrapping_mul(7919) % width;
    for _ in 0..width {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % width;
        let port = u16::try_from(RANGE.start + (offset + step) % width).unwrap_or(u16::MAX);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && claim(port) {
            return Ok(port);
        }
    }
    Err(Error::Unexpected(format!(
        "no free port between {} and {}",
        RANGE.start, RANGE.end
    )))
}

#[cfg(target_os = "linux")]
fn claim(port: u16) -> bool {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = SocketAddr::from_abstract_name(format!("hmac-mesh-port-{port}"));
    let Ok(listener) = name.and_then(|name| UnixListener::bind_addr(&name)) else {
        return false;
    };
    CLAIMS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(listener);
    true
}

#[cfg(not(target_os = "linux"))]
fn claim(_port: u16) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let (one, other) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, other);
        #[cfg(target_os = "linux")]
        assert!(!claim(one));
    }
}
