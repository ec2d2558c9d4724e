//! The whole server: what `main` and the tests start.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

use crate::config::Settings;
use crate::failure::Failure;
use crate::providers::providers;
use crate::router::router;

/// A server that listens.
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Application {
    /// Makes the providers and listens.
    ///
    /// # Errors
    /// When a provider cannot be made, or the port is taken.
    pub async fn bind(settings: Settings) -> Result<Self, Failure> {
        let providers = providers(settings.providers).await?;
        let (id, provider) = providers.pick(None)?;
        tracing::info!(provider = id, "keys are served");
        let router = router(provider.clone(), settings.credentials);
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
