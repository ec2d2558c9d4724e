//! The life of a peer, whatever framework serves it: what `main` and the tests start alike.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{io, iter};

use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use mesh_management::administration::Administration;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::health::{BrokerCheck, Check, Health};
use crate::metrics::Metrics;
use crate::shutdown::{HTTP_LIMIT, Stop};

/// A client that leaves an answer unread for this long, and so the rest of it unsent, loses its connection.
const UNREAD_LIMIT: Duration = Duration::from_secs(30);

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
    /// Serving failed.
    #[error("serving failed")]
    Serve(#[source] io::Error),
}

/// Binds the port. A peer does so before it wires anything: what is started once its port is sure need not be stopped again.
///
/// # Errors
/// [`ApplicationError::Listen`].
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ApplicationError> {
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        bound(&listener, UNREAD_LIMIT)?;
        Ok(listener)
    };
    let refused = |source| ApplicationError::Listen { address, source };
    listening.await.map_err(refused)
}

/// Lets every connection of `listener` end whose client takes nothing for `limit` of what waits to be sent. Neither framework
/// has such a bound; Linux has, and other systems wait on.
fn bound(listener: &TcpListener, limit: Duration) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(listener).set_tcp_user_timeout(Some(limit))?;
    #[cfg(not(target_os = "linux"))]
    let _ = (listener, limit);
    Ok(())
}

/// What every peer has, and what its routes for probes and metrics answer with. Clones are the same peer.
#[derive(Clone)]
pub struct Peer {
    /// Its name in the mesh.
    pub name: String,
    /// Receives, and propagates in full mode. Started already.
    pub propagator: Propagator,
    /// What is missing.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Tells whether the peer shall stop. Answers without an end must end then.
    pub stop: Stop,
}

impl Peer {
    /// Puts it together. `checks` are what must be there before the peer is ready, besides the broker.
    pub fn new(
        name: &PeerName,
        propagator: Propagator,
        checks: Vec<Box<dyn Check>>,
        stop: Stop,
    ) -> Self {
        let broker: Box<dyn Check> = Box::new(BrokerCheck(propagator.clone()));
        let checks = iter::once(broker).chain(checks).collect();
        let name = name.to_string();
        Self {
            health: Health::of(propagator.clone(), &name, checks, stop.clone()),
            metrics: Arc::new(Metrics::new(&name)),
            name,
            propagator,
            stop,
        }
    }

    /// The text of `/metrics`, of this moment; `store` is the management store of a full-mode peer.
    pub async fn metrics_text(&self, store: Option<&dyn Administration>) -> String {
        let readiness = self.health.readiness().await;
        let metrics = &self.metrics;
        metrics.render(&self.propagator, &readiness, store).await
    }
}

/// A peer that listens but does not serve yet.
pub struct Application {
    address: SocketAddr,
    peer: Peer,
    serving: Pin<Box<dyn Future<Output = io::Result<()>> + Send>>,
}

impl Application {
    /// `serving` answers at `address` until [`Peer::stop`] is asked for, then takes no new request and finishes the open
    /// ones. It is cut off when that takes longer than [`HTTP_LIMIT`].
    pub fn new(
        address: SocketAddr,
        peer: Peer,
        serving: impl Future<Output = io::Result<()>> + Send + 'static,
    ) -> Self {
        let serving = Box::pin(serving);
        Self {
            address,
            peer,
            serving,
        }
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to stop.
    pub fn stop(&self) -> Stop {
        self.peer.stop.clone()
    }

    /// Serves until it is asked to stop; then finishes open requests and what the propagator has in hand, within
    /// [`crate::shutdown::LIMIT`].
    ///
    /// # Errors
    /// [`ApplicationError::Serve`].
    pub async fn run_until_stopped(self) -> Result<(), ApplicationError> {
        let Self {
            address,
            peer,
            serving,
        } = self;
        let (name, stop) = (&peer.name, &peer.stop);
        tracing::info!(peer = name, %address, "listening");
        let watch = tokio::spawn(Arc::clone(&peer.health).watch());
        let upkeep = tokio::spawn({
            let (metrics, stop) = (Arc::clone(&peer.metrics), stop.clone());
            async move { metrics.upkeep(&stop).await }
        });
        let overdue = async {
            stop.asked().await;
            sleep(HTTP_LIMIT).await;
        };
        let served = tokio::select! {
            served = serving => served,
            () = overdue => {
                tracing::warn!(peer = name, "open requests are cut off");
                Ok(())
            }
        };
        stop.ask();
        if timeout(CLOSE_LIMIT, peer.propagator.close()).await.is_err() {
            tracing::warn!(
                peer = name,
                "the propagator did not finish in time; the broker delivers again what was in hand"
            );
        }
        watch.abort();
        upkeep.abort();
        tracing::info!(peer = name, "stopped");
        served.map_err(ApplicationError::Serve)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;

    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_client_that_does_not_read_loses_its_connection() {
        let listener = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        let limit = socket2::SockRef::from(&listener).tcp_user_timeout();
        assert_eq!(limit.unwrap(), Some(UNREAD_LIMIT));

        bound(&listener, Duration::from_secs(1)).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let filling = async {
            let chunk = vec![0; 1024 * 1024];
            loop {
                if let Err(error) = stream.write_all(&chunk).await {
                    return error.kind();
                }
            }
        };
        let ended = timeout(Duration::from_secs(20), filling).await;
        assert_eq!(ended.unwrap(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
