//! Which broker and which store there are: the one place where adapters meet.

use std::sync::Arc;

use async_trait::async_trait;
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::link::{InvalidRedisUrl, RedisLink};
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::propagator::Propagator;
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::{AmqpOptions, InvalidAmqpUrl};
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use kit::config::{Config, Role};
use kit::health::{BrokerCheck, Check};

use crate::application::Parts;

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
    /// The configuration is one of a full-mode peer.
    #[error("the configuration is not one of a receive-only peer")]
    NotReceiveOnly,
}

/// Wires a receive-only peer over RabbitMQ and Redis, and starts it. Nothing need be there yet.
///
/// # Errors
/// [`WiringError`], when an address can never work.
pub fn connect(config: &Config) -> Result<Parts, WiringError> {
    let Role::ReceiveOnly { sources } = &config.role else {
        return Err(WiringError::NotReceiveOnly);
    };
    kit::tls::install_provider();
    let options = AmqpOptions::from_url(config.amqp_url.expose(), config.peer.as_str())?;
    let link = RedisLink::open(config.redis_url.expose())?;

    let namespaces = PeerStoreOptions::default();
    let credentials = RedisCredentialStore::new(link.clone(), namespaces.http.clone());
    let nonces = RedisNonceStore::new(link.clone(), namespaces.http.clone());
    let store = RedisPeerStore::new(link.clone(), namespaces);

    let broker: Arc<dyn Broker> = Arc::new(AmqpBroker::connect(options));
    let propagator =
        Propagator::builder(config.peer.clone(), config.propagation_secret.clone(), broker, Arc::new(store))
            .sources(sources.clone())
            .secret_token(config.secret_token.clone())
            .settings(config.settings())
            .start();

    let checks: Vec<Box<dyn Check>> =
        vec![Box::new(BrokerCheck(propagator.clone())), Box::new(RedisCheck(link))];
    Ok(Parts {
        propagator,
        verified_credentials: Arc::new(CachedCredentials::spawn(credentials, CacheOptions::default())),
        nonces: Arc::new(nonces),
        checks,
    })
}

struct RedisCheck(RedisLink);

#[async_trait]
impl Check for RedisCheck {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn check(&self) -> Result<(), String> {
        self.0.ping().await.map_err(|error| kit::problem::chain(&error))
    }
}
