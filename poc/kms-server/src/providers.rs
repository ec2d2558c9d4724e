//! Makes providers of what `kms.json` says.

use std::sync::Arc;

use kms::config::{KmsConfig, ProviderConfig, ProviderSettings};
use kms::{CheckedKeyManagement, KeyManagement, MemoryKeyManagement};
use kms_http::{HttpKms, TransitKms};
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlOptions};

use crate::failure::Failure;

/// The provider that is served: the default one, else the only one.
pub fn served(config: &KmsConfig) -> Option<&ProviderConfig> {
    match (&config.default_provider, config.providers.as_slice()) {
        (Some(id), all) => all.iter().find(|it| it.id == *id),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// What is wrong with the settings of a provider, a line each, as far as it shows without a network: addresses, keys, files of
/// certificates, values of headers. No secret is told.
pub fn mistakes(provider: &ProviderConfig) -> Vec<String> {
    let (id, mut mistakes) = (&provider.id, Vec::new());
    let mut note = |what: &str, error: &dyn std::error::Error| {
        mistakes.push(format!("provider {id}: {what}{}", auth_base::chain(error)));
    };
    match &provider.settings {
        ProviderSettings::Sql(sql) => {
            if let Err(error) = KmsDatabase::check_url(sql.database_url.expose()) {
                note("databaseUrl: ", &error);
            }
            if let Err(error) = SecretsKey::parse(sql.secrets_key.expose()) {
                note("secretsKey: ", &error);
            }
        }
        ProviderSettings::Http(http) => {
            if let Err(error) = HttpKms::new(id, http.clone()) {
                note("", &error);
            }
        }
        ProviderSettings::Transit(transit) => {
            if let Err(error) = TransitKms::new(id, transit.clone()) {
                note("", &error);
            }
        }
        _ => {}
    }
    mistakes
}

/// Makes the provider that is served, and checks what it returns. A database is connected to; a remote service is not asked
/// yet.
///
/// # Errors
/// When it cannot be made, with its id.
pub async fn provider(config: &KmsConfig) -> Result<CheckedKeyManagement, Failure> {
    let provider = served(config).ok_or("no provider is the default one")?;
    let made = make(&provider.id, provider.settings.clone()).await;
    let made = made
        .map_err(|failure| format!("provider {}: {}", provider.id, auth_base::chain(&*failure)))?;
    tracing::info!(provider = provider.id, "keys are served");
    Ok(CheckedKeyManagement::new(made))
}

async fn make(id: &str, settings: ProviderSettings) -> Result<Arc<dyn KeyManagement>, Failure> {
    Ok(match settings {
        ProviderSettings::Memory => Arc::new(MemoryKeyManagement::new()),
        ProviderSettings::Sql(sql) => {
            let key = SecretsKey::parse(sql.secrets_key.expose())?;
            let database =
                KmsDatabase::connect(sql.database_url.expose(), SqlOptions::default()).await?;
            Arc::new(SqlKeyManagement::new(database, &key))
        }
        ProviderSettings::Http(http) => Arc::new(HttpKms::new(id, http)?),
        ProviderSettings::Transit(transit) => Arc::new(TransitKms::new(id, transit)?),
        other => return Err(format!("the type {} is unknown", other.kind()).into()),
    })
}
