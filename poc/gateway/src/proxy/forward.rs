//! Hands a request on, and waits for the head of its answer.

use std::time::Duration;

use auth_base::error_chain::chain;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::proxy::refusal::Refusal;

/// A connection to a peer is kept so long: a peer closes after 75 s, and who closes first should be us.
const IDLE_CONNECTION: Duration = Duration::from_secs(60);

/// So many idle connections are kept to each peer.
const IDLE_CONNECTIONS: usize = 32;

/// An answer's head has no more bytes.
const MAX_HEAD: usize = 128 * 1024;

/// How long the gateway waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection to a peer.
    pub connect: Duration,
    /// For who calls.
    pub who: Duration,
    /// For an answer to begin, from the moment the request is handed on. A peer begins within 30 s.
    pub first_byte: Duration,
    /// For the next part of an answer. A peer writes to a stream of events every 15 s.
    pub idle: Duration,
    /// For anything on a WebSocket, in either direction.
    pub idle_tunnel: Duration,
    /// For open answers to end, when the gateway stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            who: Duration::from_secs(10),
            first_byte: Duration::from_secs(40),
            idle: Duration::from_secs(60),
            idle_tunnel: Duration::from_secs(300),
            stop: peer_kit::shutdown::HTTP_LIMIT,
        }
    }
}

/// Connections to servers behind the gateway, each of which comes about within `connect`.
pub(crate) fn client(connect: Duration) -> Client<HttpConnector, Body> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(connect));
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_max_buf_size(MAX_HEAD)
        .build(connector)
}

/// Sends requests to peers.
pub(super) struct Forwarder {
    client: Client<HttpConnector, Body>,
    first_byte: Duration,
}

impl Forwarder {
    /// Waits as long as `limits` say.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            client: client(limits.connect),
            first_byte: limits.first_byte,
        }
    }

    /// Sends a request to `peer`. Whoever drops the future, or the body that comes of it, closes the connection.
    ///
    /// # Errors
    /// 503 when nothing was sent; 502 and 504 when it may have been done.
    pub(super) async fn send(
        &self,
        peer: &str,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Refusal> {
        match timeout(self.first_byte, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                tracing::warn!(peer, why = chain(&error), "a request was not handed on");
                match error.is_connect() {
                    true => Err(Refusal::upstream_unavailable(peer)),
                    false => Err(Refusal::upstream_failed(peer)),
                }
            }
            Err(_) => {
                tracing::warn!(peer, "a peer does not begin to answer");
                Err(Refusal::upstream_timeout(peer))
            }
        }
    }
}
