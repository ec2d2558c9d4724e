//! Stopping and starting peers, where the process can: the seam behind the buttons of a demo.

use async_trait::async_trait;
use hmac_propagation::queue::PeerName;

/// Stops and starts the peers of one process.
#[async_trait]
pub trait PeerControl: Send + Sync + 'static {
    /// Whether the peer runs; `None` for one that cannot be controlled from here.
    fn running(&self, peer: &PeerName) -> Option<bool>;

    /// Stops a peer, and returns once it is gone. One that does not run stays so. `Err` says in words why not.
    async fn stop(&self, peer: &PeerName) -> Result<(), String>;

    /// Starts a peer, and returns once it listens. One that runs goes on. `Err` says in words why not.
    async fn start(&self, peer: &PeerName) -> Result<(), String>;
}
