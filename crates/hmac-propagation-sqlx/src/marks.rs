//! Booking what became of claimed deliveries. A mark that comes late changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use hmac_propagation::delivery::{Delivery, Moved, Step, Transition};
use hmac_propagation::management::{AckMark, FullyPropagated, Reopening, SentMark};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, FinalStatus};

use crate::database::{Bulks, JsonRow, Session, Work};
use crate::error::SqlError;
use crate::rows::{CredentialRow, DeliveryRow, write_credential_key, write_delivery_key};
use crate::statements::Statements;

/// A page of sent marks.
pub(crate) struct MarkSent<'a>(pub(crate) &'a [SentMark]);

impl Work for MarkSent<'_> {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let slot = |mark: &SentMark| (mark.key.clone(), mark.target.clone());
        change(session, self.0, slot, Delivery::sent).await
    }
}

/// A page of acknowledgements.
pub(crate) struct MarkAcknowledged<'a>(pub(crate) &'a [AckMark]);

impl Work for MarkAcknowledged<'_> {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let slot = |mark: &AckMark| (mark.key.clone(), mark.target.to_string());
        change(session, self.0, slot, Delivery::acknowledged).await
    }
}

/// Makes settled deliveries pending again.
pub(crate) struct Reopen<'a> {
    pub(crate) rows: &'a [Reopening],
    pub(crate) now_ms: i64,
}

impl Work for Reopen<'_> {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let slot = |row: &Reopening| (row.key.clone(), row.target.to_string());
        change(session, self.rows, slot, |delivery, row| {
            delivery.reopened(row, self.now_ms)
        })
        .await
    }
}

/// A page of finished credentials.
pub(crate) struct MarkPropagated<'a>(pub(crate) &'a [FullyPropagated]);

impl Work for MarkPropagated<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let statements = Statements::of(session.dialect());
        let keys: BTreeSet<&CredentialKey> = self.0.iter().map(|mark| &mark.key).collect();
        let keys: Vec<JsonRow> = keys.into_iter().map(write_credential_key).collect();
        let mut credentials = BTreeMap::new();
        for row in session.fetch_bulk(&statements.credentials, &keys).await? {
            let row = CredentialRow::read(&row)?;
            credentials.insert(row.key.clone(), row);
        }
        let audit = self.0.iter().filter_map(|mark| {
            let credential = credentials.get(&mark.key)?;
            Some(credential.audit(&propagated(mark), &Origin::default()))
        });
        let audit: Vec<JsonRow> = audit.collect();
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

/// Moves the deliveries that marks are about; tells how many of the marks changed anything. The rows are locked in the
/// order of their keys, so that two batches never wait for each other.
async fn change<M>(
    session: &mut Session,
    marks: &[M],
    slot: impl Fn(&M) -> (CredentialKey, String),
    change: impl Fn(Delivery, &M) -> Moved,
) -> Result<u64, SqlError> {
    let statements = Statements::of(session.dialect());
    let slots: Vec<_> = marks.iter().map(slot).collect();
    let keys: BTreeSet<_> = slots.iter().collect();
    let keys: Vec<JsonRow> = keys
        .into_iter()
        .map(|(key, target)| write_delivery_key(key, target))
        .collect();
    let mut rows = BTreeMap::new();
    let sql = &statements.lock_deliveries;
    for row in session.fetch_bulk(sql, &keys).await? {
        let row = DeliveryRow::read(&row)?;
        rows.insert((row.key.clone(), row.target.clone()), (row, false));
    }
    let (mut count, mut audit) = (0, Vec::new());
    for (mark, slot) in marks.iter().zip(&slots) {
        let Some((row, changed)) = rows.get_mut(slot) else {
            continue;
        };
        let moved = change(row.delivery.clone(), mark);
        row.delivery = moved.delivery;
        // Nobody asked for it.
        let nobody = Origin::default();
        audit.extend(moved.steps.iter().map(|step| row.audit(step, &nobody)));
        if !moved.steps.is_empty() {
            (*changed, count) = (true, count + 1);
        }
    }
    let changed = rows.values().filter(|(_, changed)| *changed);
    let written: Vec<JsonRow> = changed.map(|(row, _)| row.write_progress()).collect();
    session
        .execute_bulk(&statements.update_delivery_progress, &written)
        .await?;
    session
        .execute_bulk(&statements.insert_audit, &audit)
        .await?;
    Ok(count)
}
