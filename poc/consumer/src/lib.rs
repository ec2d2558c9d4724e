//! A receive-only peer on actix-web: it receives the credentials of the mesh and serves a route that they protect.

use std::sync::Arc;

use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::link::RedisLink;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::propagator::Mode;
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use kit::application;
use kit_actix::Server;
use peer_backends::backends::Backends;
use peer_backends::interim;
use peer_backends::redis::RedisCheck;
use peer_kit::application::Application;
use peer_kit::config::{Config, Defaults};
use peer_kit::process::Failure;

/// What the peer is when nothing is said.
pub const DEFAULTS: Defaults = Defaults {
    binary: "consumer",
    about: "A receive-only peer of the mesh: receives credential changes and serves what they protect",
    mode: Mode::ReceiveOnly,
    peer: "consumer",
    port: 3002,
};

/// Builds the peer over real servers.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn build(config: Config) -> Result<Application, Failure> {
    let backends = backends(&config)?;
    start(config, backends).await
}

/// What the peer stands on: RabbitMQ and Redis. Nothing need be there yet, and nothing connects before it is asked.
///
/// # Errors
/// When an address can never work.
pub fn backends(config: &Config) -> Result<Backends, Failure> {
    peer_kit::tls::install_provider();
    let redis = RedisLink::open(config.redis_url.expose())?;
    let places = PeerStoreOptions::default();
    let credentials = RedisCredentialStore::new(redis.clone(), places.http.clone());
    let nonces = RedisNonceStore::new(redis.clone(), places.http.clone());
    let store = RedisPeerStore::new(redis.clone(), places.clone());
    let amqp = AmqpOptions::from_url(config.amqp_url.expose(), config.peer.as_str())?;
    Ok(Backends {
        broker: Arc::new(AmqpBroker::connect(amqp)),
        store: Arc::new(store),
        credentials: Arc::new(CachedCredentials::spawn(
            credentials,
            CacheOptions::default(),
        )),
        nonces: Arc::new(nonces.clone()),
        checks: vec![Box::new(RedisCheck(nonces))],
        views: Vec::new(),
        control: None,
    })
}

/// Builds the peer over `backends`.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn start(config: Config, backends: Backends) -> Result<Application, Failure> {
    application::build(
        &config,
        |config, _| interim::receive_only(config, backends),
        Server,
        None,
    )
    .await
}
