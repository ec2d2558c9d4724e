//! [`NonceStore`] in Redis.

use std::time::Duration;

use async_trait::async_trait;
use auth_base::nonce_store::NonceStore;
use auth_base::store_error::StoreError;
use redis::Value;
use redis_link::failure::unexpected;
use redis_link::link::RedisLink;

use crate::keys::Namespace;

/// Redis refuses expiries that overflow; nobody needs a nonce for longer than a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Remembers nonces in Redis: one `SET NX PX`, one round trip. Clones share one connection.
#[derive(Clone)]
pub struct RedisNonceStore {
    link: RedisLink,
    namespace: Namespace,
}

impl RedisNonceStore {
    /// Makes a store over `link` in `namespace`.
    pub fn new(link: RedisLink, namespace: Namespace) -> Self {
        Self { link, namespace }
    }

    /// Tells by which policy Redis throws nonces away when its memory is full: then one may be accepted twice. `None` where
    /// it keeps them, or the user may not ask (`INFO`).
    ///
    /// # Errors
    /// [`StoreError`] when Redis does not answer.
    pub async fn evicts_by(&self) -> Result<Option<String>, StoreError> {
        self.link.evicts_by().await
    }
}

#[async_trait]
impl NonceStore for RedisNonceStore {
    async fn remember(
        &self,
        owner: &str,
        nonce: &str,
        timestamp_ms: i64,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let ttl_ms = ttl.clamp(Duration::from_secs(1), LONGEST).as_millis();
        let mut pipeline = redis::pipe();
        pipeline
            .cmd("SET")
            .arg(self.namespace.nonce(owner, nonce, timestamp_ms))
            .arg("1")
            .arg("NX")
            .arg("PX")
            .arg(ttl_ms.to_string());
        match self.link.query(&pipeline).await?.into_iter().next() {
            Some(Ok(Value::Okay)) => Ok(true),
            Some(Ok(Value::Nil)) => Ok(false),
            Some(Err(error)) => Err(error),
            _ => Err(unexpected("SET")),
        }
    }
}
