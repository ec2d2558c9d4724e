//! Booking what became of claimed deliveries. A mark that comes late changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use hmac_propagation::delivery::plan::plain_may_go;
use hmac_propagation::delivery::{Delivery, DeliveryStatus, Moved, Step, Transition};
use hmac_propagation::management::{AckMark, FullyPropagated, Reopening, SentMark};
use hmac_propagation::peer_store::{CredentialKey, FinalStatus};

use crate::database::{JsonRow, Session, Work};
use crate::error::SqlError;
use crate::rows::{CredentialRow, DeliveryRow, read_key, write_credential_key, write_delivery_key};
use crate::statements::{DELIVERIES, Statements};

/// A page of sent marks.
pub(crate) struct MarkSent<'a>(pub(crate) &'a [SentMark]);

impl Work for MarkSent<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let keys = self.0.iter().map(|mark| (&mark.key, mark.target.as_str()));
        let mut deliveries = Deliveries::lock(session, keys).await?;
        for mark in self.0 {
            deliveries.change(&mark.key, &mark.target, |delivery| delivery.sent(mark));
        }
        deliveries.store(session).await
    }
}

/// A page of acknowledgements.
pub(crate) struct MarkAcknowledged<'a>(pub(crate) &'a [AckMark]);

impl Work for MarkAcknowledged<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let keys = self.0.iter().map(|mark| (&mark.key, mark.target.as_str()));
        let mut deliveries = Deliveries::lock(session, keys).await?;
        for mark in self.0 {
            deliveries.change(&mark.key, mark.target.as_str(), |delivery| {
                delivery.acknowledged(mark)
            });
        }
        deliveries.store(session).await
    }
}

/// Makes settled deliveries pending again.
pub(crate) struct Reopen<'a> {
    pub(crate) rows: &'a [Reopening],
    pub(crate) now_ms: i64,
}

impl Work for Reopen<'_> {
    type Output = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let keys = self.rows.iter().map(|row| (&row.key, row.target.as_str()));
        let mut deliveries = Deliveries::lock(session, keys).await?;
        let mut reopened = 0;
        for row in self.rows {
            let reopen = deliveries.change(&row.key, row.target.as_str(), |delivery| {
                delivery.reopened(row, self.now_ms)
            });
            reopened += u64::from(reopen);
        }
        deliveries.store(session).await?;
        Ok(reopened)
    }
}

/// A page of finished credentials.
pub(crate) struct MarkPropagated<'a>(pub(crate) &'a [FullyPropagated]);

impl Work for MarkPropagated<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let statements = Statements::of(session.dialect());
        let keys: BTreeSet<&CredentialKey> = self.0.iter().map(|mark| &mark.key).collect();
        let keys: Vec<JsonRow> = keys.into_iter().map(write_credential_key).collect();
        let mut credentials = BTreeMap::new();
        let sql = &statements.lock_credentials;
        for row in session.fetch_bulk(sql, &keys).await? {
            let row = CredentialRow::read(&row)?;
            credentials.insert(row.key.clone(), row);
        }
        // Read after the credentials are locked: nobody can book a new change in between.
        let mut statuses: BTreeMap<CredentialKey, Vec<DeliveryStatus>> = BTreeMap::new();
        for row in session.fetch_bulk(&statements.statuses, &keys).await? {
            // A word that nobody knows is not done.
            let status = DeliveryStatus::parse(&row.required_text(2, DELIVERIES)?);
            let statuses = statuses.entry(read_key(&row, DELIVERIES)?).or_default();
            statuses.push(status.unwrap_or(DeliveryStatus::Error));
        }
        let (mut cleared, mut audit) = (BTreeSet::new(), Vec::new());
        for mark in self.0 {
            let Some(credential) = credentials.get(&mark.key) else {
                continue;
            };
            let deliveries = statuses.get(&mark.key).into_iter().flatten().copied();
            if credential.plain_secret.is_some() && plain_may_go(mark.status, deliveries) {
                cleared.insert(&mark.key);
            }
            audit.push(credential.audit(&propagated(mark)));
        }
        let cleared: Vec<JsonRow> = cleared.into_iter().map(write_credential_key).collect();
        session
            .execute_bulk(&statements.clear_plain, &cleared)
            .await?;
        session.execute_bulk(&statements.insert_audit, &audit).await
    }
}

fn propagated(mark: &FullyPropagated) -> Step {
    let status = match mark.status {
        FinalStatus::Success => "success",
        FinalStatus::Partial => "partial",
        FinalStatus::Error => "error",
    };
    Step {
        transition: Transition::Propagated,
        at_ms: mark.at_ms,
        reason: Some(status.to_owned()),
    }
}

/// Locked deliveries, and what has to be written of them.
struct Deliveries {
    rows: BTreeMap<(CredentialKey, String), (DeliveryRow, bool)>,
    audit: Vec<JsonRow>,
}

impl Deliveries {
    /// Locks in the order of the keys, so that two batches never wait for each other.
    async fn lock<'a>(
        session: &mut Session,
        keys: impl Iterator<Item = (&'a CredentialKey, &'a str)>,
    ) -> Result<Self, SqlError> {
        let keys: BTreeSet<_> = keys.collect();
        let keys: Vec<JsonRow> = keys
            .into_iter()
            .map(|(key, target)| write_delivery_key(key, target))
            .collect();
        let mut rows = BTreeMap::new();
        let sql = &Statements::of(session.dialect()).lock_deliveries;
        for row in session.fetch_bulk(sql, &keys).await? {
            let row = DeliveryRow::read(&row)?;
            rows.insert((row.key.clone(), row.target.clone()), (row, false));
        }
        Ok(Self {
            rows,
            audit: Vec::new(),
        })
    }

    /// Moves a delivery, if it is there; tells whether anything happened.
    fn change(
        &mut self,
        key: &CredentialKey,
        target: &str,
        change: impl FnOnce(Delivery) -> Moved,
    ) -> bool {
        let Some((row, changed)) = self.rows.get_mut(&(key.clone(), target.to_owned())) else {
            return false;
        };
        let moved = change(row.delivery.clone());
        row.delivery = moved.delivery;
        self.audit
            .extend(moved.steps.iter().map(|step| row.audit(step)));
        *changed |= !moved.steps.is_empty();
        !moved.steps.is_empty()
    }

    async fn store(self, session: &mut Session) -> Result<(), SqlError> {
        let statements = Statements::of(session.dialect());
        let changed = self.rows.values().filter(|(_, changed)| *changed);
        let written: Vec<JsonRow> = changed.map(|(row, _)| row.write_progress()).collect();
        session
            .execute_bulk(&statements.update_delivery_progress, &written)
            .await?;
        session
            .execute_bulk(&statements.insert_audit, &self.audit)
            .await
    }
}
