//! `kms-server wrap`: a data key for a peer, which only the key provider can read.

use kms::{KeyManagement as _, KmsConfig, KmsError, WrappedKey};

use crate::config::WrapKey;
use crate::failure::Failure;
use crate::providers::provider;

/// Makes a data key, wrapped at the default provider. The key that wraps is made unless it is there.
///
/// # Errors
/// When the provider cannot be reached, or refuses.
pub async fn wrap(config: &KmsConfig, asked: &WrapKey) -> Result<WrappedKey, Failure> {
    let provider = provider(config).await?;
    match WrappedKey::make(&provider, &asked.key).await {
        // Whoever may wrap need not be who may make keys.
        Err(KmsError::KeyNotFound(_)) => {}
        wrapped => return Ok(wrapped?),
    }
    match provider.generate_wrapping(&asked.key).await {
        Ok(()) => Ok(WrappedKey::make(&provider, &asked.key).await?),
        Err(KmsError::KeyExists(kid)) => {
            Err(format!("the key {kid} signs, and wraps nothing").into())
        }
        Err(error) => Err(error.into()),
    }
}
