//! A source's database in memory.

mod state;

use std::ops::Bound;
use std::sync::Mutex;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_auth::credential::Change;

use crate::lock::lock;
use crate::management::{
    Accepted, AckMark, DesiredRecord, FullyPropagated, LocalChange, Management, ManagementError,
    Operation, PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, ResyncScope,
    Rotation, SentMark, SettledQuery, SettledRow, Upsert, UpsertOperation,
};
use crate::memory::management::state::{CredentialRow, Pivot, State};
use crate::peer_store::{CredentialKey, FinalStatus};
use crate::queue::PeerName;

/// How far a row has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PivotStatus {
    /// Waits to be sent.
    Pending,
    /// The broker has it.
    Sent,
    /// The target has it.
    Success,
    /// The target refused it.
    Error,
}

/// One row as a test or a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PivotView {
    /// Whose credential.
    pub key: CredentialKey,
    /// The target.
    pub target: PeerName,
    /// Which change it holds.
    pub generation: u64,
    /// How far it has come.
    pub status: PivotStatus,
    /// Why it is not further.
    pub reason: Option<String>,
    /// How often it was claimed since its last change.
    pub attempts: u32,
}

/// A complete [`Management`] without a disk.
#[derive(Debug, Default)]
pub struct MemoryManagement {
    state: Mutex<State>,
}

impl MemoryManagement {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a target to the inventory, or changes its secret.
    pub fn put_target(&self, target: PeerName, propagation_secret: Secret) {
        lock(&self.state).targets.insert(target, propagation_secret);
    }

    /// Takes a target from the inventory, booked rows or not (which a database would refuse).
    pub fn remove_target(&self, target: &PeerName) {
        lock(&self.state).targets.remove(target);
    }

    /// All rows, in the order of credential and target.
    pub fn pivots(&self) -> Vec<PivotView> {
        let state = lock(&self.state);
        let view = |((key, target), pivot): (&(CredentialKey, PeerName), &Pivot)| PivotView {
            key: key.clone(),
            target: target.clone(),
            generation: pivot.generation,
            status: pivot.status,
            reason: pivot.reason.clone(),
            attempts: pivot.attempts,
        };
        state.pivots.iter().map(view).collect()
    }

    /// Tells whether a plain secret is still held for the credential.
    pub fn holds_plain(&self, key: &CredentialKey) -> bool {
        lock(&self.state)
            .credentials
            .get(key)
            .is_some_and(|row| row.plain.is_some())
    }
}

#[async_trait]
impl Management for MemoryManagement {
    async fn upsert_credential_with_targets(
        &self,
        upsert: &Upsert,
    ) -> Result<Accepted, ManagementError> {
        let mut state = lock(&self.state);
        let unknown: Vec<String> = upsert
            .targets
            .iter()
            .filter(|t| !state.targets.contains_key(*t))
            .map(ToString::to_string)
            .collect();
        if !unknown.is_empty() {
            return Err(ManagementError::UnknownTargets { targets: unknown });
        }
        let change_ts = state.next_ts(&upsert.key, upsert.now_ms, upsert.floor_ts);
        let (record, plain) = match &upsert.operation {
            UpsertOperation::Revoke => (None, None),
            UpsertOperation::Ensure {
                secret,
                secret_hash,
                allowed_ips,
                expires_at,
            } => (
                Some(state.merge(&upsert.key, secret_hash, allowed_ips, expires_at)),
                (!upsert.targets.is_empty()).then(|| secret.clone()),
            ),
        };
        let accepted = state.accept(&upsert.key, record, plain, change_ts);
        state.book(&upsert.key, &upsert.targets, &accepted);
        Ok(accepted)
    }

    async fn rotate_credential_secret(
        &self,
        rotation: &Rotation,
    ) -> Result<Accepted, ManagementError> {
        let mut state = lock(&self.state);
        let key = &rotation.key;
        if state
            .credentials
            .get(key)
            .is_none_or(|row| row.record.is_none())
        {
            return Err(ManagementError::UnknownClient {
                client_id: key.client_id.clone(),
            });
        }
        let change_ts = state.next_ts(key, rotation.now_ms, rotation.floor_ts);
        let record = state.merge(key, &rotation.secret_hash, &Change::Keep, &Change::Keep);
        let booked = state
            .pivots
            .iter()
            .filter(|((k, _), p)| k == key && p.operation != Operation::Delete);
        // A target that an ensure left out keeps its own rules and expiry: a rotation changes the secret only.
        let renewed = booked.map(|((_, target), pivot)| {
            let mut own = pivot.record.clone().unwrap_or_else(|| record.clone());
            own.secret_hash = rotation.secret_hash.clone();
            (target.clone(), own)
        });
        let renewed: Vec<(PeerName, DesiredRecord)> = renewed.collect();
        let plain = (!renewed.is_empty()).then(|| rotation.secret.clone());
        let accepted = state.accept(key, Some(record), plain, change_ts);
        for (target, own) in renewed {
            state.book(
                key,
                &[target],
                &Accepted {
                    record: Some(own),
                    ..accepted.clone()
                },
            );
        }
        Ok(accepted)
    }

    async fn fetch_pending_propagations(
        &self,
        query: &PendingQuery,
    ) -> Result<Vec<PendingPropagation>, ManagementError> {
        Ok(lock(&self.state).claim(query))
    }

    async fn fetch_source_propagation_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError> {
        Ok(lock(&self.state).targets.get(source).cloned())
    }

