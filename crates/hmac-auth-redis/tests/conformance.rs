//! The suites of the contract, over a real Redis: a private one for each case.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where an expectation fails"
)]

use std::ops::Deref;
use std::sync::Arc;

use auth_base::nonce_store::NonceStore;
use hmac_auth::credential_store::CredentialStore;
use hmac_auth_redis::cached_credentials::{CacheOptions, CachedCredentials};
use hmac_auth_redis::credential_store::RedisCredentialStore;
use hmac_auth_redis::keys::Namespace;
use hmac_auth_redis::nonce_store::RedisNonceStore;
use hmac_testkit::wait::eventually;
use redis_link::link::RedisLink;
use services::Redis;

hmac_testkit::credential_store_cases!(plain, &*plain_stores().await);
hmac_testkit::credential_store_cases!(cached, &*cached_stores().await);
hmac_testkit::nonce_store_cases!(nonces, &*nonce_stores().await);

/// Two handles, each over a connection of its own, and the server they are on.
struct OnRedis<S: ?Sized> {
    handles: [Arc<S>; 2],
    _redis: Redis,
}

impl<S: ?Sized> Deref for OnRedis<S> {
    type Target = [Arc<S>; 2];

    fn deref(&self) -> &Self::Target {
        &self.handles
    }
}

async fn on_redis<S: ?Sized>(
    make: impl AsyncFn(&dyn Fn() -> RedisLink) -> [Arc<S>; 2],
) -> OnRedis<S> {
    let redis = services::redis().await.unwrap();
    let link = || RedisLink::open(redis.url()).unwrap();
    OnRedis {
        handles: make(&link).await,
        _redis: redis,
    }
}

fn plain(link: RedisLink) -> RedisCredentialStore {
    RedisCredentialStore::new(link, Namespace::default())
}

async fn plain_stores() -> OnRedis<dyn CredentialStore> {
    on_redis(async |link| [(); 2].map(|()| Arc::new(plain(link())) as Arc<dyn CredentialStore>))
        .await
}

/// The writer is cached and the reader is not, so that what is read is never in doubt; staleness has tests of its own.
async fn cached_stores() -> OnRedis<dyn CredentialStore> {
    on_redis(async |link| {
        let plain = plain(link());
        let cached = CachedCredentials::spawn(plain.clone(), CacheOptions::default());
        eventually("the cache tracks", async || cached.is_tracking()).await;
        [
            Arc::new(cached) as Arc<dyn CredentialStore>,
            Arc::new(plain),
        ]
    })
    .await
}

async fn nonce_stores() -> OnRedis<dyn NonceStore> {
    on_redis(async |link| {
        [(); 2].map(|()| {
            Arc::new(RedisNonceStore::new(link(), Namespace::default())) as Arc<dyn NonceStore>
        })
    })
    .await
}
