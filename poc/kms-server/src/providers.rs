//! Makes providers of what `kms.json` says.

use std::sync::Arc;

use kms::config::{KmsConfig, ProviderConfig, ProviderSettings};
use kms::{CheckedKeyManagement, KeyManagement, MemoryKeyManagement};
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlOptions};

use crate::failure::Failure;

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
        _ => {
            if let Err(error) = kms_http::provider(provider) {
                note("", &error);
            }
        }
    }
    mistakes
}

/// Makes the provider that is served, and checks what it returns. A database is connected to; a remote service is not asked
/// yet.
///
/// # Errors
/// When it cannot be made, with its id.
pub async fn provider(config: &KmsConfig) -> Result<CheckedKeyManagement, Failure> {
    let provider = config.served().ok_or("no provider is the default one")?;
    let made = make(provider).await;
    let made = made
        .map_err(|failure| format!("provider {}: {}", provider.id, auth_base::chain(&*failure)))?;
    Ok(CheckedKeyManagement::new(made))
}

async fn make(provider: &ProviderConfig) -> Result<Arc<dyn KeyManagement>, Failure> {
    Ok(match &provider.settings {
        // What it wrapped would be lost with the process, and with that every secret under it.
        ProviderSettings::Memory => Arc::new(MemoryKeyManagement::signing_only()),
        ProviderSettings::Sql(sql) => {
            let key = SecretsKey::parse(sql.secrets_key.expose())?;
            let database =
                KmsDatabase::connect(sql.database_url.expose(), SqlOptions::default()).await?;
            Arc::new(SqlKeyManagement::new(database, &key))
        }
        other => match kms_http::provider(provider)? {
            Some(remote) => remote,
            None => return Err(format!("the type {} is unknown", other.kind()).into()),
        },
    })
}
