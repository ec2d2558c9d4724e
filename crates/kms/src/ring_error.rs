//! Why a ring is not driven on.

use auth_base::store_error::StoreError;

use crate::error::KmsError;
use crate::key_id::InvalidName;
use crate::key_ring::RingFault;
use crate::providers::UnknownProvider;

/// Why a ring was not driven on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// The ring could not be read or written.
    #[error("the key ring could not be read or written")]
    Store(#[from] StoreError),
    /// A provider did not do what it was asked.
    #[error("the key provider {provider} failed")]
    Kms {
        /// Which one.
        provider: String,
        /// Why.
        #[source]
        source: KmsError,
    },
    /// The policy or a key names a provider that is not configured.
    #[error(transparent)]
    Provider(#[from] UnknownProvider),
    /// The ring does not allow the change.
    #[error(transparent)]
    Ring(#[from] RingFault),
    /// A name that cannot be.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Other replicas changed the ring again and again meanwhile.
    #[error("other replicas keep changing the key ring")]
    Contended,
    /// No key of the ring signs yet.
    #[error("the key ring has no active key")]
    NoActiveKey,
}

/// What a turn left undone: it is tried again in the next one.
#[derive(Debug)]
pub struct Undeleted {
    /// The key's thumbprint.
    pub kid: String,
    /// Why its provider did not delete it.
    pub error: RingError,
}

/// Tells whether a provider does not sign with the key that the ring knows, and will not later: that it cannot be reached
/// now, or does not take our credentials, says nothing about the key.
pub(crate) fn is_lost(error: &RingError) -> bool {
    match error {
        RingError::Kms { source, .. } => is_gone(source),
        // It showed another key of the ring.
        RingError::Ring(fault) => *fault == RingFault::SameKey,
        _ => false,
    }
}

/// As [`is_lost`], of the provider's own error.
pub(crate) fn is_gone(error: &KmsError) -> bool {
    !error.is_temporary() && !matches!(error, KmsError::Denied(_))
}

pub(crate) fn failed(provider: &str, source: KmsError) -> RingError {
    RingError::Kms {
        provider: provider.to_owned(),
        source,
    }
}
