//! Secrets and their hashes: the two values that must never reach a log.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A plain secret: redacted in `Debug`, wiped on drop, compared in constant time only.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `plain` without a check of its length.
    pub fn new(plain: impl Into<String>) -> Self {
        Self(Zeroizing::new(plain.into()))
    }

    /// Reveals the plain text. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in constant time (for values of equal length).
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// Tells whether the secret has no character.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// A secret hash: 64 lower-case hex characters. It signs requests, so it is as precious as the secret itself.
#[derive(Clone)]
pub struct SecretHash(Zeroizing<String>);

/// The text is not 64 hex characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret hash is 64 lower-case hex characters")]
pub struct InvalidSecretHash;

impl SecretHash {
    /// Takes a hash from a record or an event.
    ///
    /// # Errors
    /// [`InvalidSecretHash`] unless `text` is 64 lower-case hex characters.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretHash> {
        let valid = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self(Zeroizing::new(text.to_owned()))).ok_or(InvalidSecretHash)
    }

    /// Reveals the 64 characters (the HMAC key is this text, not its 32 bytes; wire contract 1.1).
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first 8 characters, which may be shown.
    pub fn prefix(&self) -> &str {
        &self.0[..8]
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({}..)", self.prefix())
    }
}

/// Hashes a plain secret with the peer's pepper (wire contract 1.1): `SHA-256(secret)` when `token` is absent or
/// empty, else `HMAC-SHA256(key = token, secret)`.
pub fn hash_client_secret(secret: &Secret, token: Option<&Secret>) -> SecretHash {
    let digest = match token.filter(|token| !token.is_empty()) {
        None => Sha256::digest(secret.expose()),
        Some(token) => hmac_sha256(token.expose().as_bytes(), &[secret.expose().as_bytes()]).into(),
    };
    SecretHash(Zeroizing::new(hex::encode(digest)))
}

/// HMAC-SHA256 over the concatenation of `parts`.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
