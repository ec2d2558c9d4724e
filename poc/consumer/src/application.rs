//! What `main` and the tests start alike.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use hmac_auth::store::{CredentialStore, NonceStore};
use hmac_propagation::propagator::Propagator;
use kit::config::Config;
use kit::health::{Check, Health};
use kit::metrics::Metrics;
use kit::shutdown::Stop;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::http::{Context, server};
use crate::wiring::{self, WiringError};

/// The propagator gets this long to finish or give back what is in hand.
const CLOSE_LIMIT: Duration = Duration::from_secs(6);

/// The peer could not start or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// An adapter refused its configuration.
    #[error("cannot wire the peer")]
    Wiring(#[from] WiringError),
    /// Serving failed.
    #[error("serving failed")]
    Serve(#[source] io::Error),
}

/// What a peer is wired from: the traits only, no adapter.
pub struct Parts {
    /// Started already.
    pub propagator: Propagator,
    /// The peer's own credentials of the http track, read by the verifier; may be a cache.
    pub verified_credentials: Arc<dyn CredentialStore>,
    /// The nonces of the http track.
    pub nonces: Arc<dyn NonceStore>,
    /// What must be there before the peer is ready.
    pub checks: Vec<Box<dyn Check>>,
}

/// A peer that listens but does not serve yet.
pub struct Application {
    listener: std::net::TcpListener,
    address: SocketAddr,
    context: Arc<Context>,
    stop: Stop,
}

impl Application {
    /// Binds the port, wires the adapters and starts receiving. Succeeds while servers are away.
    ///
    /// # Errors
    /// [`ApplicationError`], when the configuration can never work or the port is taken.
    pub async fn build(config: Config) -> Result<Self, ApplicationError> {
        let (listener, address) = listen(config.listen).await?;
        let stop = Stop::default();
        let parts = wiring::connect(&config)?;
        Ok(Self::assemble(&config, listener, address, parts, stop))
    }

    /// Starts a peer from parts wired elsewhere: embedded backends, tests.
    ///
    /// # Errors
    /// [`ApplicationError::Listen`].
    pub async fn from_parts(config: &Config, parts: Parts, stop: Stop) -> Result<Self, ApplicationError> {
        let (listener, address) = listen(config.listen).await?;
        Ok(Self::assemble(config, listener, address, parts, stop))
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to stop.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves until it is asked to stop; then finishes open requests and what the propagator has in hand, within
    /// [`kit::shutdown::LIMIT`].
    ///
    /// # Errors
    /// [`ApplicationError::Serve`].
    pub async fn run_until_stopped(self) -> Result<(), ApplicationError> {
        let Self { listener, address, context, stop } = self;
        let serving: Server = server(listener, Arc::clone(&context)).map_err(ApplicationError::Serve)?;
        let peer = context.peer.clone();
        tracing::info!(peer, %address, "listening");
        let watch = tokio::spawn(Arc::clone(&context.health).watch());
        let upkeep = tokio::spawn({
            let (context, stop) = (Arc::clone(&context), stop.clone());
            async move { context.metrics.upkeep(&stop).await }
        });
        let handle = serving.handle();
        let asked = stop.clone();
        tokio::spawn(async move {
            asked.asked().await;
            handle.stop(true).await;
        });
        let served = serving.await;
        stop.ask();
        if timeout(CLOSE_LIMIT, context.propagator.close()).await.is_err() {
            tracing::warn!(
                "the propagator did not finish in time; the broker delivers again what was in hand"
            );
        }
        watch.abort();
        upkeep.abort();
        tracing::info!(peer, "stopped");
        served.map_err(ApplicationError::Serve)
    }

    fn assemble(
        config: &Config,
        listener: std::net::TcpListener,
        address: SocketAddr,
        parts: Parts,
        stop: Stop,
    ) -> Self {
        let metrics = Arc::new(Metrics::new(config.peer.as_str()));
        let verifier = kit::verifier::build(config, parts.verified_credentials, parts.nonces, &metrics);
        let health = Health::new(config.peer.as_str(), parts.checks, stop.clone());
        let context = Context::new(config.peer.as_str(), parts.propagator, health, metrics, verifier);
        Self { listener, address, context: Arc::new(context), stop }
    }
}

async fn listen(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), ApplicationError> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener.into_std()?, bound))
    };
    bound.await.map_err(|source| ApplicationError::Listen { address, source })
}
