//! Why a peer cannot be wired.

use hmac_propagation_amqp::options::InvalidAmqpUrl;
use redis_link::link::InvalidRedisUrl;

/// An adapter refused its configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WiringError {
    /// `AMQP_URL` or its parts.
    #[error("the broker's address cannot be used")]
    Broker(#[from] InvalidAmqpUrl),
    /// `REDIS_URL`.
    #[error("the store's address cannot be used")]
    Redis(#[from] InvalidRedisUrl),
    /// The client for signed calls cannot be made.
    #[error("cannot make an HTTP client")]
    HttpClient(#[source] reqwest::Error),
    /// The configuration is one of a receive-only peer.
    #[error("the configuration is not one of a full-mode peer")]
    NotFullMode,
    /// The configuration is one of a full-mode peer.
    #[error("the configuration is not one of a receive-only peer")]
    NotReceiveOnly,
}
