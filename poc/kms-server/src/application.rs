//! The whole server: what `main` and the tests start.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use crate::config::Settings;
use crate::failure::Failure;
use crate::providers::provider;
use crate::router::router;

/// Requests that are open have so long to be answered after the server was asked to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A server that listens.
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Application {
    /// Makes the provider that is served, and listens.
    ///
    /// # Errors
    /// When the provider cannot be made, or the port is taken.
    pub async fn bind(settings: Settings) -> Result<Self, Failure> {
        let keys = provider(&settings.providers).await?;
        let id = settings.providers.served().map_or("", |it| it.id.as_str());
        tracing::info!(provider = id, "keys are served");
        let router = router(id, keys, settings.credentials);
        let listener = TcpListener::bind(settings.listen).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            router,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is over, and the requests that are open are answered, which takes ten seconds at most: those that
    /// are left are cut off then.
    ///
    /// # Errors
    /// When accepting fails for good.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let serving = axum_serve::serve_within(self.listener, self.router, STOP_LIMIT, stop);
        Ok(serving.await?)
    }
}
