//! A source's database in memory: it loads and keeps, and [`crate::delivery`] decides.

mod state;

use std::ops::Bound;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_base::clock::{Clock, SystemClock};
use auth_base::secret::Secret;

use crate::delivery::plan::by_credential;
use crate::delivery::{Delivery, DeliveryStatus};
use crate::lock::lock;
use crate::management::{
    Accepted, AckMark, ChangeRequest, FullyPropagated, LocalChange, Management, ManagementError,
    PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, ResyncScope, Rotation,
    SentMark, SettledQuery, SettledRow, SettledScope,
};
use crate::memory::audit::AuditEntry;
use crate::memory::management::state::State;
use crate::origin::Origin;
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

/// One delivery as a test or a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// Whose credential.
    pub key: CredentialKey,
    /// The target.
    pub target: PeerName,
    /// Which change it holds.
    pub generation: u64,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Why it is not further.
    pub reason: Option<String>,
    /// How often it was claimed since its last change.
    pub attempts: u32,
}

/// A complete [`Management`] without a disk.
pub struct MemoryManagement {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

impl Default for MemoryManagement {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryManagement {
    /// Starts empty, on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// Starts empty; leases are by `clock`, whatever the clocks of the claimers say.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Mutex::default(),
            clock,
        }
    }

    /// Adds a target to the inventory, or changes its secret.
    pub fn put_target(&self, target: PeerName, propagation_secret: Secret) {
        lock(&self.state).targets.insert(target, propagation_secret);
    }

    /// Takes a target from the inventory, whatever is booked for it (which a database would refuse).
    pub fn remove_target(&self, target: &PeerName) {
        lock(&self.state).targets.remove(target);
    }

    /// All deliveries, in the order of credential and target.
    pub fn deliveries(&self) -> Vec<DeliveryView> {
        let state = lock(&self.state);
        let deliveries = state.deliveries();
        deliveries
            .map(|(key, target, row)| view(key, target, &row.delivery))
            .collect()
    }

    /// What is booked of a credential for a target.
    pub fn delivery(&self, key: &CredentialKey, target: &PeerName) -> Option<DeliveryView> {
        let state = lock(&self.state);
        let row = state.credentials.get(key)?.deliveries.get(target)?;
        Some(view(key, target, &row.delivery))
    }

    /// What happened to a credential and its deliveries, the oldest first; of all credentials the last 10,000 entries are kept.
    pub fn history(&self, key: &CredentialKey) -> Vec<AuditEntry> {
        lock(&self.state).audit.of(key)
    }
}

fn view(key: &CredentialKey, target: &PeerName, delivery: &Delivery) -> DeliveryView {
    DeliveryView {
        key: key.clone(),
        target: target.clone(),
        generation: delivery.generation,
        status: delivery.status,
        reason: delivery.reason.clone(),
        attempts: delivery.attempts,
    }
}

#[async_trait]
impl Management for MemoryManagement {
    async fn upsert_credential_with_targets(
        &self,
        request: &ChangeRequest,
    ) -> Result<Accepted, ManagementError> {
        let mut state = lock(&self.state);
        let plan = state.before(&request.key).change(request, |target| {
            let name = PeerName::parse(target);
            name.is_ok_and(|name| state.targets.contains_key(&name))
        })?;
        Ok(state.store(&request.key, plan, &request.origin))
    }

    async fn rotate_credential_secret(
        &self,
        rotation: &Rotation,
    ) -> Result<Accepted, ManagementError> {
        let mut state = lock(&self.state);
        let plan = state.before(&rotation.key).rotate(rotation)?;
        Ok(state.store(&rotation.key, plan, &rotation.origin))
    }

    async fn fetch_pending_propagations(
        &self,
        query: &PendingQuery,
    ) -> Result<Vec<PendingPropagation>, ManagementError> {
        Ok(lock(&self.state).claim(query, self.clock.now_ms()))
    }

