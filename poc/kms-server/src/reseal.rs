//! `kms-server reseal`: after a change of `secretsKey`, seals everything anew with its first key.

use kms::KmsConfig;
use kms::config::ProviderSettings;
use kms::config::settings::SqlSettings;
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlOptions};

pub use kms_sqlx::reseal::Resealed;

use crate::failure::Failure;

/// Where the keys are that are sealed anew: at the default provider, which is one in a database.
///
/// # Errors
/// A line for each mistake, all at once.
pub fn target(config: &KmsConfig) -> Result<SqlSettings, Vec<String>> {
    match config.served().map(|it| (&it.id, &it.settings)) {
        Some((_, ProviderSettings::Sql(sql))) => Ok(sql.clone()),
        Some((id, other)) => {
            let kind = other.kind();
            Err(vec![format!(
                "KMS_CONFIG: provider {id}: of the type {kind}, which seals no keys here"
            )])
        }
        None => Err(vec![
            "KMS_CONFIG: no provider is the default one".to_owned(),
        ]),
    }
}

/// Seals all that is not sealed with the first key. It may be ended at any moment and run again: what is done is done.
///
/// # Errors
/// When the database fails.
pub async fn run(sql: &SqlSettings) -> Result<Resealed, Failure> {
    let key = SecretsKey::parse(sql.secrets_key.expose())?;
    let url = sql.database_url.expose();
    let database = KmsDatabase::connect(url, SqlOptions::default()).await?;
    let resealed = SqlKeyManagement::new(database.clone(), &key).reseal().await;
    database.close().await;
    Ok(resealed?)
}
