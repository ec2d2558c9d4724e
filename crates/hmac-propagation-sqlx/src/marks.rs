//! Booking what became of claimed rows. A mark that comes late changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use hmac_propagation::management::{AckMark, FullyPropagated, SentMark};
use hmac_propagation::peer_store::{CredentialKey, FinalStatus};

use crate::database::{JsonRow, Session, Work};
use crate::error::SqlError;
use crate::rows::{
    CredentialRow, PivotRow, PivotStatus, audit_credential, read_key, reason, write_credential_key,
    write_pivot_key,
};
use crate::statements::Statements;

/// A page of sent marks.
pub(crate) struct MarkSent<'a>(pub(crate) &'a [SentMark]);

/// A page of acknowledgements.
pub(crate) struct MarkAcknowledged<'a>(pub(crate) &'a [AckMark]);

/// A page of finished credentials.
pub(crate) struct MarkPropagated<'a>(pub(crate) &'a [FullyPropagated]);

impl Work for MarkSent<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let keys = self.0.iter().map(|mark| (&mark.key, mark.target.as_str()));
        let mut pivots = Pivots::lock(session, keys).await?;
        for mark in self.0 {
            pivots.change(&mark.key, &mark.target, |row| sent(row, mark));
        }
        pivots.store(session).await
    }
}

impl Work for MarkAcknowledged<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let keys = self.0.iter().map(|mark| (&mark.key, mark.target.as_str()));
        let mut pivots = Pivots::lock(session, keys).await?;
        for mark in self.0 {
            pivots.change(&mark.key, mark.target.as_str(), |row| {
                acknowledged(row, mark)
            });
        }
        pivots.store(session).await
    }
}

impl Work for MarkPropagated<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let statements = Statements::of(session.dialect());
        let keys: BTreeSet<&CredentialKey> = self.0.iter().map(|mark| &mark.key).collect();
        let keys: Vec<JsonRow> = keys.into_iter().map(write_credential_key).collect();
        let mut credentials = BTreeMap::new();
        for row in session
            .fetch_bulk(&statements.lock_credentials, &keys)
            .await?
        {
            let row = CredentialRow::read(&row)?;
            credentials.insert(row.key.clone(), row);
        }
        // Read after the credentials are locked: nobody can book a new change in between.
        let mut unfinished = BTreeSet::new();
        for row in session
            .fetch_bulk(&statements.unfinished_credentials, &keys)
            .await?
        {
            unfinished.insert(read_key(&row, "hmac_credential_target")?);
        }
        let (mut cleared, mut audit) = (BTreeSet::new(), Vec::new());
        for mark in self.0 {
            let Some(credential) = credentials.get(&mark.key) else {
                continue;
            };
            let finished = mark.status == FinalStatus::Success && !unfinished.contains(&mark.key);
            if finished && credential.plain_secret.is_some() {
                cleared.insert(&mark.key);
            }
            let status = match mark.status {
                FinalStatus::Success => "success",
                FinalStatus::Partial => "partial",
                FinalStatus::Error => "error",
            };
            audit.push(audit_credential(
                credential,
                "propagated",
                mark.at_ms,
                Some(status),
            ));
        }
        let cleared: Vec<JsonRow> = cleared.into_iter().map(write_credential_key).collect();
        session
            .execute_bulk(&statements.clear_plain, &cleared)
            .await?;
        session.execute_bulk(&statements.insert_audit, &audit).await
    }
}

/// Locked pivots, and what has to be written of them.
pub(crate) struct Pivots {
    rows: BTreeMap<(CredentialKey, String), (PivotRow, bool)>,
    audit: Vec<JsonRow>,
}

/// A transition that happened: its name, moment and reason.
pub(crate) type Transition<'a> = (&'static str, i64, Option<&'a str>);

