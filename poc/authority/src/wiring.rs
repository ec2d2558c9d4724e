//! Which broker and which stores there are: the one place where adapters meet.

mod sql;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hmac_auth::store::CredentialStore;
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::link::{InvalidRedisUrl, RedisLink};
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::peer_store::Track;
use hmac_propagation::propagator::Propagator;
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::{AmqpOptions, InvalidAmqpUrl};
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use hmac_propagation_sqlx::SqlManagement;
use kit::config::{Config, Role};
use kit::health::{BrokerCheck, Check};
use kit::late::Late;
use kit::shutdown::Stop;

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
    /// The configuration is one of a receive-only peer.
    #[error("the configuration is not one of a full-mode peer")]
    NotFullMode,
}

/// Wires a full-mode peer over RabbitMQ, Redis and MariaDB or SQLite, and starts it. Nothing need be there yet.
///
/// # Errors
/// [`WiringError`], when an address can never work.
pub fn connect(config: &Config, stop: &Stop) -> Result<Parts, WiringError> {
    let Role::Full(full) = &config.role else {
        return Err(WiringError::NotFullMode);
    };
    kit::tls::install_provider();
    let options = AmqpOptions::from_url(config.amqp_url.expose(), config.peer.as_str())?;
    let link = RedisLink::open(config.redis_url.expose())?;

    let namespaces = PeerStoreOptions::default();
    let http = RedisCredentialStore::new(link.clone(), namespaces.http.clone());
    let message = RedisCredentialStore::new(link.clone(), namespaces.message.clone());
    let nonces = RedisNonceStore::new(link.clone(), namespaces.http.clone());
    let store = RedisPeerStore::new(link.clone(), namespaces);

    let broker: Arc<dyn Broker> = Arc::new(AmqpBroker::connect(options));
    let management: Late<SqlManagement> = Late::new();
    tokio::spawn(sql::connect(management.clone(), config.clone(), stop.clone()));

    let propagator =
        Propagator::builder(config.peer.clone(), config.propagation_secret.clone(), broker, Arc::new(store))
            .management(Arc::new(management.clone()))
            .unsigned_ack_targets(full.unsigned_ack_targets.clone())
            .secret_token(config.secret_token.clone())
            .settings(config.settings())
            .start();

    let checks: Vec<Box<dyn Check>> = vec![
        Box::new(BrokerCheck(propagator.clone())),
        Box::new(RedisCheck(link)),
        Box::new(sql::SqlCheck::new(management.clone(), config.peer.clone())),
    ];
    let credentials: BTreeMap<Track, Arc<dyn CredentialStore>> = BTreeMap::from([
        (Track::Http, Arc::new(http.clone()) as Arc<dyn CredentialStore>),
        (Track::Message, Arc::new(message)),
    ]);
    Ok(Parts {
        propagator,
        verified_credentials: Arc::new(CachedCredentials::spawn(http, CacheOptions::default())),
        nonces: Arc::new(nonces),
        credentials,
        administration: Arc::new(sql::SqlAdministration(management)),
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
