//! The suite of the contract, over a real Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_propagation::peer_store::PeerStore;
use hmac_propagation_redis::peer_store::{PeerStoreOptions, RedisPeerStore};
use hmac_testkit::peer_store::Peer;
use redis_link::link::RedisLink;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_applies_and_books_as_the_contract_says() {
    let redis = services::redis().await.unwrap();
    let count = AtomicUsize::new(0);
    hmac_testkit::peer_store::suite(async || {
        let prefix = format!("peer-{}", count.fetch_add(1, Ordering::Relaxed));
        let options = PeerStoreOptions {
            http: Namespace::new(&format!("{prefix}:hmac:http")),
            message: Namespace::new(&format!("{prefix}:hmac:message")),
            prefix,
            ..PeerStoreOptions::default()
        };
        let link = || RedisLink::open(redis.url()).unwrap();
        Peer {
            stores: [(); 2].map(|()| {
                Arc::new(RedisPeerStore::new(link(), options.clone())) as Arc<dyn PeerStore>
            }),
            http: Arc::new(RedisCredentialStore::new(link(), options.http.clone())),
            message: Arc::new(RedisCredentialStore::new(link(), options.message.clone())),
        }
    })
    .await;
}
