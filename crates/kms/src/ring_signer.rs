//! Signs with the key of a ring that is active.

use async_trait::async_trait;
use jwt_auth::{PublicJwk, SignError, Signer};

use crate::error::KmsError;
use crate::key_management::KeyManagement;
use crate::ring_error::RingError;
use crate::ring_keeper::RingKeeper;
use crate::ring_key::RingKey;

/// The key may sign no more: take the signer of the ring's active key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is no longer the active one of its ring")]
pub struct NoLongerActive;

/// Signs with one key of a ring, as long as it is the active one, and for [`view_life`](crate::RingPolicy::view_life) after
/// that. Every signature is verified before it is told. Take a new one for each token: it costs no call while what was read
/// of the ring is fresh.
#[derive(Clone, Debug)]
pub struct RingSigner {
    keeper: RingKeeper,
    key: RingKey,
}

impl RingKeeper {
    /// A signer with the active key.
    ///
    /// # Errors
    /// [`RingError::NoActiveKey`] before the first turn, [`RingError::Store`].
    pub async fn signer(&self) -> Result<RingSigner, RingError> {
        let ring = self.ring().await?;
        let key = ring.active().cloned().ok_or(RingError::NoActiveKey)?;
        Ok(RingSigner {
            keeper: self.clone(),
            key,
        })
    }
}

#[async_trait]
impl Signer for RingSigner {
    fn key(&self) -> &PublicJwk {
        &self.key.public
    }

    async fn sign(&self, input: &[u8]) -> Result<[u8; 64], SignError> {
        let ring = self.keeper.ring().await.map_err(unavailable)?;
        let now = self.keeper.now();
        let policy = self.keeper.policy();
        let may = ring
            .find(self.key.kid())
            .filter(|key| key.may_sign(now, policy));
        let key = may.ok_or_else(|| SignError::Refused(Box::new(NoLongerActive)))?;
        let provider = self.keeper.provider_of(key).map_err(refused)?;
        let algorithm = key.public.algorithm();
        let signed = provider.sign(&key.external_id, algorithm, input).await;
        if let Err(error) = &signed {
            self.keeper.suspect(key, error);
        }
        signed.map_err(sign_error)
    }
}

fn unavailable(error: RingError) -> SignError {
    SignError::Unavailable(Box::new(error))
}

fn refused(error: RingError) -> SignError {
    SignError::Refused(Box::new(error))
}

/// What a provider's error means to whoever wants a signature.
pub fn sign_error(error: KmsError) -> SignError {
    match error {
        KmsError::WrongSignature(_) | KmsError::SignatureLength(_) => SignError::WrongSignature,
        KmsError::Random => SignError::Random,
        error if error.is_temporary() => SignError::Unavailable(Box::new(error)),
        error => SignError::Refused(Box::new(error)),
    }
}