    async fn fetch_source_propagation_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError> {
        Ok(lock(&self.state).targets.get(source).cloned())
    }

    async fn mark_target_sent(&self, mark: &SentMark) -> Result<(), ManagementError> {
        lock(&self.state).change(&mark.key, &mark.target, |delivery| delivery.sent(mark));
        Ok(())
    }

    async fn mark_target_success(&self, mark: &AckMark) -> Result<(), ManagementError> {
        let target = mark.target.as_str();
        lock(&self.state).change(&mark.key, target, |delivery| delivery.acknowledged(mark));
        Ok(())
    }

    async fn mark_target_error(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.mark_target_success(mark).await
    }

    async fn mark_credential_fully_propagated(
        &self,
        _: &FullyPropagated,
    ) -> Result<(), ManagementError> {
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
            .deliveries()
            .filter(|(key, target, _)| in_scope(key, target) && after(key, target))
            .take(query.limit);
        Ok(rows
            .map(|(key, target, row)| state.resync_row(key, target, row))
            .collect())
    }

    async fn rebook(
        &self,
        rows: &[ResyncRow],
        now_ms: i64,
        floor_ts: Option<i64>,
        origin: &Origin,
    ) -> Result<(), ManagementError> {
        let mut state = lock(&self.state);
        for (key, named) in by_credential(rows) {
            state.rebook(key, &named, (now_ms, floor_ts), origin);
        }
        Ok(())
    }

    async fn settled_rows(&self, query: &SettledQuery) -> Result<Vec<SettledRow>, ManagementError> {
        let state = lock(&self.state);
        let settled = state
            .deliveries()
            .filter(|(_, target, row)| **target == query.target && row.delivery.status.is_done());
        let settled = settled.map(|(key, _, row)| state.settled_row(key, row));
        Ok(match &query.scope {
            SettledScope::Page { after, limit } => settled
                .filter(|row| after.as_ref().is_none_or(|after| row.key > *after))
                .take(*limit)
                .collect(),
            SettledScope::Named(keys) => settled.filter(|row| keys.contains(&row.key)).collect(),
        })
    }

    async fn reopen(&self, rows: &[Reopening], now_ms: i64) -> Result<u64, ManagementError> {
        let mut state = lock(&self.state);
        let mut reopened = 0;
        for row in rows {
            let reopen = state.change(&row.key, row.target.as_str(), |delivery| {
                delivery.reopened(row, now_ms)
            });
            reopened += u64::from(reopen);
        }
        Ok(reopened)
    }

    async fn settled_changes(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<SettledRow>, ManagementError> {
        let state = lock(&self.state);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = state.credentials.range((from, Bound::Unbounded));
        let settled = rest.filter(|(_, row)| row.credential.unapplied_since.is_none());
        Ok(settled
            .take(limit)
            .map(|(key, row)| row.credential.settled(key.clone(), Ok(row.record.clone())))
            .collect())
    }

    async fn unapplied_changes(&self, limit: usize) -> Result<Vec<LocalChange>, ManagementError> {
        let state = lock(&self.state);
        let unapplied = state.credentials.iter();
        let mut unapplied: Vec<_> = unapplied
            .filter_map(|(key, row)| Some((row.credential.unapplied_since?, key, row)))
            .collect();
        unapplied.sort_by_key(|(since, ..)| *since);
        let changes = unapplied.into_iter().take(limit);
        Ok(changes
            .map(|(_, key, row)| row.credential.local_change(key.clone(), row.record.clone()))
            .collect())
    }

    async fn mark_locally_applied(
        &self,
        applied: &[(CredentialKey, u64)],
    ) -> Result<(), ManagementError> {
        let mut state = lock(&self.state);
        for (key, generation) in applied {
            if let Some(row) = state.credentials.get_mut(key) {
                row.credential.applied_locally(*generation);
            }
        }
        Ok(())
    }
}
