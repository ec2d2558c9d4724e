//! The rows of [`super::MemoryManagement`] and how they change.

use std::collections::BTreeMap;

use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::Change;
use hmac_auth::secret_hash::SecretHash;

use crate::management::{
    Accepted, AckMark, DesiredRecord, Operation, PendingMessage, PendingPropagation, PendingQuery,
    Reopening, SentMark, SettledQuery, SettledRow, SettledScope,
};
use crate::memory::management::PivotStatus;
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) targets: BTreeMap<PeerName, Secret>,
    pub(super) credentials: BTreeMap<CredentialKey, CredentialRow>,
    pub(super) pivots: BTreeMap<(CredentialKey, PeerName), Pivot>,
}

#[derive(Debug)]
pub(super) struct CredentialRow {
    pub(super) generation: u64,
    pub(super) local_generation: u64,
    pub(super) change_ts: i64,
    /// The largest `ts` ever used for the credential.
    pub(super) last_ts: i64,
    pub(super) plain: Option<Secret>,
    pub(super) record: Option<DesiredRecord>,
}

#[derive(Debug)]
pub(super) struct Pivot {
    pub(super) operation: Operation,
    pub(super) record: Option<DesiredRecord>,
    pub(super) generation: u64,
    pub(super) change_ts: i64,
    pub(super) last_ts: Option<i64>,
    pub(super) status: PivotStatus,
    pub(super) reason: Option<String>,
    pub(super) attempts: u32,
    pub(super) event_id: Option<String>,
    pub(super) waiting_since: i64,
    pub(super) leased_until: i64,
    /// Whether the last claim found that the row cannot be sent at all.
    pub(super) unsendable: bool,
}

impl State {
    /// Strictly rising: see the module page of [`crate::management`].
    pub(super) fn next_ts(&self, key: &CredentialKey, now_ms: i64, floor_ts: Option<i64>) -> i64 {
        let used = self
            .credentials
            .get(key)
            .map(|row| row.last_ts.saturating_add(1));
        let floor = floor_ts.map(|floor| floor.saturating_add(1));
        [Some(now_ms), used, floor]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or(now_ms)
    }

    pub(super) fn accept(
        &mut self,
        key: &CredentialKey,
        record: Option<DesiredRecord>,
        plain: Option<Secret>,
        change_ts: i64,
    ) -> Accepted {
        let row = self
            .credentials
            .entry(key.clone())
            .or_insert(CredentialRow {
                generation: 0,
                local_generation: 0,
                change_ts,
                last_ts: change_ts,
                plain: None,
                record: None,
            });
        let created = row.record.is_none();
        row.generation += 1;
        (row.change_ts, row.last_ts, row.plain) = (change_ts, change_ts, plain);
        row.record.clone_from(&record);
        Accepted {
            created,
            generation: row.generation,
            change_ts,
            record,
        }
    }

    pub(super) fn book(&mut self, key: &CredentialKey, targets: &[PeerName], accepted: &Accepted) {
        for target in targets {
            let slot = (key.clone(), target.clone());
            let before = self.pivots.get(&slot);
            let held = before.is_some_and(|pivot| pivot.operation != Operation::Delete);
            let operation = match (&accepted.record, held) {
                (None, _) => Operation::Delete,
                (Some(_), true) => Operation::Update,
                (Some(_), false) => Operation::Create,
            };
            let last_ts = before.and_then(|pivot| pivot.last_ts);
            let pivot = Pivot {
                operation,
                record: accepted.record.clone(),
                generation: accepted.generation,
                change_ts: accepted.change_ts,
                last_ts: last_ts.filter(|ts| *ts >= accepted.change_ts),
                status: PivotStatus::Pending,
                reason: None,
                attempts: 0,
                event_id: None,
                waiting_since: accepted.change_ts,
                leased_until: i64::MIN,
                unsendable: false,
            };
            self.pivots.insert(slot, pivot);
        }
    }

    /// Tells whether every target has what is wanted of the credential.
    pub(super) fn is_everywhere(&self, key: &CredentialKey) -> bool {
        let rows = self.pivots.iter().filter(|((of, _), _)| of == key);
        rows.map(|(_, pivot)| pivot.status)
            .all(|status| status == PivotStatus::Success)
    }

    pub(super) fn merge(
        &self,
        key: &CredentialKey,
        hash: &SecretHash,
        rules: &Change<AllowedIps>,
        expiry: &Change<Option<i64>>,
    ) -> DesiredRecord {
        let stored = self
            .credentials
            .get(key)
            .and_then(|row| row.record.as_ref());
        DesiredRecord {
            secret_hash: hash.clone(),
            allowed_ips: match rules {
                Change::Set(rules) => rules.clone(),
                Change::Keep => stored
                    .map(|record| record.allowed_ips.clone())
                    .unwrap_or_default(),
            },
            expires_at: match expiry {
                Change::Set(at) => *at,
                Change::Keep => stored.and_then(|record| record.expires_at),
            },
        }
    }

    pub(super) fn claim(&mut self, query: &PendingQuery) -> Vec<PendingPropagation> {
        let mut due: Vec<_> = self
            .pivots
            .iter()
            .filter(|(_, pivot)| pivot.is_due(query))
            .map(|(slot, pivot)| (pivot.waiting_since, slot.clone()))
            .collect();
        due.sort();
        let ids = query.event_ids.iter();
        due.into_iter()
            .take(query.limit)
            .zip(ids)
            .filter_map(|((_, slot), id)| self.claim_one(&slot, id, query))
            .collect()
    }

