//! A provider that is not trusted: whatever it returns is checked before anybody sees it.
//!
//! - A call ends within a time, whatever the provider does.
//! - A public key is for the algorithm that was asked for, is called as it was asked for, is the imported one after an
//!   import, and stays the same as long as its name is known here: until it is deleted here, or the provider says that it is
//!   gone; what is pinned, such as the keys of rings, stays known even then. (That it has no private member, the one curve of its kind
//!   and coordinates of 32 bytes is what [`PublicJwk`] means.)
//! - A signature is verified with the key that is known under the name, never with one that comes along.
//! - What was wrapped is unwrapped again before anybody relies on it. (That what is unwrapped later is still the same, only
//!   who wrapped it can know: [`WrappedKey`](crate::wrapped_key::WrappedKey).)

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::key_id::KeyId;
use crate::key_management::{Capabilities, Health, KeyManagement, check_input};
use crate::wrapping_key::{check_plain, is_wrapped_text};

/// A provider has so long for one call, unless something else is said.
pub const CALL_LIMIT: Duration = Duration::from_secs(15);

/// No key that is worth wrapping has fewer.
const LEAST_KEY_BYTES: usize = 16;

/// So many public keys are remembered. The one that came first is forgotten first.
pub const MAX_KNOWN_KEYS: usize = 1024;

/// Checks what a provider returns, and remembers its public keys. Clones share them.
#[derive(Clone)]
pub struct CheckedKeyManagement {
    provider: Arc<dyn KeyManagement>,
    limit: Duration,
    known: Arc<Mutex<KnownKeys>>,
}

#[derive(Default)]
struct KnownKeys {
    keys: HashMap<KeyId, KnownKey>,
    order: VecDeque<KeyId>,
}

struct KnownKey {
    key: PublicJwk,
    /// Somebody else than the provider said so.
    is_pinned: bool,
}

impl KnownKeys {
    /// Remembers a key; whether it is the one that was known, if one was.
    fn remember(&mut self, kid: &KeyId, key: &PublicJwk, is_pinned: bool) -> bool {
        if let Some(known) = self.keys.get_mut(kid) {
            let is_same = known.key == *key;
            // Who pins knows better than a provider that spoke first.
            if is_pinned && !known.is_pinned {
                known.key = key.clone();
                known.is_pinned = true;
                return true;
            }
            return is_same;
        }
        if self.order.len() >= MAX_KNOWN_KEYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        let key = key.clone();
        self.keys.insert(kid.clone(), KnownKey { key, is_pinned });
        self.order.push_back(kid.clone());
        true
    }

    fn forget(&mut self, kid: &KeyId) {
        if self.keys.remove(kid).is_some() {
            self.order.retain(|other| other != kid);
        }
    }

    /// The provider says that the key is gone. Whoever pinned it knows better which one may come under its name.
    fn forget_unless_pinned(&mut self, kid: &KeyId) {
        if self.keys.get(kid).is_some_and(|known| !known.is_pinned) {
            self.forget(kid);
        }
    }
}

impl CheckedKeyManagement {
    /// Wraps `provider`, with [`CALL_LIMIT`].
    pub fn new(provider: Arc<dyn KeyManagement>) -> Self {
        Self {
            provider,
            limit: CALL_LIMIT,
            known: Arc::default(),
        }
    }

    /// Gives each call `limit`.
    #[must_use]
    pub fn call_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Says which key `kid` is, for instance as a ring has stored it: from now on no other is believed, whatever the provider
    /// has shown before.
    ///
    /// # Errors
    /// [`KmsError::KeyChanged`] when another key is pinned under the name.
    pub fn pin(&self, kid: &KeyId, key: &PublicJwk) -> Result<(), KmsError> {
        self.remember(kid, key, true)
    }

