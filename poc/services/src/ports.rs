//! Free ports.

use std::net::TcpListener;

use crate::error::Error;

/// Returns a port that was free a moment ago. Whoever starts a server on it tries again when it is taken by then.
pub(crate) fn free_port() -> Result<u16, Error> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("no free port"))?;
    Ok(listener.local_addr().map_err(Error::io("no free port"))?.port())
}
