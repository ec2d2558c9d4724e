//! Where the keys of issuers are found.
//!
//! # Implementing
//! Implement [`KeySource`] over whatever knows the keys: a fetched key set, a key-management service. A key that is not known
//! is `Ok(None)`; `Err` means that the source is broken, and then nothing is accepted. [`MemoryKeySource`] is the complete
//! model to compare with.

use std::sync::Arc;

use async_trait::async_trait;
use auth_base::store_error::StoreError;
use parking_lot::RwLock;

use crate::jwks::Jwks;
use crate::public_jwk::PublicJwk;

/// Finds keys.
///
/// # Contract
/// - `key` answers the key that its owner calls `kid`, and no other, as it is now: a key that is no longer published is
///   `Ok(None)`.
/// - `kid` comes from whoever sent a token. A source bounds what an unknown one costs.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// Finds the key that is called `kid`.
    async fn key(&self, kid: &str) -> Result<Option<PublicJwk>, StoreError>;
}

/// Keeps a key set in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryKeySource {
    keys: Arc<RwLock<Jwks>>,
}

impl MemoryKeySource {
    /// Keeps `keys`.
    pub fn new(keys: Jwks) -> Self {
        Self {
            keys: Arc::new(RwLock::new(keys)),
        }
    }

    /// Keeps `keys` from now on, and no other.
    pub fn replace(&self, keys: Jwks) {
        *self.keys.write() = keys;
    }

    /// The keys that are kept.
    pub fn keys(&self) -> Jwks {
        self.keys.read().clone()
    }
}

#[async_trait]
impl KeySource for MemoryKeySource {
    async fn key(&self, kid: &str) -> Result<Option<PublicJwk>, StoreError> {
        Ok(self.keys.read().find(kid).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::private_key::PrivateKey;

    #[tokio::test]
    async fn what_is_replaced_is_gone_at_once() {
        let key = || {
            PrivateKey::generate(Algorithm::EdDsa)
                .unwrap()
                .public()
                .clone()
        };
        let (old, new) = (key(), key());
        let source = MemoryKeySource::new(Jwks::new([old.clone()]));
        let same = source.clone();
        assert_eq!(same.key(old.kid()).await.unwrap(), Some(old.clone()));
        source.replace(Jwks::new([new.clone()]));
        assert_eq!(same.key(old.kid()).await.unwrap(), None);
        assert_eq!(same.key(new.kid()).await.unwrap(), Some(new));
    }
}
