//! The management store behind the peer's seams: it may come late, and its inventory is seeded when it does.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use hmac_propagation::management::{Management, ManagementError};
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use hmac_propagation_sqlx::inventory::InventoryError;
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
use kit::config::{Config, Full, Role};
use kit::health::Check;
use kit::late::Late;
use kit::reseal::{Resealed, ResealedColumn};
use kit::shutdown::Stop;
use mesh_api::state::StatePage;
use mesh_api::timeline::HistoryEntry;
use mesh_management::administration::{
    Administration, AdministrationError, Backlog, NewTarget, TargetOperation,
};
use mesh_management_sqlx::SqlAdministration;
use tokio::time::timeout;

use crate::error::WiringError;
use crate::retention;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// More would cost an idle peer memory and bring a busy one nothing.
const CONNECTIONS: u32 = 4;

/// Connects, migrates and seeds, and tries again until it is done; then deletes what is too old, until the peer is asked to stop.
pub(crate) async fn connect(place: Late<SqlManagement>, config: Config, stop: Stop) {
    let Role::Full(full) = &config.role else {
        return;
    };
    let mut pause = FIRST_PAUSE;
    loop {
        match connect_once(&config, full).await {
            Ok(store) => {
                place.arrive(store);
                tracing::info!("the management store is connected, migrated and seeded");
                break;
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), ?pause, "the management store is not usable yet");
            }
        }
        if timeout(pause, stop.asked()).await.is_ok() {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    if let (Ok(store), Some(retention)) = (place.store(), full.audit_retention) {
        retention::watch(store, retention, &SystemClock, &stop).await;
    }
}

/// Seals everything in a full-mode peer's schema anew, with the first of its keys.
///
/// # Errors
/// [`WiringError::NotFullMode`]; [`ManagementError`] of the database.
pub async fn reseal(config: Config) -> Result<Resealed, Box<dyn Error + Send + Sync>> {
    let Role::Full(full) = &config.role else {
        return Err(WiringError::NotFullMode.into());
    };
    let store = open(full).await?;
    let resealed = store.reseal().await;
    store.close().await;
    let columns = resealed?.columns.into_iter().map(|column| ResealedColumn {
        column: column.column.to_owned(),
        resealed: column.resealed,
        fresh: column.fresh,
        overtaken: column.overtaken,
        unreadable: column.unreadable,
        unreadable_rows: column
            .unreadable_rows
            .into_iter()
            .map(|row| (row.row, row.reason))
            .collect(),
    });
    Ok(Resealed {
        columns: columns.collect(),
    })
}

async fn open(full: &Full) -> Result<SqlManagement, ManagementError> {
    let options = SqlOptions {
        max_connections: CONNECTIONS,
        ..SqlOptions::default()
    };
    SqlManagement::connect(full.database_url.expose(), key(full), options).await
}

async fn connect_once(config: &Config, full: &Full) -> Result<SqlManagement, InventoryError> {
    let store = open(full).await?;
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

fn key(full: &Full) -> SecretsKey {
    full.older_secrets_keys
        .iter()
        .map(|older| SecretsKey::new(**older))
        .fold(SecretsKey::new(*full.secrets_key), SecretsKey::also_reading)
}

/// Ready when the peer's own row of the inventory can be read.
pub(crate) struct SqlCheck {
    store: Late<SqlManagement>,
    own: PeerName,
}

impl SqlCheck {
    pub(crate) fn new(store: Late<SqlManagement>, own: PeerName) -> Self {
        Self { store, own }
    }
}

#[async_trait]
impl Check for SqlCheck {
    fn name(&self) -> &'static str {
        "sql"
    }

    async fn check(&self) -> Result<(), String> {
        match self.store.fetch_source_propagation_secret(&self.own).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                Err("the peer's own row is missing from hmac_propagation_target".to_owned())
            }
            Err(error) => Err(chain(&error)),
        }
    }
}

/// The inventory and the state over SQL, once the store is there.
pub(crate) struct LateAdministration(pub(crate) Late<SqlManagement>);

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
    async fn put_target(&self, target: &NewTarget) -> Result<TargetOperation, AdministrationError> {
        self.store()?.put_target(target).await
    }

    async fn delete_target(&self, name: &str) -> Result<(), AdministrationError> {
        self.store()?.delete_target(name).await
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
