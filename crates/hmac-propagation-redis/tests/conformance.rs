//! The suite of the contract, over a real Redis: a private one for each case.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::ops::Deref;
use std::sync::Arc;

use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_propagation::peer_store::PeerStore;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use hmac_testkit::peer_store::Peer;
use redis_link::link::RedisLink;
use services::Redis;

hmac_testkit::peer_store_cases!(redis, &*on_redis().await);

/// A peer, and the server it is on.
struct OnRedis {
    peer: Peer,
    _redis: Redis,
}

impl Deref for OnRedis {
    type Target = Peer;

    fn deref(&self) -> &Peer {
        &self.peer
    }
}

async fn on_redis() -> OnRedis {
    let redis = services::redis().await.unwrap();
    let options = PeerStoreOptions::default();
    let link = || RedisLink::open(redis.url()).unwrap();
    let peer = Peer {
        stores: [(); 2]
            .map(|()| Arc::new(RedisPeerStore::new(link(), options.clone())) as Arc<dyn PeerStore>),
        http: Arc::new(RedisCredentialStore::new(link(), options.http.clone())),
        message: Arc::new(RedisCredentialStore::new(link(), options.message.clone())),
    };
    OnRedis {
        peer,
        _redis: redis,
    }
}
