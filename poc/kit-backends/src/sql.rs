//! The management store behind the peer's seams: it may come late, and its inventory is seeded when it does.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::error_chain::chain;
use hmac_propagation::management::{Management, ManagementError};
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use hmac_propagation_sqlx::inventory::{InventoryError, Target, TargetUpserted};
use hmac_propagation_sqlx::state::{AuditEntry, CredentialView, DeliveryView, StateError};
use hmac_propagation_sqlx::{SecretsKey, SqlManagement, SqlOptions};
use kit::config::{Config, Full, Role};
use kit::health::Check;
use kit::late::Late;
use kit::reseal::{Resealed, ResealedColumn};
use kit::shutdown::Stop;
use kit::surface::administration::{
    Administration, AdministrationError, Backlog, CredentialState, HistoryEntry, NewTarget,
    PivotState, StatePage, TargetOperation, TargetState,
};
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

/// The inventory and the state over SQL.
pub(crate) struct SqlAdministration(pub(crate) Late<SqlManagement>);

impl SqlAdministration {
    fn store(&self) -> Result<&SqlManagement, AdministrationError> {
        self.0
            .store()
            .map_err(|error| AdministrationError::Unavailable(Box::new(error)))
    }
}

#[async_trait]
impl Administration for SqlAdministration {
    async fn put_target(&self, target: &NewTarget) -> Result<TargetOperation, AdministrationError> {
        let upserted = self
            .store()?
            .upsert_target(
                &target.name,
                &target.propagation_secret,
                target.note.as_deref(),
                SystemClock.now_ms(),
            )
            .await
            .map_err(of_inventory)?;
        Ok(match upserted {
            TargetUpserted::Created => TargetOperation::Create,
            TargetUpserted::Updated => TargetOperation::Update,
        })
    }

    async fn delete_target(&self, name: &str) -> Result<(), AdministrationError> {
        self.store()?
            .delete_target(name)
            .await
            .map_err(of_inventory)
    }

    async fn state(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, AdministrationError> {
        let page = self.store()?.state(cursor, limit).await.map_err(of_state)?;
        Ok(StatePage {
            credentials: page.credentials.into_iter().map(credential).collect(),
            targets: page.targets.into_iter().map(target).collect(),
            pivots: page.deliveries.into_iter().map(pivot).collect(),
            next: page.next,
        })
    }

    async fn credentials(&self, keys: &[CredentialKey]) -> Result<StatePage, AdministrationError> {
        let (credentials, pivots) = self
            .store()?
            .credentials(keys)
            .await
            .map_err(of_management)?;
        Ok(StatePage {
            credentials: credentials.into_iter().map(credential).collect(),
            pivots: pivots.into_iter().map(pivot).collect(),
            ..StatePage::default()
        })
    }

    async fn backlog(&self) -> Result<Backlog, AdministrationError> {
        let backlog = self.store()?.backlog().await.map_err(of_management)?;
        Ok(Backlog {
            pending: backlog.pending,
            sent: backlog.sent,
            error: backlog.error,
            oldest_change_at: backlog.oldest_change_ts,
        })
    }

    async fn history(
        &self,
        key: &CredentialKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, AdministrationError> {
        let entries = self
            .store()?
            .history(key, before, limit)
            .await
            .map_err(of_management)?;
        Ok(entries.into_iter().map(entry).collect())
    }
}

fn entry(entry: AuditEntry) -> HistoryEntry {
    HistoryEntry {
        id: entry.id,
        at: entry.at_ms,
        target: entry.target_amqp_queue,
        transition: entry.transition,
        generation: entry.generation,
        attempt: entry.attempt_count,
        event_id: entry.event_id,
        ts: entry.ts,
        reason: entry.reason,
    }
}

fn credential(view: CredentialView) -> CredentialState {
    CredentialState {
        client_id: view.client_id,
        track: view.track,
        plain: if view.plain_present {
            "present"
        } else {
            "absent"
        },
        secret_hash: view.hash_prefix,
        allowed_ips: view.allowed_ips,
        expires_at: view.expires_at,
        generation: view.generation,
        revoked: view.revoked,
        changed_at: view.change_ts,
    }
}

fn target(target: Target) -> TargetState {
    TargetState {
        target_amqp_queue: target.target_amqp_queue,
        note: target.note,
        is_self: target.is_self,
        booked_clients: target.booked_clients,
        created_at: target.created_at,
        updated_at: target.updated_at,
    }
}

fn pivot(view: DeliveryView) -> PivotState {
    PivotState {
        client_id: view.client_id,
        track: view.track,
        target_amqp_queue: view.target_amqp_queue,
        status: view.status.as_str(),
        op: view.operation,
        secret_hash: view.hash_prefix,
        generation: view.generation,
        attempt_count: view.attempt_count,
        reason: view.reason,
        sent_at: view.sent_at,
        applied_at: view.applied_at,
        failed_at: view.failed_at,
        changed_at: view.change_ts,
        last_ts: view.last_ts,
    }
}

fn of_inventory(error: InventoryError) -> AdministrationError {
    match error {
        InventoryError::SelfTarget { target } => AdministrationError::SelfTarget { name: target },
        InventoryError::UnknownTarget { target } => {
            AdministrationError::UnknownTarget { name: target }
        }
        InventoryError::TargetInUse { target, count, .. } => AdministrationError::TargetInUse {
            name: target,
            clients: count,
        },
        InventoryError::Management(error) => of_management(error),
        other => AdministrationError::Failed(Box::new(other)),
    }
}

fn of_state(error: StateError) -> AdministrationError {
    match error {
        StateError::InvalidCursor => AdministrationError::InvalidCursor,
        StateError::Management(error) => of_management(error),
        other => AdministrationError::Failed(Box::new(other)),
    }
}

fn of_management(error: ManagementError) -> AdministrationError {
    match error {
        ManagementError::Unavailable(_) => AdministrationError::Unavailable(Box::new(error)),
        other => AdministrationError::Failed(Box::new(other)),
    }
}
