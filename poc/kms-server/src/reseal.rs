//! `kms-server reseal`: after a change of `secretsKey`, seals everything anew with its first key.

use std::path::Path;

use kms::config::ProviderSettings;
use kms::config::settings::SqlSettings;
use kms_sqlx::{KmsDatabase, SecretsKey, SqlKeyManagement, SqlOptions};

pub use kms_sqlx::reseal::Resealed;

use crate::config::from_file;
use crate::failure::Failure;
use crate::providers::served;

/// Where the keys are that are sealed anew: the default provider of the file `config`, which is one in a database.
///
/// # Errors
/// A line for each mistake, all at once.
pub fn target(
    config: &Path,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Result<SqlSettings, Vec<String>> {
    let config = from_file(config, variables)?;
    match served(&config).map(|it| (&it.id, &it.settings)) {
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
