//! Secrets at rest: AES-256-GCM, each value bound to its table, column and row.
//!
//! A sealed value is the base64 of `version (1) | key id (4) | nonce (12) | ciphertext and tag`. The version, the key id and
//! the value's place are authenticated with it, so that a value copied to another row does not open.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use auth_base::random::Random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// The keys that encrypt secrets at rest: one that writes, and any number of older ones that are still read.
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

impl SecretsKey {
    /// Takes the 32 bytes of the key that writes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self {
            keys: vec![OneKey::new(bytes)],
        }
    }

    /// Reads keys in base64 separated by commas: the first writes, all are read.
    ///
    /// # Errors
    /// [`InvalidSecretsKey`] unless every part is the base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretsKey> {
        let keys = text
            .split(',')
            .map(|part| {
                let decoded = Zeroizing::new(
                    STANDARD
                        .decode(part.trim())
                        .map_err(|_| InvalidSecretsKey)?,
                );
                let bytes: [u8; 32] = decoded
                    .as_slice()
                    .try_into()
                    .map_err(|_| InvalidSecretsKey)?;
                Ok(OneKey::new(bytes))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys })
    }

    /// Adds a key that is only read with: what it sealed stays readable after a change of the key.
    #[must_use]
    pub fn also_reading(mut self, older: Self) -> Self {
        self.keys.extend(older.keys);
        self
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
            .chain_update(b"hmac-mesh secrets key id\0")
            .chain_update(bytes)
            .finalize();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Self {
            id,
            bytes: Zeroizing::new(bytes),
        }
    }
}

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

/// Where a sealed value lives: table and column, then the parts of the row's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) column: &'static str,
    pub(crate) row: [&'a str; 3],
}

impl<'a> Place<'a> {
    pub(crate) fn credential_hash(track: &'a str, client_id: &'a str) -> Self {
        Self {
            column: "hmac_credential.secret_hash",
            row: [track, client_id, ""],
        }
    }

    pub(crate) fn delivery_hash(track: &'a str, client_id: &'a str, target: &'a str) -> Self {
        Self {
            column: "hmac_credential_target.secret_hash",
            row: [track, client_id, target],
        }
    }

    pub(crate) fn propagation_secret(target: &'a str) -> Self {
        Self {
            column: "hmac_propagation_target.propagation_secret",
            row: ["", "", target],
        }
    }

    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let mut data = Vec::with_capacity(192);
        data.extend_from_slice(header);
        for part in [self.column].iter().chain(&self.row) {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// Seals and opens.
pub(crate) struct Vault {
    ciphers: Vec<([u8; KEY_ID_BYTES], Aes256Gcm)>,
    random: Arc<dyn Random>,
}

impl Vault {
    pub(crate) fn new(key: &SecretsKey, random: Arc<dyn Random>) -> Self {
        let ciphers = key
            .keys
            .iter()
            .map(|key| (key.id, Aes256Gcm::new((&*key.bytes).into())))
            .collect();
        Self { ciphers, random }
    }

    pub(crate) fn seal(&self, place: &Place<'_>, plain: &str) -> Result<String, SealError> {
        let (id, cipher) = self.ciphers.first().ok_or(SealError)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(id);
        let associated = place.associated_data(&sealed);
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce);
        sealed.extend_from_slice(&nonce);
        let payload = Payload {
            msg: plain.as_bytes(),
            aad: &associated,
        };
        let ciphertext = cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&ciphertext);
        Ok(STANDARD.encode(sealed))
    }

    /// Tells whether a value names the key that writes.
    pub(crate) fn is_fresh(&self, sealed: &str) -> bool {
        let bytes = STANDARD.decode(sealed).unwrap_or_default();
        match (bytes.get(1..=KEY_ID_BYTES), self.ciphers.first()) {
            (Some(named), Some((id, _))) => named == id,
            _ => false,
        }
    }

