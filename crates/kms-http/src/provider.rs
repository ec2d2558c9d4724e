//! Makes the client that `kms.json` asks for.

use std::sync::Arc;

use kms::config::{ProviderConfig, ProviderSettings};
use kms::{KeyManagement, KmsError};

use crate::http_kms::HttpKms;
use crate::transit::TransitKms;

/// The client of a provider that is elsewhere; `None` when it is none of this crate's kinds. Nothing is sent yet;
/// certificates are read. What it returns is believed by nobody: wrap it in [`kms::Providers`] or
/// [`kms::CheckedKeyManagement`].
///
/// # Errors
/// [`KmsError::Refused`] as [`HttpKms::new`] and [`TransitKms::new`] say.
pub fn provider(config: &ProviderConfig) -> Result<Option<Arc<dyn KeyManagement>>, KmsError> {
    Ok(match &config.settings {
        ProviderSettings::Http(settings) => {
            Some(Arc::new(HttpKms::new(&config.id, settings.clone())?))
        }
        ProviderSettings::Transit(settings) => {
            Some(Arc::new(TransitKms::new(&config.id, settings.clone())?))
        }
        _ => None,
    })
}
