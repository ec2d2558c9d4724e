//! Makes providers of what `kms.json` says.

use std::sync::Arc;

use kms::config::{KmsConfig, ProviderSettings};
use kms::{KeyManagement, MemoryKeyManagement, Providers};
use kms_http::{HttpKms, TransitKms};
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlOptions};

use crate::failure::Failure;

/// Makes every provider, each of them checked. Databases are connected to; remote services are not asked yet.
///
/// # Errors
/// The first provider that cannot be made, by its id.
pub async fn providers(config: KmsConfig) -> Result<Providers, Failure> {
    let mut providers = Providers::new();
    for provider in config.providers {
        let made = make(&provider.id, provider.settings).await;
        let made = made.map_err(|failure| {
            format!("provider {}: {}", provider.id, auth_base::chain(&*failure))
        })?;
        providers = providers.with(&provider.id, made)?;
    }
    match config.default_provider {
        Some(id) => Ok(providers.with_default(&id)?),
        None => Ok(providers),
    }
}

async fn make(id: &str, settings: ProviderSettings) -> Result<Arc<dyn KeyManagement>, Failure> {
    Ok(match settings {
        ProviderSettings::Memory => Arc::new(MemoryKeyManagement::new()),
        ProviderSettings::Sql(sql) => {
            let key = SecretsKey::parse(sql.secrets_key.expose())?;
            let database =
                KmsDatabase::connect(sql.database_url.expose(), SqlOptions::default()).await?;
            Arc::new(SqlKeyManagement::new(database, key))
        }
        ProviderSettings::Http(http) => Arc::new(HttpKms::new(id, http)?),
        ProviderSettings::Transit(transit) => Arc::new(TransitKms::new(id, transit)?),
        other => return Err(format!("the type {} is unknown", other.kind()).into()),
    })
}