    pub(super) fn claim_one(
        &mut self,
        slot: &(CredentialKey, PeerName),
        event_id: &str,
        query: &PendingQuery,
    ) -> Option<PendingPropagation> {
        let secret = self.targets.get(&slot.1).cloned();
        let pivot = self.pivots.get_mut(slot)?;
        let ts = pivot
            .last_ts
            .map_or(pivot.change_ts, |last| last.saturating_add(1));
        pivot.last_ts = Some(ts);
        pivot.attempts += 1;
        pivot.event_id = Some(event_id.to_owned());
        pivot.leased_until = query.now_ms.saturating_add(query.lease_ms);
        pivot.status = PivotStatus::Pending;
        pivot.unsendable = secret.is_none();
        let message = match secret {
            Some(propagation_secret) => Ok(PendingMessage {
                operation: pivot.operation,
                record: pivot.record.clone(),
                propagation_secret,
            }),
            None => Err("the target is not in the inventory".to_owned()),
        };
        let row = PendingPropagation {
            key: slot.0.clone(),
            target: slot.1.as_str().to_owned(),
            generation: pivot.generation,
            attempt: pivot.attempts,
            event_id: event_id.to_owned(),
            ts,
            message,
        };
        if let Some(credential) = self.credentials.get_mut(&slot.0) {
            credential.last_ts = credential.last_ts.max(ts);
        }
        Some(row)
    }

    pub(super) fn settled(&self, query: &SettledQuery) -> Vec<SettledRow> {
        let settled = self
            .pivots
            .iter()
            .filter(|((_, target), pivot)| {
                *target == query.target && pivot.status == PivotStatus::Success
            })
            .map(|((key, _), pivot)| self.settled_row(key, pivot));
        match &query.scope {
            SettledScope::Page { after, limit } => settled
                .filter(|row| after.as_ref().is_none_or(|after| row.key > *after))
                .take(*limit)
                .collect(),
            SettledScope::Named(keys) => settled.filter(|row| keys.contains(&row.key)).collect(),
        }
    }

    fn settled_row(&self, key: &CredentialKey, pivot: &Pivot) -> SettledRow {
        let sent_ts = pivot.last_ts.unwrap_or(pivot.change_ts);
        SettledRow {
            key: key.clone(),
            generation: pivot.generation,
            wanted: Ok(pivot.record.clone()),
            change_ts: pivot.change_ts,
            sent_ts,
            event_id: pivot.event_id.clone(),
            last_ts: self.credentials.get(key).map_or(sent_ts, |row| row.last_ts),
        }
    }

    /// Only the status moves: the next claim is a further try of the same change. Tells whether it did.
    pub(super) fn reopen(&mut self, row: &Reopening, now_ms: i64) -> bool {
        let pivot = self.pivot(&row.key, row.target.as_str(), row.generation);
        let Some(pivot) = pivot.filter(|pivot| pivot.status == PivotStatus::Success) else {
            return false;
        };
        (pivot.status, pivot.reason) = (PivotStatus::Pending, Some(row.reason.clone()));
        (pivot.event_id, pivot.waiting_since, pivot.leased_until) = (None, now_ms, i64::MIN);
        pivot.unsendable = false;
        true
    }

    pub(super) fn pivot(
        &mut self,
        key: &CredentialKey,
        target: &str,
        generation: u64,
    ) -> Option<&mut Pivot> {
        let target = PeerName::parse(target).ok()?;
        self.pivots
            .get_mut(&(key.clone(), target))
            .filter(|pivot| pivot.generation == generation)
    }

    pub(super) fn acknowledge(&mut self, mark: &AckMark) {
        let Some(pivot) = self.pivot(&mark.key, mark.target.as_str(), mark.generation) else {
            return;
        };
        match &mark.outcome {
            Ok(()) => (pivot.status, pivot.reason) = (PivotStatus::Success, None),
            Err(_) if pivot.status == PivotStatus::Success => {}
            Err(reason) => {
                (pivot.status, pivot.reason) = (PivotStatus::Error, Some(reason.clone()));
                pivot.waiting_since = mark.at_ms;
            }
        }
        pivot.leased_until = i64::MIN;
    }
}

impl CredentialRow {
    pub(super) fn settled(&self, key: &CredentialKey) -> SettledRow {
        SettledRow {
            key: key.clone(),
            generation: self.generation,
            wanted: Ok(self.record.clone()),
            change_ts: self.change_ts,
            sent_ts: self.change_ts,
            event_id: None,
            last_ts: self.last_ts,
        }
    }
}

impl Pivot {
    fn is_due(&self, query: &PendingQuery) -> bool {
        // A moment that lies further ahead than any honest one was written before the clock was set back.
        let lease_bound = query
            .now_ms
            .saturating_add(query.lease_ms.saturating_mul(2));
        let resend_bound = query
            .now_ms
            .saturating_add(query.resend_after_ms.max(query.lease_ms));
        let latest = query.now_ms.saturating_sub(query.resend_after_ms);
        let overdue =
            query.overdue && (self.waiting_since <= latest || self.waiting_since > resend_bound);
        let waiting = match self.status {
            PivotStatus::Pending => !self.unsendable || overdue,
            PivotStatus::Sent | PivotStatus::Error => overdue,
            PivotStatus::Success => false,
        };
        waiting && (self.leased_until <= query.now_ms || self.leased_until > lease_bound)
    }

    /// A mark moves a pending row only: an acknowledgement may have overtaken it.
    pub(super) fn sent(&mut self, mark: &SentMark) {
        let current = self.event_id.as_deref() == Some(mark.event_id.as_str());
        if !current || self.status != PivotStatus::Pending {
            return;
        }
        (self.leased_until, self.waiting_since) = (i64::MIN, mark.at_ms);
        match &mark.outcome {
            Ok(()) => (self.status, self.reason) = (PivotStatus::Sent, None),
            Err(reason) => self.reason = Some(reason.clone()),
        }
    }
}
