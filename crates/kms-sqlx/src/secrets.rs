//! Private keys at rest: AES-256-GCM, each bound to its row.
//!
//! A sealed value is the base64 of `version (1) | key id (4) | nonce (12) | ciphertext and tag`. The version, the key id, and
//! the name and the algorithm of the key are authenticated with it, so that a value copied to another row does not open.

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use auth_base::random::{Random, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_auth::Algorithm;
use kms::KeyId;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// The keys that encrypt private keys at rest: one that writes, and any number of older ones that are still read.
///
/// A nonce is 96 random bits: change the key well before it has sealed 2^32 values.
#[derive(Clone)]
pub struct SecretsKey {
    keys: Vec<OneKey>,
}

#[derive(Clone)]
struct OneKey {
    id: [u8; KEY_ID_BYTES],
    bytes: Zeroizing<[u8; 32]>,
}

/// The text is not the base64 of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secrets key is 32 bytes in base64")]
pub struct InvalidSecretsKey;

/// Why a sealed value does not open. It says nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("not a sealed value")]
    Malformed,
    #[error("sealed with a key that is not configured")]
    UnknownKey,
    #[error("does not open here: wrong key, wrong row or damaged")]
    Refused,
}

/// Sealing failed, which the cipher only does for values of many gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value could not be sealed")]
pub(crate) struct SealError;

impl SecretsKey {
    /// Takes the 32 bytes of the key that writes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let keys = vec![OneKey::new(bytes)];
        Self { keys }
    }

    /// Reads keys in base64 separated by commas: the first writes, all are read.
    ///
    /// # Errors
    /// [`InvalidSecretsKey`] unless every part is the base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretsKey> {
        let read = |part: &str| {
            let decoded = STANDARD.decode(part.trim()).map(Zeroizing::new);
            let decoded = decoded.map_err(|_| InvalidSecretsKey)?;
            let bytes: [u8; 32] = decoded
                .as_slice()
                .try_into()
                .map_err(|_| InvalidSecretsKey)?;
            Ok(OneKey::new(bytes))
        };
        let keys: Result<Vec<OneKey>, InvalidSecretsKey> = text.split(',').map(read).collect();
        Ok(Self { keys: keys? })
    }

    /// Seals a private key for its row.
    pub(crate) fn seal(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        plain: &[u8],
    ) -> Result<String, SealError> {
        let key = self.keys.first().ok_or(SealError)?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&key.id);
        let associated = associated(&sealed, kid, algorithm);
        let mut nonce = [0; NONCE_BYTES];
        SystemRandom.fill(&mut nonce);
        sealed.extend_from_slice(&nonce);
        let payload = Payload {
            msg: plain,
            aad: &associated,
        };
        let ciphertext = key.cipher().encrypt(&Nonce::from(nonce), payload);
        sealed.extend_from_slice(&ciphertext.map_err(|_| SealError)?);
        Ok(STANDARD.encode(sealed))
    }

    /// Opens the private key of a row.
    pub(crate) fn open(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| OpenError::Malformed)?;
        let (header, ciphertext) = bytes
            .split_at_checked(HEADER_BYTES)
            .ok_or(OpenError::Malformed)?;
        let (named, nonce) = header.split_at(1 + KEY_ID_BYTES);
        if named.first() != Some(&VERSION) {
            return Err(OpenError::Malformed);
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Malformed)?;
        let key = self.keys.iter().find(|key| named.ends_with(&key.id));
        let key = key.ok_or(OpenError::UnknownKey)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &associated(named, kid, algorithm),
        };
        let plain = key.cipher().decrypt(&Nonce::from(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| OpenError::Refused)
    }
}

impl fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretsKey({} redacted)", self.keys.len())
    }
}

impl OneKey {
    fn new(bytes: [u8; 32]) -> Self {
        let digest = Sha256::new()
            .chain_update(b"kms private keys key id\0")
            .chain_update(bytes)
            .finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Self {
            id,
            bytes: Zeroizing::new(bytes),
        }
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.bytes).into())
    }
}

/// What is authenticated besides: the beginning of the value, and where it stands.
fn associated(header: &[u8], kid: &KeyId, algorithm: Algorithm) -> Vec<u8> {
    let mut data = header.to_vec();
    for part in [
        "private_keys.sealed_private",
        kid.as_str(),
        algorithm.name(),
    ] {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_in_its_own_row_only() {
        let (key, other) = (SecretsKey::new([1; 32]), SecretsKey::new([2; 32]));
        let (here, there) = (KeyId::parse("a").unwrap(), KeyId::parse("b").unwrap());
        let sealed = key.seal(&here, Algorithm::EdDsa, b"plain").unwrap();
        let opened = key.open(&here, Algorithm::EdDsa, &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"plain");
        let refused =
            |key: &SecretsKey, kid, algorithm| key.open(kid, algorithm, &sealed).unwrap_err();
        assert_eq!(refused(&key, &there, Algorithm::EdDsa), OpenError::Refused);
        assert_eq!(refused(&key, &here, Algorithm::Es256), OpenError::Refused);
        assert_eq!(
            refused(&other, &here, Algorithm::EdDsa),
            OpenError::UnknownKey
        );
        let bytes = STANDARD.decode(&sealed).unwrap();
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            for value in [STANDARD.encode(damaged), STANDARD.encode(&bytes[..index])] {
                assert!(
                    key.open(&here, Algorithm::EdDsa, &value).is_err(),
                    "{index}"
                );
            }
        }
    }

    #[test]
    fn keys_are_parsed_and_never_shown() {
        let (one, two) = (STANDARD.encode([7; 32]), STANDARD.encode([8; 32]));
        let both = SecretsKey::parse(&format!("{one}, {two}")).unwrap();
        assert_eq!(format!("{both:?}"), "SecretsKey(2 redacted)");
        let kid = KeyId::parse("a").unwrap();
        let older = SecretsKey::new([8; 32])
            .seal(&kid, Algorithm::EdDsa, b"x")
            .unwrap();
        assert!(both.open(&kid, Algorithm::EdDsa, &older).is_ok());
        for wrong in ["", "abc", &STANDARD.encode([7; 31]), &format!("{one},")] {
            assert_eq!(SecretsKey::parse(wrong).unwrap_err(), InvalidSecretsKey);
        }
    }
}
