//! Private keys at rest: each bound to its row, the name of the key and what it is for.

use std::sync::Arc;

use auth_base::random::SystemRandom;
use kms::KeyId;
use zeroize::Zeroizing;

pub use secrets_at_rest::{InvalidSecretsKey, SecretsKey};
pub(crate) use secrets_at_rest::{OpenError, Resealing, SealError};

/// What key ids are made with.
const LABEL: &[u8] = b"kms private keys key id\0";

/// Seals and opens. Clones share the keys.
#[derive(Clone)]
pub(crate) struct Vault(secrets_at_rest::Vault);

impl Vault {
    pub(crate) fn new(key: &SecretsKey) -> Self {
        let random = Arc::new(SystemRandom);
        Self(secrets_at_rest::Vault::new(key, LABEL, random))
    }

    /// Seals a private key for its row.
    pub(crate) fn seal(&self, kid: &KeyId, alg: &str, plain: &[u8]) -> Result<String, SealError> {
        self.0.seal(&place(kid, alg), plain)
    }

    /// Tells what is to be done with the private key of a row after a change of keys.
    pub(crate) fn reseal(
        &self,
        kid: &KeyId,
        alg: &str,
        sealed: &str,
    ) -> Result<Resealing, SealError> {
        self.0.reseal(&place(kid, alg), sealed)
    }

    /// Opens the private key of a row.
    pub(crate) fn open(
        &self,
        kid: &KeyId,
        alg: &str,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.0.open(&place(kid, alg), sealed)
    }
}

fn place<'a>(kid: &'a KeyId, alg: &'a str) -> [&'a str; 3] {
    ["private_keys.sealed_private", kid.as_str(), alg]
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const ED: &str = "EdDSA";

    #[test]
    fn a_value_opens_in_its_own_row_only() {
        let vault = |byte| Vault::new(&SecretsKey::new([byte; 32]));
        let (key, other) = (vault(1), vault(2));
        let (here, there) = (KeyId::parse("a").unwrap(), KeyId::parse("b").unwrap());
        let sealed = key.seal(&here, ED, b"plain").unwrap();
        let opened = key.open(&here, ED, &sealed).unwrap();
        assert_eq!(opened.as_slice(), b"plain");
        let refused = |key: &Vault, kid, algorithm| key.open(kid, algorithm, &sealed).unwrap_err();
        assert_eq!(refused(&key, &there, ED), OpenError::Refused);
        assert_eq!(refused(&key, &here, "ES256"), OpenError::Refused);
        assert_eq!(refused(&other, &here, ED), OpenError::UnknownKey);
        let bytes = STANDARD.decode(&sealed).unwrap();
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            for value in [STANDARD.encode(damaged), STANDARD.encode(&bytes[..index])] {
                assert!(key.open(&here, ED, &value).is_err(), "{index}");
            }
        }
    }

    /// Made by another program from the format's description: what is in databases must open.
    #[test]
    fn the_format_is_that_of_the_rows_that_are_there() {
        let sealed = "AR4CeEQJCQkJCQkJCQkJCQm0Y0anoNlYkSaUiriG3YckEkWFasc=";
        let (vault, kid) = (
            Vault::new(&SecretsKey::new([1; 32])),
            KeyId::parse("a").unwrap(),
        );
        let opened = vault.open(&kid, ED, sealed).unwrap();
        assert_eq!(opened.as_slice(), b"plain");
    }
}
