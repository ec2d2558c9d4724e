//! The rows of [`super::MemoryManagement`]: what is read of them, and where what [`crate::delivery`] says is kept.

use std::collections::BTreeMap;

use auth_base::secret::Secret;

use crate::delivery::plan::{Before, Content, Credential, Plan};
use crate::delivery::{ClaimWindow, Delivery, Moved};
use crate::management::{
    Accepted, DesiredRecord, PendingPropagation, PendingQuery, ResyncRow, SettledRow,
};
use crate::memory::audit::Audit;
use crate::origin::Origin;
use crate::peer_store::CredentialKey;
use crate::queue::PeerName;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) targets: BTreeMap<PeerName, Secret>,
    pub(super) credentials: BTreeMap<CredentialKey, CredentialRow>,
    pub(super) audit: Audit,
}

#[derive(Debug)]
pub(super) struct CredentialRow {
    pub(super) credential: Credential,
    pub(super) record: Option<DesiredRecord>,
    pub(super) deliveries: BTreeMap<PeerName, DeliveryRow>,
}

#[derive(Debug)]
pub(super) struct DeliveryRow {
    pub(super) delivery: Delivery,
    record: Option<DesiredRecord>,
}

impl State {
    pub(super) fn before<'a>(&'a self, key: &'a CredentialKey) -> Before<'a> {
        let row = self.credentials.get(key);
        Before {
            key,
            credential: row.map(|row| &row.credential),
            deliveries: row.map(CredentialRow::by_target).unwrap_or_default(),
        }
    }

    pub(super) fn store(&mut self, key: &CredentialKey, plan: Plan, origin: &Origin) -> Accepted {
        let generation = plan.credential.generation;
        if plan.deliveries.is_empty() {
            self.audit.note((key, None, generation), &plan.step, origin);
        }
        for booking in &plan.deliveries {
            let slot = (key, Some(booking.target.as_str()), generation);
            self.audit.note(slot, &plan.step, origin);
        }
        let row = self
            .credentials
            .entry(key.clone())
            .or_insert_with(|| CredentialRow {
                credential: plan.credential.clone(),
                record: None,
                deliveries: BTreeMap::new(),
            });
        row.credential = plan.credential;
        row.record.clone_from(&plan.accepted.record);
        for booking in plan.deliveries {
            let Ok(target) = PeerName::parse(&booking.target) else {
                continue;
            };
            let before = row.deliveries.remove(&target);
            let record = match booking.content {
                Content::Nothing => None,
                Content::Record(record) => Some(record),
                Content::Secret(secret_hash) => {
                    let own = before.and_then(|before| before.record);
                    own.map(|own| DesiredRecord { secret_hash, ..own })
                }
            };
            let delivery = booking.delivery;
            row.deliveries
                .insert(target, DeliveryRow { delivery, record });
        }
        plan.accepted
    }

    pub(super) fn rebook(
        &mut self,
        key: &CredentialKey,
        named: &[(&str, u64)],
        (now_ms, floor_ts): (i64, Option<i64>),
        origin: &Origin,
    ) {
        let rebooking = self.before(key).rebook(named, now_ms, floor_ts);
        if let Some(row) = self.credentials.get_mut(key)
            && let Some(rebooking) = rebooking
        {
            row.credential = rebooking.credential;
            let generation = row.credential.generation;
            for (target, delivery) in rebooking.deliveries {
                if let Some(row) = row.delivery(&target) {
                    row.delivery = delivery;
                    let slot = (key, Some(target.as_str()), generation);
                    self.audit.note(slot, &rebooking.step, origin);
                }
            }
        }
    }

    pub(super) fn claim(&mut self, query: &PendingQuery, now_ms: i64) -> Vec<PendingPropagation> {
        let window = ClaimWindow::of(query);
        let mut due: Vec<_> = self
            .deliveries()
            .filter(|(_, _, row)| row.delivery.is_due(&window, now_ms))
            .map(|(key, target, row)| (row.delivery.waiting_since, key.clone(), target.clone()))
            .collect();
        due.sort();
        let claims = due.into_iter().take(query.limit).zip(&query.randoms);
        let mut claimed = Vec::new();
        for ((_, key, target), random) in claims {
            let secret = self.targets.get(&target).cloned().map(Ok);
            let row = self.credentials.get_mut(&key);
            if let Some(row) = row.and_then(|row| row.deliveries.get_mut(&target)) {
                let (name, record) = (target.as_str(), row.record.clone());
                let message = row.delivery.message(name, secret, || Ok(record));
                let delivery = row.delivery.clone();
                let claim = delivery.claim((&key, name), query, now_ms, *random, message);
                row.delivery = claim.delivery;
                let generation = row.delivery.generation;
                if let Some(step) = &claim.step {
                    self.audit
                        .note((&key, Some(name), generation), step, &query.origin);
                }
                claimed.push(claim.row);
            }
        }
        claimed
    }

    /// Moves a delivery, if it is there; tells whether anything happened.
    pub(super) fn change(
        &mut self,
        key: &CredentialKey,
        target: &str,
        change: impl FnOnce(Delivery) -> Moved,
    ) -> bool {
        let row = self.credentials.get_mut(key);
        let Some(row) = row.and_then(|row| row.delivery(target)) else {
            return false;
        };
        let moved = change(row.delivery.clone());
        row.delivery = moved.delivery;
        let (generation, happened) = (row.delivery.generation, !moved.steps.is_empty());
        for step in &moved.steps {
            // Nobody asked for it.
            self.audit
                .note((key, Some(target), generation), step, &Origin::default());
        }
        happened
    }

    /// In the order of credential and target.
    pub(super) fn deliveries(
        &self,
    ) -> impl Iterator<Item = (&CredentialKey, &PeerName, &DeliveryRow)> {
        self.credentials.iter().flat_map(|(key, row)| {
            let rows = row.deliveries.iter();
            rows.map(move |(target, row)| (key, target, row))
        })
    }

    pub(super) fn resync_row(
        &self,
        key: &CredentialKey,
        target: &PeerName,
        row: &DeliveryRow,
    ) -> ResyncRow {
        ResyncRow {
            key: key.clone(),
            target: target.as_str().to_owned(),
            generation: row.delivery.generation,
            last_ts: self.largest_ts(key, row),
        }
    }

    pub(super) fn settled_row(&self, key: &CredentialKey, row: &DeliveryRow) -> SettledRow {
        let largest_ts = self.largest_ts(key, row);
        row.delivery
            .settled(key.clone(), largest_ts, || Ok(row.record.clone()))
    }

    fn largest_ts(&self, key: &CredentialKey, row: &DeliveryRow) -> i64 {
        let largest = self.before(key).largest_ts();
        largest.unwrap_or_else(|| row.delivery.sent_ts())
    }
}

impl CredentialRow {
    fn by_target(&self) -> BTreeMap<&str, &Delivery> {
        let rows = self.deliveries.iter();
        rows.map(|(target, row)| (target.as_str(), &row.delivery))
            .collect()
    }

    fn delivery(&mut self, target: &str) -> Option<&mut DeliveryRow> {
        let target = PeerName::parse(target).ok()?;
        self.deliveries.get_mut(&target)
    }
}
