//! Stopping: asked for by a signal or by a test, and bounded.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A peer that was told to stop is gone within this time.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How much of [`LIMIT`] open HTTP requests get.
pub const HTTP_LIMIT: Duration = Duration::from_secs(3);

/// Asks a peer to stop. Clones ask the same peer.
#[derive(Clone, Debug, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.cancel();
    }

    /// Waits until somebody asked.
    pub async fn asked(&self) {
        self.0.cancelled().await;
    }

    /// The same in tokio's terms, for servers.
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }

    /// Tells whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Asks when SIGTERM or SIGINT comes.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn on_signals(&self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = self.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            stop.ask();
            tracing::info!(signal = name, "stopping");
        });
        Ok(())
    }
}
