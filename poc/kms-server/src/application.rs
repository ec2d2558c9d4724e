//! The whole server: what `main` and the tests start.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

use crate::config::Settings;
use crate::failure::Failure;
use crate::providers::provider;
use crate::router::router;

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
        let provider = provider(&settings.providers).await?;
        let served = settings.providers.served().map(|it| it.id.as_str());
        tracing::info!(provider = served, "keys are served");
        let router = router(provider, settings.credentials);
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

    /// Serves until `stop` is over, and the requests that are open are answered.
    ///
    /// # Errors
    /// When accepting fails for good.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        Ok(axum_serve::serve(self.listener, self.router, stop).await?)
    }
}
