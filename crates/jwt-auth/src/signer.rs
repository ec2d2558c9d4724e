//! Where signatures come from.
//!
//! # Implementing
//! Implement [`Signer`] over whatever holds the private key: a key-management service, a hardware module. A signer that is
//! not in this process is never trusted: wrap it in [`CheckedSigner`], which verifies each signature before anybody sees it.
//! [`MemorySigner`] is the complete model to compare with.

use std::sync::Arc;

use async_trait::async_trait;

use crate::private_key::{InvalidPrivateKey, Pair, PrivateKey};
use crate::public_jwk::PublicJwk;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The signer cannot be reached or did not answer in time. Trying again later may help.
    #[error("the signer is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The signer answered, and refused.
    #[error("the signer refused to sign")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The signer answered with something that is no signature of its key over the input.
    #[error("the signer's answer is no signature of its key")]
    WrongSignature,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
}

/// Signs with one key.
///
/// # Contract
/// - `sign` answers the 64 bytes of JWS (RFC 7518, section 3.4; RFC 8037, section 3.1) that [`PublicJwk::verify`] of `key`
///   accepts over the same input.
/// - `key` never changes: a new key is a new signer.
#[async_trait]
pub trait Signer: Send + Sync + 'static {
    /// The public half of the key; its `kid` and `alg` are those of the tokens.
    fn key(&self) -> &PublicJwk;

    /// Signs `input`, the bytes before the second point of a token.
    async fn sign(&self, input: &[u8]) -> Result<[u8; 64], SignError>;
}

/// Signs with a key in memory. Clones share it.
///
/// The key as it was given is wiped on drop. ring's prepared form of it is not: ring does not wipe its keys.
#[derive(Clone)]
pub struct MemorySigner {
    pair: Arc<Pair>,
    key: PublicJwk,
}

impl MemorySigner {
    /// Gets ready to sign with `key`.
    ///
    /// # Errors
    /// [`InvalidPrivateKey`] when the system gave no randomness.
    pub fn new(key: &PrivateKey) -> Result<Self, InvalidPrivateKey> {
        let pair = key.pair().ok_or(InvalidPrivateKey::Random)?;
        Ok(Self {
            pair: Arc::new(pair),
            key: key.public().clone(),
        })
    }

    /// Calls the algorithm by its fully specified name, as [`PublicJwk::fully_specified`] does.
    pub fn fully_specified(self) -> Self {
        let key = self.key.fully_specified();
        Self { key, ..self }
    }
}

#[async_trait]
impl Signer for MemorySigner {
    fn key(&self) -> &PublicJwk {
        &self.key
    }

    async fn sign(&self, input: &[u8]) -> Result<[u8; 64], SignError> {
        self.pair.sign(input).ok_or(SignError::Random)
    }
}

impl std::fmt::Debug for MemorySigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemorySigner")
            .field("kid", &self.key.kid())
            .finish_non_exhaustive()
    }
}

/// Verifies what another signer signs, and answers [`SignError::WrongSignature`] for what is none.
#[derive(Clone, Debug)]
pub struct CheckedSigner<S>(S);

impl<S: Signer> CheckedSigner<S> {
    /// Wraps `signer`.
    pub const fn new(signer: S) -> Self {
        Self(signer)
    }
}

#[async_trait]
impl<S: Signer> Signer for CheckedSigner<S> {
    fn key(&self) -> &PublicJwk {
        self.0.key()
    }

    async fn sign(&self, input: &[u8]) -> Result<[u8; 64], SignError> {
        let signature = self.0.sign(input).await?;
        let verified = self.key().verify(input, &signature);
        verified.map_err(|_| SignError::WrongSignature)?;
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;

    /// Says that it has one key, and signs with another.
    struct Liar {
        claimed: PublicJwk,
        real: MemorySigner,
    }

    #[async_trait]
    impl Signer for Liar {
        fn key(&self) -> &PublicJwk {
            &self.claimed
        }

        async fn sign(&self, input: &[u8]) -> Result<[u8; 64], SignError> {
            self.real.sign(input).await
        }
    }

    #[tokio::test]
    async fn a_signer_that_lies_is_seen_through() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let honest = CheckedSigner::new(MemorySigner::new(&key).unwrap());
            let signature = honest.sign(b"input").await.unwrap();
            assert_eq!(honest.key().verify(b"input", &signature), Ok(()));
            let other = PrivateKey::generate(algorithm).unwrap();
            let liar = CheckedSigner::new(Liar {
                claimed: other.public().clone(),
                real: MemorySigner::new(&key).unwrap(),
            });
            let refused = liar.sign(b"input").await.unwrap_err();
            assert!(matches!(refused, SignError::WrongSignature));
        }
    }

    #[test]
    fn a_signer_shows_its_kid_only() {
        let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
        let signer = MemorySigner::new(&key).unwrap();
        let kid = key.public().kid();
        assert_eq!(
            format!("{signer:?}"),
            format!("MemorySigner {{ kid: {kid:?}, .. }}")
        );
        assert_eq!(
            (signer.key().alg(), signer.fully_specified().key().alg()),
            ("EdDSA", "Ed25519")
        );
    }
}
