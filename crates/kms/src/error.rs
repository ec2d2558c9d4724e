//! Why a provider of keys did not do what it was asked.

use std::time::Duration;

use jwt_auth::Algorithm;
use jwt_auth::public_jwk::InvalidJwk;

use crate::key_id::KeyId;

/// What lies below an error, of the provider's own kind.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a provider did not do what it was asked. Nothing of a key, a credential or a signed input is told.
///
/// To blame are the way to the provider (`Unavailable`, `Timeout`), the caller (`KeyNotFound` to `NotWrapped`, `Denied`),
/// or the provider, whose answer is not believed (from `Answer` on).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmsError {
    /// The provider cannot be reached, or says that it cannot work now. Trying again later may help.
    #[error(transparent)]
    Unavailable(Source),
    /// The provider did not answer in time. Trying again later may help.
    #[error("the provider did not answer within {0:?}")]
    Timeout(Duration),
    /// The provider does not take our credentials, or they do not allow this.
    #[error(transparent)]
    Denied(Source),
    /// The provider answered, and refused.
    #[error(transparent)]
    Refused(Source),
    /// The provider has no key of this name.
    #[error("key not found: {0}")]
    KeyNotFound(KeyId),
    /// The provider has a key of this name already.
    #[error("key already exists: {0}")]
    KeyExists(KeyId),
    /// The provider knows other algorithms only.
    #[error(transparent)]
    UnsupportedAlgorithm(Source),
    /// The key is one for another algorithm.
    #[error("{asked} is not the algorithm of the key {kid}")]
    AlgorithmOfKey {
        /// Which key.
        kid: KeyId,
        /// What was asked for.
        asked: Algorithm,
    },
    /// The provider cannot do this at all.
    #[error("the provider does not support {0}")]
    Unsupported(&'static str),
    /// The provider is configured not to take keys of others.
    #[error(transparent)]
    ImportDisabled(Source),
    /// The input is larger than anybody signs here.
    #[error("the input has more than {0} bytes")]
    InputTooLarge(usize),
    /// The text was not wrapped with the key, or it is damaged.
    #[error("not wrapped with the key {0}")]
    NotWrapped(KeyId),
    /// The answer cannot be read, or lacks something.
    #[error(transparent)]
    Answer(Source),
    /// What came as a public key is none of ours: it has a private member, another curve, other lengths.
    #[error("the provider returned no public key")]
    PublicKey(#[source] InvalidJwk),
    /// The public key is one for another algorithm than was asked for.
    #[error("the provider returned a key that is not for {0}")]
    OtherAlgorithm(Algorithm),
    /// The public key is called something else.
    #[error("the provider returned a key of another name than {0}")]
    OtherName(KeyId),
    /// The public key is not the imported one.
    #[error("the provider returned another key than was imported as {0}")]
    OtherKey(KeyId),
    /// The provider now shows another key under a name that we know.
    #[error("the key {0} is not the one that it was")]
    KeyChanged(KeyId),
    /// The signature has not 64 bytes.
    #[error("the provider returned a signature of {0} bytes, not 64")]
    SignatureLength(usize),
    /// The signature is not that of the key over the input.
    #[error("the provider returned a signature that is not of the key {0}")]
    WrongSignature(KeyId),
    /// What the key unwraps to is not what was wrapped with it.
    #[error("the provider unwrapped something else than was wrapped with the key {0}")]
    WrongWrapping(KeyId),
    /// The provider says that it is not well.
    #[error("the provider says that it is not well")]
    Unhealthy,
    /// What is stored of this key cannot be read.
    #[error("what is stored of the key {kid} cannot be read")]
    Corrupt {
        /// Which key.
        kid: KeyId,
        /// What is wrong; never the content.
        #[source]
        source: Source,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random,
}

impl KmsError {
    /// Tells whether trying again later may help without anybody doing something.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Timeout(_) | Self::Unhealthy
        )
    }
}
