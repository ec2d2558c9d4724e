//! Seals and opens.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use auth_base::random::Random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::key::SecretsKey;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Why a sealed value does not open. It says nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is no base64, too short, or of another version.
    #[error("not a sealed value")]
    Malformed,
    /// None of the keys has its key id.
    #[error("sealed with a key that is not configured")]
    UnknownKey,
    /// The cipher refuses it.
    #[error("does not open here: wrong key, wrong row or damaged")]
    Refused,
}

/// What is to be done with a value after a change of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resealing {
    /// Nothing: it is sealed with the first key.
    Fresh,
    /// This is to be written instead.
    Anew(String),
    /// Nothing can be: it does not open with any of the keys.
    Unreadable(OpenError),
}

/// Sealing failed, which the cipher only does for values of many gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value could not be sealed")]
pub struct SealError;

/// Seals with the first of some keys, and opens with any. Clones share them.
#[derive(Clone)]
pub struct Vault {
    ciphers: Arc<[([u8; KEY_ID_BYTES], Aes256Gcm)]>,
    random: Arc<dyn Random>,
}

impl Vault {
    /// Uses the keys of `key`. Their ids are made with `label`, which is part of the format of a store.
    pub fn new(key: &SecretsKey, label: &[u8], random: Arc<dyn Random>) -> Self {
        let cipher = |bytes: &Zeroizing<[u8; 32]>| {
            let digest = Sha256::new()
                .chain_update(label)
                .chain_update(**bytes)
                .finalize();
            let mut id = [0; KEY_ID_BYTES];
            id.copy_from_slice(&digest[..KEY_ID_BYTES]);
            (id, Aes256Gcm::new((&**bytes).into()))
        };
        Self {
            ciphers: key.keys.iter().map(cipher).collect(),
            random,
        }
    }

    /// Seals a value for its place: a column, and the parts of the row's key.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, place: &[&str], plain: &[u8]) -> Result<String, SealError> {
        let (id, cipher) = self.ciphers.first().ok_or(SealError)?;
        let mut sealed = Vec::with_capacity(HEADER_BYTES + plain.len() + 16);
        sealed.push(VERSION);
        sealed.extend_from_slice(id);
        let associated = associated(&sealed, place);
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce);
        sealed.extend_from_slice(&nonce);
        let payload = Payload {
            msg: plain,
            aad: &associated,
        };
        let ciphertext = cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&ciphertext);
        Ok(STANDARD.encode(sealed))
    }

    /// Tells whether a value names the key that writes.
    pub fn is_fresh(&self, sealed: &str) -> bool {
        let bytes = STANDARD.decode(sealed).unwrap_or_default();
        match (bytes.get(1..=KEY_ID_BYTES), self.ciphers.first()) {
            (Some(named), Some((id, _))) => named == id,
            _ => false,
        }
    }

    /// Tells what is to be done with the value of a place, so that it is sealed with the first key.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn reseal(&self, place: &[&str], sealed: &str) -> Result<Resealing, SealError> {
        Ok(match self.open(place, sealed) {
            Ok(_) if self.is_fresh(sealed) => Resealing::Fresh,
            Ok(plain) => Resealing::Anew(self.seal(place, &plain)?),
            Err(error) => Resealing::Unreadable(error),
        })
    }

    /// Opens the value of a place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, place: &[&str], sealed: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
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
            aad: &associated(named, place),
        };
        let plain = cipher.decrypt(&Nonce::from(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| OpenError::Refused)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} keys)", self.ciphers.len())
    }
}

/// What is authenticated besides: the beginning of the value, and where it stands.
fn associated(header: &[u8], place: &[&str]) -> Vec<u8> {
    let mut data = Vec::with_capacity(192);
    data.extend_from_slice(header);
    for part in place {
        data.extend_from_slice(&(part.len() as u64).to_be_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use auth_base::random::SystemRandom;

    use super::*;

    const PLACE: [&str; 2] = ["table.column", "row"];

    fn vault(key: &SecretsKey) -> Vault {
        Vault::new(key, b"a test\0", Arc::new(SystemRandom))
    }

    #[test]
    fn an_older_key_reads_and_the_first_one_writes() {
        let (old, new) = (SecretsKey::new([1; 32]), SecretsKey::new([2; 32]));
        let sealed_before = vault(&old).seal(&PLACE, b"x").unwrap();
        assert_eq!(
            vault(&new).open(&PLACE, &sealed_before).unwrap_err(),
            OpenError::UnknownKey
        );
        let both = vault(&new.clone().also_reading(old.clone()));
        assert_eq!(both.open(&PLACE, &sealed_before).unwrap().as_slice(), b"x");
        let Resealing::Anew(anew) = both.reseal(&PLACE, &sealed_before).unwrap() else {
            panic!("the value is under the old key");
        };
        assert_eq!(vault(&new).open(&PLACE, &anew).unwrap().as_slice(), b"x");
        assert_eq!(both.reseal(&PLACE, &anew).unwrap(), Resealing::Fresh);
        let unreadable = vault(&new).reseal(&PLACE, &sealed_before).unwrap();
        assert_eq!(unreadable, Resealing::Unreadable(OpenError::UnknownKey));
        let sealed_now = both.seal(&PLACE, b"y").unwrap();
        assert!(
            both.is_fresh(&sealed_now) && !both.is_fresh(&sealed_before) && !both.is_fresh("?")
        );
        assert_eq!(
            vault(&new).open(&PLACE, &sealed_now).unwrap().as_slice(),
            b"y"
        );
        assert_eq!(
            vault(&old).open(&PLACE, &sealed_now).unwrap_err(),
            OpenError::UnknownKey
        );
    }

    #[test]
    fn damage_is_refused_without_a_panic() {
        let vault = vault(&SecretsKey::new([1; 32]));
        let sealed = STANDARD.decode(vault.seal(&PLACE, b"x").unwrap()).unwrap();
        for index in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[index] ^= 1;
            for value in [STANDARD.encode(&damaged), STANDARD.encode(&sealed[..index])] {
                assert!(vault.open(&PLACE, &value).is_err(), "{index}");
            }
        }
        assert_eq!(vault.open(&PLACE, "?").unwrap_err(), OpenError::Malformed);
        assert_eq!(vault.open(&PLACE, "").unwrap_err(), OpenError::Malformed);
    }

    #[test]
    fn places_are_not_what_their_texts_run_together_to() {
        let vault = vault(&SecretsKey::new([1; 32]));
        let sealed = vault.seal(&["c", "a", "b-c"], b"secret").unwrap();
        for elsewhere in [&["c", "ab", "-c"][..], &["c", "a", "b-d"], &["c", "a"]] {
            let opened = vault.open(elsewhere, &sealed);
            assert_eq!(opened.unwrap_err(), OpenError::Refused, "{elsewhere:?}");
        }
    }
}