impl Pivots {
    /// Locks in the order of the keys, so that two batches never wait for each other.
    pub(crate) async fn lock<'a>(
        session: &mut Session,
        keys: impl Iterator<Item = (&'a CredentialKey, &'a str)>,
    ) -> Result<Self, SqlError> {
        let keys: BTreeSet<_> = keys.collect();
        let keys: Vec<JsonRow> = keys
            .into_iter()
            .map(|(key, target)| write_pivot_key(key, target))
            .collect();
        let mut rows = BTreeMap::new();
        let sql = &Statements::of(session.dialect()).lock_pivots;
        for row in session.fetch_bulk(sql, &keys).await? {
            let row = PivotRow::read(&row)?;
            rows.insert((row.key.clone(), row.target.clone()), (row, false));
        }
        Ok(Self {
            rows,
            audit: Vec::new(),
        })
    }

    pub(crate) fn change<'a>(
        &mut self,
        key: &CredentialKey,
        target: &str,
        change: impl FnOnce(&mut PivotRow) -> Vec<Transition<'a>>,
    ) {
        let Some((row, changed)) = self.rows.get_mut(&(key.clone(), target.to_owned())) else {
            return;
        };
        for (transition, at_ms, why) in change(row) {
            *changed = true;
            self.audit.push(row.audit(transition, at_ms, why));
        }
    }

    pub(crate) async fn store(self, session: &mut Session) -> Result<(), SqlError> {
        let statements = Statements::of(session.dialect());
        let written: Vec<JsonRow> = self
            .rows
            .values()
            .filter(|(_, changed)| *changed)
            .map(|(row, _)| row.write_progress())
            .collect();
        session
            .execute_bulk(&statements.update_pivot_progress, &written)
            .await?;
        session
            .execute_bulk(&statements.insert_audit, &self.audit)
            .await
    }
}

/// Only the claim that the mark belongs to, and only while nothing overtook it.
fn sent<'a>(row: &mut PivotRow, mark: &'a SentMark) -> Vec<Transition<'a>> {
    let progress = &mut row.progress;
    let belongs = u64::try_from(progress.generation) == Ok(mark.generation)
        && progress.event_id.as_deref() == Some(mark.event_id.as_str())
        && progress.status == PivotStatus::Pending;
    if !belongs {
        return Vec::new();
    }
    progress.lease_until = None;
    progress.waiting_since = mark.at_ms;
    match &mark.outcome {
        Ok(()) => {
            progress.status = PivotStatus::Sent;
            progress.sent_at = Some(mark.at_ms);
            progress.reason = None;
            vec![("sent", mark.at_ms, None)]
        }
        Err(why) => {
            progress.failed_at = Some(mark.at_ms);
            progress.reason = Some(reason(why));
            vec![("not sent", mark.at_ms, Some(why))]
        }
    }
}

/// Only the generation that the answer is about; `success` stays. An answer that overtook its sent mark stands for it.
fn acknowledged<'a>(row: &mut PivotRow, mark: &'a AckMark) -> Vec<Transition<'a>> {
    let progress = &mut row.progress;
    let current = u64::try_from(progress.generation) == Ok(mark.generation);
    if !current || progress.status == PivotStatus::Success {
        return Vec::new();
    }
    let mut transitions = Vec::with_capacity(2);
    let is_of_claim = progress.event_id.as_deref() == Some(mark.event_id.as_str());
    if progress.status == PivotStatus::Pending && is_of_claim {
        progress.sent_at = Some(mark.sent_at);
        transitions.push(("sent", mark.sent_at, None));
    }
    progress.lease_until = None;
    progress.waiting_since = mark.at_ms;
    transitions.push(match &mark.outcome {
        Ok(()) => {
            progress.status = PivotStatus::Success;
            progress.applied_at = Some(mark.at_ms);
            progress.reason = None;
            ("success", mark.at_ms, None)
        }
        Err(why) => {
            progress.status = PivotStatus::Error;
            progress.failed_at = Some(mark.at_ms);
            progress.reason = Some(reason(why));
            ("error", mark.at_ms, Some(why.as_str()))
        }
    });
    transitions
}
