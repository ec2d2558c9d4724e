//! What holds private keys and signs with them.
//!
//! # Contract
//! - A key has one name (`kid`), one algorithm and one pair, from `generate` or `import` until `delete`. A name is never given
//!   to another key while the first one is there: [`KmsError::KeyExists`].
//! - What is absent is `Ok(None)` ([`KeyManagement::public_key`]) or [`KmsError::KeyNotFound`] (signing); every other `Err`
//!   means that something is broken or refused.
//! - A signature is the 64 bytes of JWS (RFC 7518, section 3.4; RFC 8037, section 3.1) over the input as it is given.
//! - A key signs, or it wraps other keys (`generate_wrapping`), never both. What it wrapped only it unwraps.
//! - `delete` of an absent key is done.
//! - No private key leaves a provider. No error and no `Debug` shows one.
//!
//! # Implementing
//! Translate, and decide nothing: [`CheckedKeyManagement`](crate::checked::CheckedKeyManagement) verifies whatever comes
//! back, bounds the time, and is what [`Providers`](crate::providers::Providers) wraps around every provider.
//! [`MemoryKeyManagement`](crate::memory::MemoryKeyManagement) is the complete model to compare with. Prove yours with
//! `auth_testkit::key_management_cases!`.

use async_trait::async_trait;
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::key_id::KeyId;

/// So many bytes are signed at once: more than any token has.
pub const MAX_INPUT_BYTES: usize = 64 * 1024;

/// What a provider can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The algorithms of its keys.
    pub algorithms: &'static [Algorithm],
    /// Whether it takes keys that others made.
    pub import: bool,
    /// Whether it shows the public key of a name later.
    pub public_key: bool,
    /// Whether it wraps keys of others.
    pub wrapping: bool,
}

impl Capabilities {
    /// Both algorithms, import, public keys and wrapping.
    pub const ALL: Self = Self {
        algorithms: &[Algorithm::EdDsa, Algorithm::Es256],
        import: true,
        public_key: true,
        wrapping: true,
    };

    /// The algorithms as a text: `EdDSA, ES256`.
    pub fn algorithm_names(&self) -> String {
        let names: Vec<&str> = self.algorithms.iter().map(|it| it.name()).collect();
        names.join(", ")
    }
}

/// What a provider that is well says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How many keys it holds, if it tells.
    pub key_count: Option<u64>,
}

/// Holds private keys and signs with them. The module says what must hold.
#[async_trait]
pub trait KeyManagement: Send + Sync + 'static {
    /// What the provider can do. Never changes.
    fn capabilities(&self) -> Capabilities;

    /// Makes a key and tells its public half, which is called `kid`.
    ///
    /// # Errors
    /// [`KmsError::KeyExists`], [`KmsError::UnsupportedAlgorithm`], or what is broken.
    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError>;

    /// Takes a key that somebody else made, and tells its public half, which is called `kid`.
    ///
    /// # Errors
    /// [`KmsError::KeyExists`], [`KmsError::Unsupported`], [`KmsError::ImportDisabled`], or what is broken.
    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError>;

    /// Signs `input`, at most [`MAX_INPUT_BYTES`], with the key `kid`.
    ///
    /// # Errors
    /// [`KmsError::KeyNotFound`], also of a key that wraps; [`KmsError::AlgorithmOfKey`], [`KmsError::InputTooLarge`], or what
    /// is broken.
    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError>;

    /// The public half of the key `kid`; `None` when there is none, as of a key that wraps.
    ///
    /// # Errors
    /// [`KmsError::Unsupported`], or what is broken.
    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError>;

    /// Forgets the key `kid` for ever. An absent key is forgotten already.
    ///
    /// # Errors
    /// What is broken: then the key may still be there.
    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError>;

    /// Makes a key that wraps others.
    ///
    /// # Errors
    /// [`KmsError::KeyExists`], [`KmsError::Unsupported`], or what is broken.
    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError>;

    /// Wraps 1 to [`MAX_PLAIN_BYTES`](crate::wrapping_key::MAX_PLAIN_BYTES) bytes with the key `kid`. The outcome is visible
    /// ASCII, at most [`MAX_WRAPPED_BYTES`](crate::wrapping_key::MAX_WRAPPED_BYTES).
    ///
    /// # Errors
    /// [`KmsError::KeyNotFound`], also of a key that signs; [`KmsError::InputTooLarge`], [`KmsError::Unsupported`], or what is
    /// broken.
    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError>;

    /// Unwraps what the key `kid` has wrapped.
    ///
    /// # Errors
    /// [`KmsError::KeyNotFound`], also of a key that signs; [`KmsError::NotWrapped`], [`KmsError::Unsupported`], or what is
    /// broken.
    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError>;

    /// Tells whether keys can be used now.
    ///
    /// # Errors
    /// [`KmsError::Unhealthy`] when the provider says so itself, or what is broken.
    async fn health(&self) -> Result<Health, KmsError>;
}

/// Refuses an input that is larger than [`MAX_INPUT_BYTES`].
///
/// # Errors
/// [`KmsError::InputTooLarge`].
pub fn check_input(input: &[u8]) -> Result<(), KmsError> {
    match input.len() {
        ..=MAX_INPUT_BYTES => Ok(()),
        _ => Err(KmsError::InputTooLarge(MAX_INPUT_BYTES)),
    }
}
