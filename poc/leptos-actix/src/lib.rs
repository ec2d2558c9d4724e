//! A full-mode peer on actix-web with the dashboard: what the authority can do, and pages to watch and drive the mesh.

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
use kit::pages::Pages;
use kit_actix::Server;
use peer_backends::backends::Backends;
use peer_backends::interim;
use peer_backends::redis::{self, RedisCheck};
use peer_kit::application::Application;
use peer_kit::config::{Config, Defaults};
use peer_kit::process::Failure;

/// What the peer is when nothing is said.
pub const DEFAULTS: Defaults = Defaults {
    binary: "leptos-actix",
    about: "A full-mode peer of the mesh with the dashboard, on actix-web",
    mode: Mode::Full,
    peer: "leptos-actix",
    port: 3004,
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
    let mut views = vec![redis::view(&config.peer, &redis, &places)];
    for (name, url) in &config.full()?.peer_redis_urls {
        if *name != config.peer {
            views.push(redis::view(name, &RedisLink::open(url.expose())?, &places));
        }
    }
    Ok(Backends {
        broker: Arc::new(AmqpBroker::connect(amqp)),
        store: Arc::new(store),
        credentials: Arc::new(CachedCredentials::spawn(
            credentials,
            CacheOptions::default(),
        )),
        nonces: Arc::new(nonces.clone()),
        checks: vec![Box::new(RedisCheck(nonces))],
        views,
        control: None,
    })
}

/// Builds the peer over `backends`.
///
/// # Errors
/// When the configuration can never work or the port is taken.
pub async fn start(config: Config, backends: Backends) -> Result<Application, Failure> {
    let pages = Pages::new(&config, dashboard::render_json, dashboard::STYLE);
    application::build(
        &config,
        |config, stop| interim::full(config, backends, stop),
        Server,
        Some(pages),
    )
    .await
}
