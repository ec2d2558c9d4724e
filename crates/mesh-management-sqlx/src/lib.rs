//! The management surface's inventory and state over SQL: `hmac-propagation-sqlx` behind the seam of `mesh-management`.

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use hmac_propagation::delivery;
use hmac_propagation::management::ManagementError;
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, Track};
use hmac_propagation_sqlx::SqlManagement;
use hmac_propagation_sqlx::inventory::{InventoryError, Target, TargetUpserted};
use hmac_propagation_sqlx::state::{AuditEntry, CredentialView, DeliveryView, StateError};
use mesh_api::state::{CredentialState, DeliveryStatus, PivotState, StatePage};
use mesh_api::target::TargetState;
use mesh_api::timeline::HistoryEntry;
use mesh_api::track;
use mesh_management::administration::{
    Administration, AdministrationError, Backlog, NewTarget, TargetOperation,
};
use mesh_management::track::shown;

/// The inventory and the state of one management store.
#[derive(Clone)]
pub struct SqlAdministration(pub SqlManagement);

#[async_trait]
impl Administration for SqlAdministration {
    async fn put_target(
        &self,
        target: &NewTarget,
        origin: &Origin,
    ) -> Result<TargetOperation, AdministrationError> {
        let upserted = self
            .0
            .upsert_target(
                &target.name,
                &target.propagation_secret,
                target.note.as_deref(),
                SystemClock.now_ms(),
                origin,
            )
            .await
            .map_err(of_inventory)?;
        Ok(match upserted {
            TargetUpserted::Created => TargetOperation::Create,
            TargetUpserted::Updated => TargetOperation::Update,
        })
    }

    async fn delete_target(&self, name: &str, origin: &Origin) -> Result<(), AdministrationError> {
        let deleted = self.0.delete_target(name, SystemClock.now_ms(), origin);
        deleted.await.map_err(of_inventory)
    }

    async fn state(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, AdministrationError> {
        let page = self.0.state(cursor, limit).await.map_err(of_state)?;
        Ok(StatePage {
            credentials: page.credentials.into_iter().map(credential).collect(),
            targets: page.targets.into_iter().map(target).collect(),
            pivots: page.deliveries.into_iter().map(pivot).collect(),
            next: page.next,
        })
    }

    async fn credentials(&self, keys: &[CredentialKey]) -> Result<StatePage, AdministrationError> {
        let (credentials, pivots) = self.0.credentials(keys).await.map_err(of_management)?;
        Ok(StatePage {
            credentials: credentials.into_iter().map(credential).collect(),
            pivots: pivots.into_iter().map(pivot).collect(),
            ..StatePage::default()
        })
    }

    async fn backlog(&self) -> Result<Backlog, AdministrationError> {
        let backlog = self.0.backlog().await.map_err(of_management)?;
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
            .0
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
        actor: entry.actor,
        request_id: entry.request_id,
    }
}

fn credential(view: CredentialView) -> CredentialState {
    CredentialState {
        client_id: view.client_id,
        track: track(view.track),
        plain: "absent".to_owned(),
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
        track: track(view.track),
        target_amqp_queue: view.target_amqp_queue,
        status: status(view.status),
        op: view.operation.map(str::to_owned),
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

fn track(name: &str) -> track::Track {
    shown(Track::parse(name).unwrap_or(Track::Http))
}

fn status(status: delivery::DeliveryStatus) -> DeliveryStatus {
    match status {
        delivery::DeliveryStatus::Pending => DeliveryStatus::Pending,
        delivery::DeliveryStatus::Sent => DeliveryStatus::Sent,
        delivery::DeliveryStatus::Success => DeliveryStatus::Success,
        delivery::DeliveryStatus::Error => DeliveryStatus::Error,
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