    pub(crate) fn open(
        &self,
        place: &Place<'_>,
        sealed: &str,
    ) -> Result<Zeroizing<String>, OpenError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| OpenError::Malformed)?;
        let (header, ciphertext) = bytes
            .split_at_checked(HEADER_BYTES)
            .ok_or(OpenError::Malformed)?;
        let (named, nonce) = header.split_at(1 + KEY_ID_BYTES);
        if named[0] != VERSION {
            return Err(OpenError::Malformed);
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| OpenError::Malformed)?;
        let (_, cipher) = self
            .ciphers
            .iter()
            .find(|(id, _)| id.as_slice() == &named[1..])
            .ok_or(OpenError::UnknownKey)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &place.associated_data(named),
        };
        let plain = cipher
            .decrypt(&Nonce::from(nonce), payload)
            .map_err(|_| OpenError::Refused)?;
        String::from_utf8(plain)
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use auth_base::random::SystemRandom;

    use super::*;

    fn vault(key: &SecretsKey) -> Vault {
        Vault::new(key, Arc::new(SystemRandom))
    }

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let vault = vault(&SecretsKey::new([1; 32]));
        let here = Place::delivery_hash("http", "a", "b-c");
        let sealed = vault.seal(&here, "secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, vault.seal(&here, "secret").unwrap());
        assert_eq!(vault.open(&here, &sealed).unwrap().as_str(), "secret");
        for elsewhere in [
            Place::delivery_hash("message", "a", "b-c"),
            Place::delivery_hash("http", "ab", "-c"),
            Place::delivery_hash("http", "a", "b-d"),
            Place::credential_hash("http", "a"),
        ] {
            assert_eq!(
                vault.open(&elsewhere, &sealed).unwrap_err(),
                OpenError::Refused,
                "{elsewhere:?}"
            );
        }
    }

    #[test]
    fn an_older_key_reads_and_the_first_one_writes() {
        let (old, new) = (SecretsKey::new([1; 32]), SecretsKey::new([2; 32]));
        let place = Place::credential_hash("http", "a");
        let sealed_before = vault(&old).seal(&place, "x").unwrap();
        assert_eq!(
            vault(&new).open(&place, &sealed_before).unwrap_err(),
            OpenError::UnknownKey
        );
        let both = vault(&new.clone().also_reading(old.clone()));
        assert_eq!(both.open(&place, &sealed_before).unwrap().as_str(), "x");
        let sealed_now = both.seal(&place, "y").unwrap();
        assert!(
            both.is_fresh(&sealed_now) && !both.is_fresh(&sealed_before) && !both.is_fresh("?")
        );
        assert_eq!(vault(&new).open(&place, &sealed_now).unwrap().as_str(), "y");
        assert_eq!(
            vault(&old).open(&place, &sealed_now).unwrap_err(),
            OpenError::UnknownKey
        );
    }

    #[test]
    fn damage_is_refused_without_a_panic() {
        let vault = vault(&SecretsKey::new([1; 32]));
        let place = Place::propagation_secret("t");
        let sealed = STANDARD.decode(vault.seal(&place, "x").unwrap()).unwrap();
        for index in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[index] ^= 1;
            assert!(
                vault.open(&place, &STANDARD.encode(&damaged)).is_err(),
                "{index}"
            );
            assert!(
                vault
                    .open(&place, &STANDARD.encode(&sealed[..index]))
                    .is_err()
            );
        }
        assert_eq!(vault.open(&place, "?").unwrap_err(), OpenError::Malformed);
        assert_eq!(vault.open(&place, "").unwrap_err(), OpenError::Malformed);
    }

    #[test]
    fn keys_are_parsed_and_never_shown() {
        let one = STANDARD.encode([7; 32]);
        let two = STANDARD.encode([8; 32]);
        assert_eq!(
            format!("{:?}", SecretsKey::parse(&format!("{one}, {two}")).unwrap()),
            "SecretsKey(2 redacted)"
        );
        for wrong in ["", "abc", &STANDARD.encode([7; 31]), &format!("{one},")] {
            assert_eq!(SecretsKey::parse(wrong).unwrap_err(), InvalidSecretsKey);
        }
    }
}
