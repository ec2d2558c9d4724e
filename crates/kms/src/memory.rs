//! Keys in memory: for tests, for one process, and as the model of every other provider.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jwt_auth::private_key::InvalidPrivateKey;
use jwt_auth::{Algorithm, MemorySigner, PrivateKey, PublicJwk, Signer};
use parking_lot::RwLock;
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::key_id::KeyId;
use crate::key_management::{Capabilities, Health, KeyManagement, check_input};
use crate::wrapping_key::WrappingKey;

/// Keeps keys in memory, and loses them with the process. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryKeyManagement {
    keys: Arc<RwLock<HashMap<KeyId, Key>>>,
    only_signs: bool,
}

enum Key {
    Signs(MemorySigner),
    Wraps(WrappingKey),
}

impl MemoryKeyManagement {
    /// Keeps no key yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps no key yet, and makes none that wraps: what it wrapped would be lost with it.
    pub fn signing_only() -> Self {
        Self {
            only_signs: true,
            ..Self::default()
        }
    }

    fn keep(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        let signer = MemorySigner::new(key).map_err(|_| KmsError::Random)?;
        let public = named(key.public(), kid)?;
        self.insert(kid, Key::Signs(signer))?;
        Ok(public)
    }

    fn insert(&self, kid: &KeyId, key: Key) -> Result<(), KmsError> {
        match self.keys.write().entry(kid.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(key);
                Ok(())
            }
            Entry::Occupied(_) => Err(KmsError::KeyExists(kid.clone())),
        }
    }

    fn signer(&self, kid: &KeyId) -> Option<MemorySigner> {
        match self.keys.read().get(kid)? {
            Key::Signs(signer) => Some(signer.clone()),
            Key::Wraps(_) => None,
        }
    }

    fn wrapping_key(&self, kid: &KeyId) -> Result<WrappingKey, KmsError> {
        match self.keys.read().get(kid) {
            Some(Key::Wraps(key)) => Ok(key.clone()),
            _ => Err(KmsError::KeyNotFound(kid.clone())),
        }
    }
}

/// A public key that is called `kid`.
///
/// # Errors
/// None in practice: whatever names a key of a provider names a JWK too.
pub fn named(key: &PublicJwk, kid: &KeyId) -> Result<PublicJwk, KmsError> {
    key.clone()
        .with_kid(kid.as_str())
        .map_err(KmsError::PublicKey)
}

#[async_trait]
impl KeyManagement for MemoryKeyManagement {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            wrapping: !self.only_signs,
            ..Capabilities::ALL
        }
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        let key =
            PrivateKey::generate(algorithm).map_err(|_: InvalidPrivateKey| KmsError::Random)?;
        self.keep(kid, &key)
    }

    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        self.keep(kid, key)
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        check_input(input)?;
        let signer = self.signer(kid);
        let signer = signer.ok_or_else(|| KmsError::KeyNotFound(kid.clone()))?;
        if signer.key().algorithm() != algorithm {
            return Err(KmsError::AlgorithmOfKey {
                kid: kid.clone(),
                asked: algorithm,
            });
        }
        signer.sign(input).await.map_err(|_| KmsError::Random)
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        let signer = self.signer(kid);
        signer.map(|signer| named(signer.key(), kid)).transpose()
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.keys.write().remove(kid);
        Ok(())
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        match self.only_signs {
            true => Err(KmsError::Unsupported("wrapping")),
            false => self.insert(kid, Key::Wraps(WrappingKey::generate())),
        }
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        self.wrapping_key(kid)?.wrap(kid, plain)
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        self.wrapping_key(kid)?.unwrap(kid, wrapped)
    }

    async fn health(&self) -> Result<Health, KmsError> {
        let key_count = u64::try_from(self.keys.read().len()).ok();
        Ok(Health { key_count })
    }
}

impl fmt::Debug for MemoryKeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKeyManagement")
            .field("keys", &self.keys.read().len())
            .finish_non_exhaustive()
    }
}
