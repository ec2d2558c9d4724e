//! `kms-server wrap`: a data key for a peer, which only the key provider can read.

use kms::config::ProviderSettings;
use kms::{KeyManagement as _, KmsConfig, KmsError, WrappedKey};

use crate::config::WrapKey;
use crate::failure::Failure;
use crate::providers::provider;

/// Makes a data key, wrapped at the default provider. The key that wraps is made unless it is there.
///
/// # Errors
/// When the provider cannot be reached, refuses, or keeps nothing.
pub async fn wrap(config: &KmsConfig, asked: &WrapKey) -> Result<WrappedKey, Failure> {
    if let Some(ProviderSettings::Memory) = config.served().map(|it| &it.settings) {
        return Err("a key in memory is lost with this process, and what it wrapped".into());
    }
    let provider = provider(config).await?;
    match provider.generate_wrapping(&asked.key).await {
        Ok(()) | Err(KmsError::KeyExists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(WrappedKey::make(&provider, &asked.key).await?)
}
