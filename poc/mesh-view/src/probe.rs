//! The seam to an HTTP client that asks peers for their health.

use std::time::Duration;

use async_trait::async_trait;
use url::Url;

/// A peer answers within this time, or counts as unreachable.
pub const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Asks other peers how they are.
#[async_trait]
pub trait PeerProbe: Send + Sync + 'static {
    /// The body of a GET, whatever its status, of at most 64 KiB and within [`PROBE_LIMIT`]; `None` when there is no answer.
    async fn get(&self, url: &Url) -> Option<Vec<u8>>;
}