    async fn mark_target_sent(&self, mark: &SentMark) -> Result<(), ManagementError> {
        let mut state = lock(&self.state);
        if let Some(pivot) = state.pivot(&mark.key, &mark.target, mark.generation) {
            pivot.sent(mark);
        }
        Ok(())
    }

    async fn mark_target_success(&self, mark: &AckMark) -> Result<(), ManagementError> {
        lock(&self.state).acknowledge(mark);
        Ok(())
    }

    async fn mark_target_error(&self, mark: &AckMark) -> Result<(), ManagementError> {
        lock(&self.state).acknowledge(mark);
        Ok(())
    }

    async fn mark_credential_fully_propagated(
        &self,
        mark: &FullyPropagated,
    ) -> Result<(), ManagementError> {
        let mut state = lock(&self.state);
        let everywhere = state.is_everywhere(&mark.key);
        if mark.status == FinalStatus::Success
            && everywhere
            && let Some(row) = state.credentials.get_mut(&mark.key)
        {
            row.plain = None;
        }
        Ok(())
    }

    async fn resync_rows(&self, query: &ResyncQuery) -> Result<Vec<ResyncRow>, ManagementError> {
        let state = lock(&self.state);
        let in_scope = |key: &CredentialKey, target: &PeerName| match &query.scope {
            ResyncScope::Target(wanted) => target == wanted,
            ResyncScope::Credential(wanted) => key == wanted,
        };
        let after = |key: &CredentialKey, target: &PeerName| match &query.after {
            Some((k, t)) => (key, target.as_str()) > (k, t.as_str()),
            None => true,
        };
        let rows = state
            .pivots
            .iter()
            .filter(|((key, target), _)| in_scope(key, target) && after(key, target));
        let row = |((key, target), pivot): (&(CredentialKey, PeerName), &Pivot)| ResyncRow {
            key: key.clone(),
            target: target.as_str().to_owned(),
            generation: pivot.generation,
            last_ts: state
                .credentials
                .get(key)
                .map_or(pivot.change_ts, |row| row.last_ts),
        };
        Ok(rows.take(query.limit).map(row).collect())
    }

    async fn rebook(&self, rows: &[ResyncRow], now_ms: i64) -> Result<(), ManagementError> {
        let mut state = lock(&self.state);
        for row in rows {
            let ts = state.next_ts(&row.key, now_ms, None);
            let Some(credential) = state.credentials.get_mut(&row.key) else {
                continue;
            };
            let (generation, in_step) = (
                credential.generation + 1,
                credential.local_generation == credential.generation,
            );
            let Some(pivot) = state.pivot(&row.key, &row.target, row.generation) else {
                continue;
            };
            (pivot.generation, pivot.change_ts, pivot.last_ts) = (generation, ts, None);
            (pivot.status, pivot.reason, pivot.attempts) = (PivotStatus::Pending, None, 0);
            (pivot.event_id, pivot.waiting_since, pivot.leased_until) = (None, now_ms, i64::MIN);
            pivot.unsendable = false;
            if let Some(credential) = state.credentials.get_mut(&row.key) {
                (credential.generation, credential.last_ts) = (generation, ts);
                if in_step {
                    credential.local_generation = generation;
                }
            }
        }
        Ok(())
    }

    async fn settled_rows(&self, query: &SettledQuery) -> Result<Vec<SettledRow>, ManagementError> {
        Ok(lock(&self.state).settled(query))
    }

    async fn reopen(&self, rows: &[Reopening], now_ms: i64) -> Result<u64, ManagementError> {
        let mut state = lock(&self.state);
        Ok(rows
            .iter()
            .map(|row| u64::from(state.reopen(row, now_ms)))
            .sum())
    }

    async fn settled_changes(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<SettledRow>, ManagementError> {
        let state = lock(&self.state);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = state.credentials.range((from, Bound::Unbounded));
        let settled = rest.filter(|(_, row)| row.local_generation >= row.generation);
        Ok(settled
            .take(limit)
            .map(|(key, row)| row.settled(key))
            .collect())
    }

    async fn unapplied_changes(&self, limit: usize) -> Result<Vec<LocalChange>, ManagementError> {
        let state = lock(&self.state);
        let unapplied = state
            .credentials
            .iter()
            .filter(|(_, row)| row.local_generation < row.generation);
        let change = |(key, row): (&CredentialKey, &CredentialRow)| LocalChange {
            key: key.clone(),
            generation: row.generation,
            change_ts: row.change_ts,
            record: row.record.clone(),
        };
        Ok(unapplied.take(limit).map(change).collect())
    }

    async fn uncleared_credentials(
        &self,
        limit: usize,
    ) -> Result<Vec<CredentialKey>, ManagementError> {
        let state = lock(&self.state);
        let uncleared = |key: &CredentialKey, row: &CredentialRow| {
            row.plain.is_some() && state.is_everywhere(key)
        };
        let keys = state
            .credentials
            .iter()
            .filter(|(key, row)| uncleared(key, row))
            .map(|(key, _)| key.clone());
        Ok(keys.take(limit).collect())
    }

    async fn mark_locally_applied(
        &self,
        applied: &[(CredentialKey, u64)],
    ) -> Result<(), ManagementError> {
        let mut state = lock(&self.state);
        for (key, generation) in applied {
            if let Some(row) = state.credentials.get_mut(key) {
                row.local_generation = row.local_generation.max(*generation);
            }
        }
        Ok(())
    }
}
