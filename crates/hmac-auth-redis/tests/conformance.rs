//! The suites of the contract, over a real Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth_base::nonce_store::NonceStore;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_testkit::eventually;
use redis_link::link::RedisLink;

fn fresh() -> Namespace {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    Namespace::new(&format!("suite-{}", COUNT.fetch_add(1, Ordering::Relaxed)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_credentials_as_the_contract_says() {
    let redis = services::redis().await.unwrap();
    hmac_testkit::credential_store::suite(async || {
        let namespace = fresh();
        [(); 2].map(|()| {
            let link = RedisLink::open(redis.url()).unwrap();
            Arc::new(RedisCredentialStore::new(link, namespace.clone())) as Arc<dyn CredentialStore>
        })
    })
    .await;
}

/// The writer is cached and the reader is not, so that what is read is never in doubt; staleness has tests of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cached_credentials_keep_the_contract() {
    let redis = services::redis().await.unwrap();
    hmac_testkit::credential_store::suite(async || {
        let link = RedisLink::open(redis.url()).unwrap();
        let plain = RedisCredentialStore::new(link, fresh());
        let cached = CachedCredentials::spawn(plain.clone(), CacheOptions::default());
        eventually("the cache tracks", async || cached.is_tracking()).await;
        [
            Arc::new(cached) as Arc<dyn CredentialStore>,
            Arc::new(plain),
        ]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_accepts_a_nonce_once() {
    let redis = services::redis().await.unwrap();
    hmac_testkit::nonce_store::suite(async || {
        let namespace = fresh();
        [(); 2].map(|()| {
            let link = RedisLink::open(redis.url()).unwrap();
            Arc::new(RedisNonceStore::new(link, namespace.clone())) as Arc<dyn NonceStore>
        })
    })
    .await;
}
