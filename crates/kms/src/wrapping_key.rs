//! A key that wraps other keys: AES-256-GCM, as `A256GCMKW` of JOSE (RFC 7518, section 4.7) means it.
//!
//! It is how the providers of this project wrap; others do it in their own way, and show the outcome as a text that nobody
//! else reads.

use std::fmt;
use std::sync::Arc;

use auth_base::random::{Random, SystemRandom};
use secrets_at_rest::{SecretsKey, Vault};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::key_id::KeyId;

/// What a wrapping key is for, where others say `EdDSA` or `ES256`.
pub const WRAPPING_ALGORITHM: &str = "A256GCMKW";

/// So many bytes are wrapped at once: more than any key has.
pub const MAX_PLAIN_BYTES: usize = 512;

/// And so many may come of it.
pub const MAX_WRAPPED_BYTES: usize = 4096;

/// What key ids within a wrapped text are made with.
const LABEL: &[u8] = b"kms wrapped keys key id\0";

/// 32 bytes that wrap and unwrap. They are wiped.
#[derive(Clone)]
pub struct WrappingKey {
    bytes: Zeroizing<[u8; 32]>,
    vault: Vault,
}

impl WrappingKey {
    /// Makes a key of the system's randomness.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom.fill(&mut *bytes);
        Self::new(bytes)
    }

    /// Takes a key that was stored; `None` unless it has 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; 32]>::try_from(bytes).ok()?;
        Some(Self::new(Zeroizing::new(bytes)))
    }

    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let vault = Vault::new(&SecretsKey::new(*bytes), LABEL, Arc::new(SystemRandom));
        Self { bytes, vault }
    }

    /// The bytes, for the one place where they are stored.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Wraps 1 to [`MAX_PLAIN_BYTES`] bytes. The outcome opens under the name `kid` only.
    ///
    /// # Errors
    /// As [`check_plain`] says.
    pub fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        check_plain(plain)?;
        let sealed = self.vault.seal(&[WRAPPING_ALGORITHM, kid.as_str()], plain);
        sealed.map_err(|_| KmsError::InputTooLarge(MAX_PLAIN_BYTES))
    }

    /// Unwraps what [`WrappingKey::wrap`] made.
    ///
    /// # Errors
    /// [`KmsError::NotWrapped`].
    pub fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let opened = self
            .vault
            .open(&[WRAPPING_ALGORITHM, kid.as_str()], wrapped);
        opened.map_err(|_| KmsError::NotWrapped(kid.clone()))
    }
}

/// Refuses what is no key: nothing, or more than [`MAX_PLAIN_BYTES`].
///
/// # Errors
/// [`KmsError::InputTooLarge`], [`KmsError::Unsupported`] for nothing.
pub fn check_plain(plain: &[u8]) -> Result<(), KmsError> {
    match plain.len() {
        0 => Err(KmsError::Unsupported("wrapping nothing")),
        1..=MAX_PLAIN_BYTES => Ok(()),
        _ => Err(KmsError::InputTooLarge(MAX_PLAIN_BYTES)),
    }
}

/// Tells whether a provider may have called this the outcome: 1 to [`MAX_WRAPPED_BYTES`] visible ASCII characters.
pub fn is_wrapped_text(text: &str) -> bool {
    (1..=MAX_WRAPPED_BYTES).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic())
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappingKey(redacted)")
    }
}
