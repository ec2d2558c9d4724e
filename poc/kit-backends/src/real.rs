//! Real servers: RabbitMQ, Redis, and MariaDB or SQLite. Nothing need be there yet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use auth_base::nonce_store::NonceStore;
use auth_base::random::{Random, SystemRandom};
use hmac_auth::credential_store::CredentialStore;
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::broker::Broker;
use hmac_propagation::peer_store::Track;
use hmac_propagation::queue::PeerName;
use hmac_propagation::{Propagator, PropagatorBuilder};
use hmac_propagation_amqp::broker::AmqpBroker;
use hmac_propagation_amqp::options::AmqpOptions;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use hmac_propagation_sqlx::SqlManagement;
use kit::config::{Config, Full, Role};
use kit::health::{BrokerCheck, Check};
use kit::late::Late;
use kit::mesh::MeshParts;
use kit::mesh::stores::PeerStoreView;
use kit::parts::{ManagementParts, Parts};
use kit::shutdown::Stop;
use redis_link::link::RedisLink;

use crate::error::WiringError;
use crate::signed_get::HttpSignedGet;
use crate::sql::{self, LateAdministration, SqlCheck};
use crate::views::RedisChanges;

/// How long Redis keeps the nonce of a readiness probe.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Wires a full-mode peer over RabbitMQ, Redis and MariaDB or SQLite, and starts it.
///
/// # Errors
/// [`WiringError`], when an address can never work.
pub fn full(config: &Config, stop: &Stop) -> Result<Parts, WiringError> {
    let Role::Full(full) = &config.role else {
        return Err(WiringError::NotFullMode);
    };
    let redis = Redis::open(config)?;
    let builder = redis.propagator(config)?;
    let signed_get = Arc::new(HttpSignedGet::new().map_err(WiringError::HttpClient)?);
    let stores = views(config, full, &redis)?;
    let management: Late<SqlManagement> = Late::new();
    tokio::spawn(sql::connect(
        management.clone(),
        config.clone(),
        stop.clone(),
    ));
    let propagator = builder
        .management(Arc::new(management.clone()))
        .unsigned_ack_targets(full.unsigned_ack_targets.clone())
        .views(stores.iter().map(PeerStoreView::for_drift))
        .start();
    let http: Arc<dyn CredentialStore> = Arc::new(redis.credentials(&redis.namespaces.http));
    let message: Arc<dyn CredentialStore> = Arc::new(redis.credentials(&redis.namespaces.message));
    let mut parts = redis.parts(propagator);
    parts.checks.push(Box::new(SqlCheck::new(
        management.clone(),
        config.peer.clone(),
    )));
    parts.management = Some(ManagementParts {
        credentials: BTreeMap::from([(Track::Http, http), (Track::Message, message)]),
        administration: Arc::new(LateAdministration(management)),
        mesh: Some(MeshParts {
            stores,
            probe: signed_get.clone(),
            control: None,
        }),
        signed_get,
    });
    Ok(parts)
}

/// The store of this peer and those of the others, as the view of the mesh and the check for drift read them. Nothing connects before it is asked.
fn views(config: &Config, full: &Full, own: &Redis) -> Result<Vec<PeerStoreView>, WiringError> {
    let mut views = vec![own.view(&config.peer)];
    for (name, url) in full
        .peer_redis_urls
        .iter()
        .filter(|(name, _)| *name != config.peer)
    {
        let link = RedisLink::open(url.expose())?;
        views.push(
            Redis {
                link,
                namespaces: PeerStoreOptions::default(),
            }
            .view(name),
        );
    }
    Ok(views)
}

/// Wires a receive-only peer over RabbitMQ and Redis, and starts it.
///
/// # Errors
/// [`WiringError`], when an address can never work.
pub fn receive_only(config: &Config, _stop: &Stop) -> Result<Parts, WiringError> {
    let Role::ReceiveOnly { sources } = &config.role else {
        return Err(WiringError::NotReceiveOnly);
    };
    let redis = Redis::open(config)?;
    let propagator = redis.propagator(config)?.sources(sources.clone()).start();
    Ok(redis.parts(propagator))
}

/// The peer's own Redis, and what every peer keeps there.
struct Redis {
    link: RedisLink,
    namespaces: PeerStoreOptions,
}

impl Redis {
    fn open(config: &Config) -> Result<Self, WiringError> {
        kit::tls::install_provider();
        let link = RedisLink::open(config.redis_url.expose())?;
        Ok(Self {
            link,
            namespaces: PeerStoreOptions::default(),
        })
    }

    /// Begins the propagator over this Redis and the broker.
    fn propagator(&self, config: &Config) -> Result<PropagatorBuilder, WiringError> {
        let options = AmqpOptions::from_url(config.amqp_url.expose(), config.peer.as_str())?;
        let broker: Arc<dyn Broker> = Arc::new(AmqpBroker::connect(options));
        let store = Arc::new(RedisPeerStore::new(
            self.link.clone(),
            self.namespaces.clone(),
        ));
        let secret = config.propagation_secret.clone();
        Ok(
            Propagator::builder(config.peer.clone(), secret, broker, store)
                .secret_token(config.secret_token.clone())
                .settings(config.settings()),
        )
    }

    fn view(&self, name: &PeerName) -> PeerStoreView {
        let http: Arc<dyn CredentialStore> = Arc::new(self.credentials(&self.namespaces.http));
        let message: Arc<dyn CredentialStore> =
            Arc::new(self.credentials(&self.namespaces.message));
        PeerStoreView {
            name: name.clone(),
            credentials: BTreeMap::from([(Track::Http, http), (Track::Message, message)]),
            cursors: Arc::new(RedisPeerStore::new(
                self.link.clone(),
                self.namespaces.clone(),
            )),
            changes: Arc::new(RedisChanges {
                link: self.link.clone(),
                options: self.namespaces.clone(),
            }),
        }
    }

    fn credentials(&self, namespace: &Namespace) -> RedisCredentialStore {
        RedisCredentialStore::new(self.link.clone(), namespace.clone())
    }

    /// What every peer has, whatever its mode.
    fn parts(self, propagator: Propagator) -> Parts {
        let credentials = self.credentials(&self.namespaces.http);
        let nonces = RedisNonceStore::new(self.link.clone(), self.namespaces.http);
        let checks: Vec<Box<dyn Check>> = vec![
            Box::new(BrokerCheck(propagator.clone())),
            Box::new(RedisCheck(nonces.clone())),
        ];
        Parts {
            propagator,
            verified_credentials: Arc::new(CachedCredentials::spawn(
                credentials,
                CacheOptions::default(),
            )),
            nonces: Arc::new(nonces),
            checks,
            management: None,
        }
    }
}

/// Ready when Redis keeps a nonce: one that answers and takes no writes (a replica, or one without memory left) lets nobody in.
struct RedisCheck(RedisNonceStore);

#[async_trait]
impl Check for RedisCheck {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn check(&self) -> Result<(), String> {
        let mut nonce = [0; 8];
        SystemRandom.fill(&mut nonce);
        let nonce = format!("{:016x}", u64::from_le_bytes(nonce));
        let kept = self
            .0
            .remember("readyz", &nonce, SystemClock.now_ms(), KEPT_FOR)
            .await;
        kept.map(drop).map_err(|error| chain(&error))
    }
}
