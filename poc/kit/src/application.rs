//! The life of a peer, whatever framework serves it: what `main` and the tests start alike.
//!
//! A framework brings one thing, a [`Serve`]; everything before and after is here, once.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::config::{Config, Role};
use crate::pages::Pages;
use crate::parts::{Context, Parts};
use crate::shutdown::{HTTP_LIMIT, Stop};

/// The propagator gets this long to finish or give back what is in hand.
const CLOSE_LIMIT: Duration = Duration::from_secs(6);

/// The peer could not start or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// The parts are those of another kind of peer than the configuration's.
    #[error("the configuration and the parts are of different kinds of peers")]
    OtherKind,
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
    Wiring(#[source] Box<dyn Error + Send + Sync>),
    /// Serving failed.
    #[error("serving failed")]
    Serve(#[source] io::Error),
}

/// Serving, until it is done.
pub type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// What a web framework brings.
pub trait Serve: Send + 'static {
    /// Serves the peer's routes on `listener` until [`Context::stop`] is asked for, then takes no new request and finishes
    /// the open ones. It is cut off when that takes longer than [`HTTP_LIMIT`].
    fn serve(self: Box<Self>, listener: TcpListener, context: Arc<Context>) -> Serving;
}

/// A peer that listens but does not serve yet.
pub struct Application {
    listener: TcpListener,
    address: SocketAddr,
    context: Arc<Context>,
    server: Box<dyn Serve>,
}

impl Application {
    /// Binds the port, then wires the parts by `wire`. Succeeds while servers are away. Without `pages` the peer has the
    /// HTTP surface only.
    ///
    /// # Errors
    /// [`ApplicationError`], when the configuration can never work or the port is taken.
    pub async fn build<E: Error + Send + Sync + 'static>(
        config: &Config,
        wire: impl FnOnce(&Config, &Stop) -> Result<Parts, E>,
        server: impl Serve,
        pages: Option<Pages>,
    ) -> Result<Self, ApplicationError> {
        let refused = |source| ApplicationError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let stop = Stop::default();
        let parts =
            wire(config, &stop).map_err(|error| ApplicationError::Wiring(Box::new(error)))?;
        let full = match (&config.role, &parts.management) {
            (Role::Full(full), Some(_)) => Some(&**full),
            (Role::ReceiveOnly { .. }, None) => None,
            _ => return Err(ApplicationError::OtherKind),
        };
        let context = Arc::new(Context::new(config, full, parts, pages, stop));
        Ok(Self {
            listener,
            address,
            context,
            server: Box::new(server),
        })
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
        self.context.stop.clone()
    }

    /// Serves until it is asked to stop; then finishes open requests and what the propagator has in hand, within
    /// [`crate::shutdown::LIMIT`].
    ///
    /// # Errors
    /// [`ApplicationError::Serve`].
    pub async fn run_until_stopped(self) -> Result<(), ApplicationError> {
        let Self {
            listener,
            address,
            context,
            server,
        } = self;
        let (peer, stop) = (context.peer.clone(), context.stop.clone());
        tracing::info!(peer, %address, "listening");
        let watch = tokio::spawn(Arc::clone(&context.health).watch());
        let upkeep = tokio::spawn({
            let context = Arc::clone(&context);
            async move { context.metrics.upkeep(&context.stop).await }
        });
        let overdue = async {
            stop.asked().await;
            tokio::time::sleep(HTTP_LIMIT).await;
        };
        let served = tokio::select! {
            served = server.serve(listener, Arc::clone(&context)) => served,
            () = overdue => {
                tracing::warn!(peer, "open requests are cut off");
                Ok(())
            }
        };
        stop.ask();
        if timeout(CLOSE_LIMIT, context.propagator.close())
            .await
            .is_err()
        {
            tracing::warn!(
                peer,
                "the propagator did not finish in time; the broker delivers again what was in hand"
            );
        }
        watch.abort();
        upkeep.abort();
        tracing::info!(peer, "stopped");
        served.map_err(ApplicationError::Serve)
    }
}