    fn remember(&self, kid: &KeyId, key: &PublicJwk, is_pinned: bool) -> Result<(), KmsError> {
        match self.known.lock().remember(kid, key, is_pinned) {
            true => Ok(()),
            false => Err(KmsError::KeyChanged(kid.clone())),
        }
    }

    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, KmsError>> + Send,
    ) -> Result<T, KmsError> {
        let answer = tokio::time::timeout(self.limit, call).await;
        answer.unwrap_or(Err(KmsError::Timeout(self.limit)))
    }

    /// The checks of a public key that are left to do.
    fn believe(&self, kid: &KeyId, key: PublicJwk) -> Result<PublicJwk, KmsError> {
        if key.kid() != kid.as_str() {
            return Err(KmsError::OtherName(kid.clone()));
        }
        self.remember(kid, &key, false)?;
        Ok(key)
    }

    /// A key that was just made: whatever was known under its name is gone, unless it is pinned.
    fn believe_new(
        &self,
        kid: &KeyId,
        key: PublicJwk,
        algorithm: Algorithm,
    ) -> Result<PublicJwk, KmsError> {
        if key.algorithm() != algorithm {
            return Err(KmsError::OtherAlgorithm(algorithm));
        }
        if key.kid() == kid.as_str() {
            self.known.lock().forget_unless_pinned(kid);
        }
        self.believe(kid, key)
    }

    fn known_key(&self, kid: &KeyId) -> Option<PublicJwk> {
        let known = self.known.lock();
        known.keys.get(kid).map(|known| known.key.clone())
    }

    async fn sign_checked(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        let key = self.expected_key(kid).await?;
        if key.algorithm() != algorithm {
            return Err(KmsError::AlgorithmOfKey {
                kid: kid.clone(),
                asked: algorithm,
            });
        }
        let signed = self.provider.sign(kid, algorithm, input).await;
        if let Err(KmsError::KeyNotFound(_)) = &signed {
            self.known.lock().forget_unless_pinned(kid);
        }
        let signature = signed?;
        match key.verify(input, &signature) {
            Ok(()) => Ok(signature),
            Err(_) => Err(KmsError::WrongSignature(kid.clone())),
        }
    }

    async fn wrap_checked(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        let wrapped = self.provider.wrap(kid, plain).await?;
        let wrong = || KmsError::WrongWrapping(kid.clone());
        if !is_wrapped_text(&wrapped) || shows(&wrapped, plain) {
            return Err(wrong());
        }
        let again = self.provider.unwrap(kid, &wrapped).await?;
        match *again == plain {
            true => Ok(wrapped),
            false => Err(wrong()),
        }
    }

    /// The key whose signature is expected: the known one, else the one that the provider shows.
    async fn expected_key(&self, kid: &KeyId) -> Result<PublicJwk, KmsError> {
        match self.known_key(kid) {
            Some(key) => Ok(key),
            None => {
                let shown = self.public_key(kid).await?;
                shown.ok_or_else(|| KmsError::KeyNotFound(kid.clone()))
            }
        }
    }
}

/// Whether a text that should be wrapped is the key itself. It finds who is broken, not who is cunning. A few bytes may stand
/// in any text.
fn shows(wrapped: &str, plain: &[u8]) -> bool {
    if plain.len() < LEAST_KEY_BYTES {
        return false;
    }
    let texts = [
        STANDARD_NO_PAD.encode(plain),
        URL_SAFE_NO_PAD.encode(plain),
        hex::encode(plain),
    ];
    texts
        .map(Zeroizing::new)
        .iter()
        .any(|text| wrapped.contains(text.as_str()))
}

#[async_trait]
impl KeyManagement for CheckedKeyManagement {
    fn capabilities(&self) -> Capabilities {
        self.provider.capabilities()
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        let made = self.within(self.provider.generate(kid, algorithm)).await?;
        self.believe_new(kid, made, algorithm)
    }

    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        let taken = self.within(self.provider.import(kid, key)).await?;
        if &taken != key.public() {
            return Err(KmsError::OtherKey(kid.clone()));
        }
        self.believe_new(kid, taken, key.public().algorithm())
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        check_input(input)?;
        // One limit for all: a key that is not known yet costs two calls.
        self.within(self.sign_checked(kid, algorithm, input)).await
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        match self.within(self.provider.public_key(kid)).await? {
            Some(key) => self.believe(kid, key).map(Some),
            None => {
                self.known.lock().forget_unless_pinned(kid);
                Ok(None)
            }
        }
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.within(self.provider.delete(kid)).await?;
        self.known.lock().forget(kid);
        Ok(())
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.within(self.provider.generate_wrapping(kid)).await
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        check_plain(plain)?;
        self.within(self.wrap_checked(kid, plain)).await
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        if !is_wrapped_text(wrapped) {
            return Err(KmsError::NotWrapped(kid.clone()));
        }
        let plain = self.within(self.provider.unwrap(kid, wrapped)).await?;
        match check_plain(&plain) {
            Ok(()) => Ok(plain),
            Err(_) => Err(KmsError::WrongWrapping(kid.clone())),
        }
    }

    async fn health(&self) -> Result<Health, KmsError> {
        self.within(self.provider.health()).await
    }
}

impl fmt::Debug for CheckedKeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedKeyManagement")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
