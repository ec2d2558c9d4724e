//! Pieces of a peer on Redis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use auth_base::nonce_store::NonceStore;
use auth_base::random::{Random, SystemRandom};
use hmac_auth::credential_store::CredentialStore;
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_propagation::peer_store::Track;
use hmac_propagation::queue::PeerName;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use hmac_propagation_redis::watch::{self, StoreWatch};
use mesh_view::stores::{ChangeSource, Changes, PeerStoreView, StoreChange};
use peer_kit::config::Config;
use peer_kit::health::Check;
use redis_link::link::RedisLink;

/// How long Redis keeps the nonce of a readiness probe.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Where the things of a peer of this mesh are in its Redis. Those of the others are at the same places.
pub fn places(config: &Config) -> PeerStoreOptions {
    PeerStoreOptions {
        http: Namespace::new(&config.http_namespace),
        message: Namespace::new(&config.message_namespace),
        ..PeerStoreOptions::default()
    }
}

/// The tokens of callers that were used, in a peer's Redis: in a namespace of their own below that of the http track, so that no
/// client's name is an issuer's. Instances of a peer share them.
pub fn used_tokens(link: &RedisLink, config: &Config) -> RedisNonceStore {
    let namespace = format!("{}:tokens", config.http_namespace);
    RedisNonceStore::new(link.clone(), Namespace::new(&namespace))
}

/// A peer's Redis as the view of the mesh and the check for drift read it. Nothing connects before it is asked.
pub fn view(name: &PeerName, link: &RedisLink, places: &PeerStoreOptions) -> PeerStoreView {
    let http = RedisCredentialStore::new(link.clone(), places.http.clone());
    let message = RedisCredentialStore::new(link.clone(), places.message.clone());
    let (http, message): (Arc<dyn CredentialStore>, Arc<dyn CredentialStore>) =
        (Arc::new(http), Arc::new(message));
    PeerStoreView {
        name: name.clone(),
        credentials: BTreeMap::from([(Track::Http, http), (Track::Message, message)]),
        cursors: Arc::new(RedisPeerStore::new(link.clone(), places.clone())),
        changes: Arc::new(RedisChanges {
            link: link.clone(),
            places: places.clone(),
        }),
    }
}

/// The changes of a peer's Redis.
struct RedisChanges {
    link: RedisLink,
    places: PeerStoreOptions,
}

impl ChangeSource for RedisChanges {
    fn watch(&self) -> Box<dyn Changes> {
        let watch = StoreWatch::spawn(self.link.clone(), &self.places);
        Box::new(Announced(watch))
    }
}

struct Announced(StoreWatch);

#[async_trait]
impl Changes for Announced {
    async fn next(&mut self) -> StoreChange {
        match self.0.next().await {
            watch::StoreChange::Credentials(keys) => StoreChange::Credentials(keys),
            watch::StoreChange::Everything => StoreChange::Everything,
        }
    }
}

/// Ready when Redis keeps a nonce, and lets a change be done: one that answers and takes no writes (a replica, or one without
/// memory left) lets nobody in, and one that runs no scripts over several keys takes no change.
pub struct RedisCheck {
    /// The peer's nonces.
    pub nonces: RedisNonceStore,
    /// The peer's store.
    pub store: RedisPeerStore,
    /// Whether the peer has changes of its own, and keeps a ledger of them.
    pub is_source: bool,
}

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
            .nonces
            .remember("readyz", &nonce, SystemClock.now_ms(), KEPT_FOR)
            .await;
        kept.map_err(|error| chain(&error))?;
        let probed = self.store.probe(self.is_source).await;
        probed.map_err(|error| {
            let needed = "a change needs scripts over several keys: no cluster mode, and the rights to EVAL and EVALSHA";
            format!("{}; {needed}", chain(&error))
        })?;
        let evicts_by = self.nonces.evicts_by().await;
        evicts_by.map_err(|error| chain(&error))?.map_or(Ok(()), |policy| {
            Err(format!(
                "throws keys away when its memory is full (maxmemory-policy {policy}), so a nonce may be accepted twice: it must be noeviction"
            ))
        })
    }
}
