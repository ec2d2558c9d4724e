//! The management store behind the peer's seams: it may come late, and its inventory is seeded when it does.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::backoff::Backoff;
use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use hmac_propagation::management::{Management, ManagementError};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use hmac_propagation_sqlx::inventory::InventoryError;
use hmac_propagation_sqlx::reseal::Resealed;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
use mesh_api::state::StatePage;
use mesh_api::timeline::HistoryEntry;
use mesh_management::administration::{
    Administration, AdministrationError, Backlog, NewTarget, TargetOperation,
};
use mesh_management_sqlx::SqlAdministration;
use peer_kit::config::{Config, Full, OtherRole};
use peer_kit::health::Check;
use peer_kit::late::Late;
use peer_kit::process::Failure;
use peer_kit::secrets_keys::{SecretsKeyBytes, SecretsKeyError};
use peer_kit::shutdown::Stop;
use tokio::time::timeout;

use crate::retention;

/// Between two attempts to connect.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// More would cost an idle peer memory and bring a busy one nothing.
const CONNECTIONS: u32 = 4;

/// The management store of a full-mode peer: it comes as soon as the database lets it, and says until then that it is away. It is
/// migrated and seeded when it comes; then what is too old is deleted now and then, until the peer is asked to stop.
///
/// # Errors
/// [`OtherRole`].
pub fn connect(config: &Config, stop: &Stop) -> Result<Late<SqlManagement>, OtherRole> {
    let place = Late::new();
    let full = config.full()?.clone();
    let (config, stop) = (config.clone(), stop.clone());
    tokio::spawn(arrive(place.clone(), config, full, stop));
    Ok(place)
}

async fn arrive(place: Late<SqlManagement>, config: Config, full: Full, stop: Stop) {
    // Once it has the keys, it waits for the database alone.
    let mut key = None;
    for failures in 0.. {
        let pause = PAUSES.pause(failures);
        match connect_once(&config, &full, &mut key).await {
            Ok(store) => {
                place.arrive(store);
                tracing::info!("the management store is connected, migrated and seeded");
                break;
            }
            Err(error) => {
                let why = chain(&error);
                tracing::warn!(error = %why, ?pause, "the management store is not usable yet");
                place.is_missing(why);
            }
        }
        if timeout(pause, stop.asked()).await.is_ok() {
            return;
        }
    }
    if let (Ok(store), Some(retention)) = (place.store(), full.audit_retention) {
        retention::watch(store, retention, &SystemClock, &stop).await;
    }
}

/// The URL of a SQLite file, whatever its path holds.
pub fn sqlite_url(path: &Path) -> String {
    let path = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    format!("sqlite://{path}")
}

/// Seals everything in a full-mode peer's schema anew, with the first of its keys.
///
/// # Errors
/// [`OtherRole`], a key that cannot be unwrapped, or [`ManagementError`] of the database.
pub async fn reseal(config: Config) -> Result<Resealed, Failure> {
    let store = open(config.full()?, &mut None).await?;
    let resealed = store.reseal().await;
    store.close().await;
    Ok(resealed?)
}

/// Opens the store with `known`, which is asked for once.
async fn open(full: &Full, known: &mut Option<SecretsKey>) -> Result<SqlManagement, OpenError> {
    let options = SqlOptions {
        max_connections: CONNECTIONS,
        ..SqlOptions::default()
    };
    let key = match known {
        Some(key) => key.clone(),
        None => known.insert(key(&full.secrets_keys.open().await?)?).clone(),
    };
    Ok(SqlManagement::connect(full.database_url.expose(), key, options).await?)
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Key(#[from] SecretsKeyError),
    #[error("SECRETS_KEY has no key")]
    NoKey,
    #[error(transparent)]
    Database(#[from] ManagementError),
    #[error(transparent)]
    Inventory(#[from] InventoryError),
}

async fn connect_once(
    config: &Config,
    full: &Full,
    key: &mut Option<SecretsKey>,
) -> Result<SqlManagement, OpenError> {
    let store = open(full, key).await?;
    let now_ms = SystemClock.now_ms();
    let note = Some("this peer itself");
    store
        .seed_target(&config.peer, &config.propagation_secret, true, note, now_ms)
        .await?;
    for (name, secret) in &full.targets {
        store.seed_target(name, secret, false, None, now_ms).await?;
    }
    Ok(store)
}

/// The first writes.
fn key(keys: &[SecretsKeyBytes]) -> Result<SecretsKey, OpenError> {
    let keys = keys.iter().map(|key| SecretsKey::new(**key));
    keys.reduce(SecretsKey::also_reading)
        .ok_or(OpenError::NoKey)
}

/// Ready when the peer's own row of the inventory can be read, and a change could be written.
pub struct SqlCheck(pub Late<SqlManagement>, pub PeerName);

#[async_trait]
impl Check for SqlCheck {
    fn name(&self) -> &'static str {
        "sql"
    }

    async fn check(&self) -> Result<(), String> {
        match self.0.fetch_source_propagation_secret(&self.1).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err("the peer's own row is missing from hmac_propagation_target".to_owned());
            }
            Err(error) => return Err(chain(&error)),
        }
        let store = self.0.store().map_err(|error| chain(&error))?;
        store.probe().await.map_err(|error| chain(&error))
    }
}

/// The inventory and the state over SQL, once the store is there.
pub struct LateAdministration(pub Late<SqlManagement>);

impl LateAdministration {
    fn store(&self) -> Result<SqlAdministration, AdministrationError> {
        match self.0.store() {
            Ok(store) => Ok(SqlAdministration(store.clone())),
            Err(error) => Err(AdministrationError::Unavailable(Box::new(error))),
        }
    }
}

#[async_trait]
impl Administration for LateAdministration {
    async fn put_target(
        &self,
        target: &NewTarget,
        origin: &Origin,
    ) -> Result<TargetOperation, AdministrationError> {
        self.store()?.put_target(target, origin).await
    }

    async fn delete_target(&self, name: &str, origin: &Origin) -> Result<(), AdministrationError> {
        self.store()?.delete_target(name, origin).await
    }

    async fn state(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, AdministrationError> {
        self.store()?.state(cursor, limit).await
    }

    async fn credentials(&self, keys: &[CredentialKey]) -> Result<StatePage, AdministrationError> {
        self.store()?.credentials(keys).await
    }

    async fn backlog(&self) -> Result<Backlog, AdministrationError> {
        self.store()?.backlog().await
    }

    async fn history(
        &self,
        key: &CredentialKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, AdministrationError> {
        self.store()?.history(key, before, limit).await
    }
}
