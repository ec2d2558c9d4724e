//! The hash of a secret, which signs: as precious as the secret.

use std::fmt;
use std::sync::{Arc, OnceLock};

use auth_base::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret hash: 64 lower-case hex characters. It signs requests, so it is as precious as the secret itself.
///
/// Clones share one text, wiped with the last of them.
#[derive(Clone)]
pub struct SecretHash(Arc<SigningKey>);

struct SigningKey {
    text: Zeroizing<String>,
    /// HMAC's two key blocks, hashed when the key first signs: half of a short payload's cost. Wiped on drop.
    keyed: OnceLock<Hmac<Sha256>>,
}

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
        let valid =
            text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        valid
            .then(|| Self::of(text.to_owned()))
            .ok_or(InvalidSecretHash)
    }

    fn of(text: String) -> Self {
        Self(Arc::new(SigningKey {
            text: Zeroizing::new(text),
            keyed: OnceLock::new(),
        }))
    }

    /// Reveals the 64 characters (the HMAC key is this text, not its 32 bytes; wire contract 1.1).
    pub fn expose(&self) -> &str {
        &self.0.text
    }

    /// Signs: HMAC-SHA256 over the concatenation of `parts`, keyed with the 64 characters.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self
            .0
            .keyed
            .get_or_init(|| keyed(self.expose().as_bytes()))
            .clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Tells whether `signature` is that of `parts` with this hash, in constant time.
    pub fn signed(&self, parts: &[&[u8]], signature: &[u8; 32]) -> bool {
        self.sign(parts).ct_eq(signature).into()
    }

    /// The first 8 characters, which may be shown.
    pub fn prefix(&self) -> &str {
        &self.0.text[..8]
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.expose()
            .as_bytes()
            .ct_eq(other.expose().as_bytes())
            .into()
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
    let digest: [u8; 32] = match token.filter(|token| !token.is_empty()) {
        None => Sha256::digest(secret.expose()).into(),
        Some(token) => {
            let mac = keyed(token.expose().as_bytes()).chain_update(secret.expose());
            mac.finalize().into_bytes().into()
        }
    };
    SecretHash::of(hex::encode(digest))
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_lower_case_hex_characters() {
        let hash = "0a".repeat(32);
        assert_eq!(SecretHash::parse(&hash).unwrap().expose(), hash);
        for text in [
            "",
            "0a",
            &hash.to_uppercase(),
            &hash.replace('a', "g"),
            &format!("{hash}0"),
        ] {
            assert_eq!(SecretHash::parse(text).unwrap_err(), InvalidSecretHash);
        }
    }

    #[test]
    fn debug_texts_are_redacted() {
        let secret = Secret::new("plain-text-secret");
        let hash = hash_client_secret(&secret, None);
        assert_eq!(
            format!("{secret:?} {hash:?}"),
            format!("Secret(redacted) SecretHash({}..)", &hash.expose()[..8])
        );
    }

    #[test]
    fn a_key_signs_alike_every_time() {
        let hash = hash_client_secret(
            &Secret::new("plain-text-secret"),
            Some(&Secret::new("pepper")),
        );
        let whole = hash.sign(&[b"one payload"]);
        assert_eq!(hash.sign(&[b"one ", b"payload"]), whole);
        assert_ne!(hash.sign(&[b"another"]), whole);
    }
}
