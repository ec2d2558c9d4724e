//! What `main` and the tests start alike.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use hmac_auth::store::{CredentialStore, NonceStore};
use hmac_propagation::peer_store::Track;
use hmac_propagation::propagator::Propagator;
use kit::config::{Config, Role};
use kit::health::{Check, Health};
use kit::metrics::Metrics;
use kit::shutdown::{HTTP_LIMIT, Stop};
use kit::surface::Surface;
use kit::surface::administration::Administration;
use kit::surface::signed_call::SignedGet;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::http::{Context, router};
use crate::signed_get::HttpSignedGet;
use crate::wiring::{self, WiringError};

/// The propagator gets this long to finish or give back what is in hand.
const CLOSE_LIMIT: Duration = Duration::from_secs(6);

/// The peer could not start or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// The configuration is one of a receive-only peer.
    #[error("the configuration is not one of a full-mode peer")]
    NotFullMode,
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
    /// The client for signed calls cannot be made.
    #[error("cannot make an HTTP client")]
    HttpClient(#[source] reqwest::Error),
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
    /// The peer's own credentials, by track.
    pub credentials: BTreeMap<Track, Arc<dyn CredentialStore>>,
    /// The management store's inventory and state.
    pub administration: Arc<dyn Administration>,
    /// What must be there before the peer is ready.
    pub checks: Vec<Box<dyn Check>>,
}

/// A peer that listens but does not serve yet.
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    context: Arc<Context>,
    stop: Stop,
}

impl Application {
    /// Binds the port, wires the adapters and starts propagating. Succeeds while servers are away.
    ///
    /// # Errors
    /// [`ApplicationError`], when the configuration can never work or the port is taken.
    pub async fn build(config: Config) -> Result<Self, ApplicationError> {
        let listener = listen(config.listen).await?;
        let stop = Stop::default();
        let parts = wiring::connect(&config, &stop)?;
        Self::assemble(&config, listener, parts, stop)
    }

    /// Starts a peer from parts wired elsewhere: embedded backends, tests.
    ///
    /// # Errors
    /// [`ApplicationError`] as [`Self::build`].
    pub async fn from_parts(config: &Config, parts: Parts, stop: Stop) -> Result<Self, ApplicationError> {
        let listener = listen(config.listen).await?;
        Self::assemble(config, listener, parts, stop)
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
        let peer = context.surface.peer.to_string();
        tracing::info!(peer, %address, "listening");
        let watch = tokio::spawn(Arc::clone(&context.health).watch());
        let upkeep = tokio::spawn({
            let (context, stop) = (Arc::clone(&context), stop.clone());
            async move { context.metrics.upkeep(&stop).await }
        });
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its delay");
            }
        });
        let service = router(Arc::clone(&context)).into_make_service_with_connect_info::<SocketAddr>();
        let graceful = {
            let stop = stop.clone();
            async move { stop.asked().await }
        };
        let serving = async { axum::serve(listener, service).with_graceful_shutdown(graceful).await };
        let overdue = async {
            stop.asked().await;
            tokio::time::sleep(HTTP_LIMIT).await;
        };
        let served = tokio::select! {
            served = serving => served,
            () = overdue => {
                tracing::warn!("open requests are cut off");
                Ok(())
            }
        };
        stop.ask();
        if timeout(CLOSE_LIMIT, context.surface.propagator.close()).await.is_err() {
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
        listener: TcpListener,
        parts: Parts,
        stop: Stop,
    ) -> Result<Self, ApplicationError> {
        let Role::Full(full) = &config.role else {
            return Err(ApplicationError::NotFullMode);
        };
        let address = listener
            .local_addr()
            .map_err(|source| ApplicationError::Listen { address: config.listen, source })?;
        let metrics = Arc::new(Metrics::new(config.peer.as_str()));
        let verifier = kit::verifier::build(config, parts.verified_credentials, parts.nonces, &metrics);
        let signed_get: Arc<dyn SignedGet> =
            Arc::new(HttpSignedGet::new().map_err(ApplicationError::HttpClient)?);
        let surface = Surface {
            peer: config.peer.clone(),
            propagator: parts.propagator,
            administration: parts.administration,
            credentials: parts.credentials,
            signed_get,
            peer_urls: full.peer_urls.clone(),
            secret_token: config.secret_token.clone(),
        };
        let health = Health::new(config.peer.as_str(), parts.checks, stop.clone());
        let context = Arc::new(Context::new(surface, health, metrics, verifier));
        Ok(Self { listener, address, context, stop })
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ApplicationError> {
    TcpListener::bind(address).await.map_err(|source| ApplicationError::Listen { address, source })
}
