//! Accepting changes: credential, pivots and audit rows in one transaction, whatever the number of changes.

use std::collections::{BTreeMap, BTreeSet};

use hmac_propagation::management::{Accepted, ManagementError, ResyncRow, Rotation, Upsert};
use hmac_propagation::peer_store::CredentialKey;
use serde_json::json;

use crate::change::CredentialState;
use crate::database::{JsonRow, Session, Work};
use crate::error::SqlError;
use crate::rows::{CredentialRow, PivotRow, write_credential_key};
use crate::secrets::Vault;
use crate::statements::Statements;

type States = BTreeMap<CredentialKey, CredentialState>;

/// Ensures and revokes; each is accepted or refused by itself, in order.
pub(crate) struct Upserts<'a> {
    pub(crate) upserts: &'a [Upsert],
    pub(crate) vault: &'a Vault,
}

impl Work for Upserts<'_> {
    type Output = Vec<Result<Accepted, ManagementError>>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let mut states = load(session, self.upserts.iter().map(|upsert| &upsert.key)).await?;
        let known = self.known_targets(session, &states).await?;
        let mut results = Vec::with_capacity(self.upserts.len());
        for upsert in self.upserts {
            let state = states
                .entry(upsert.key.clone())
                .or_insert_with(|| CredentialState::new(upsert.key.clone()));
            results.push(match state.upsert(upsert, &known, self.vault) {
                Ok(accepted) => Ok(accepted),
                Err(SqlError::Refused(refused)) => Err(*refused),
                Err(error) => return Err(error),
            });
        }
        store(session, &states).await?;
        Ok(results)
    }
}

impl Upserts<'_> {
    /// The named targets that are in the inventory. One that has a pivot is there, for a foreign key holds it.
    async fn known_targets(
        &self,
        session: &mut Session,
        states: &States,
    ) -> Result<BTreeSet<String>, SqlError> {
        let mut asked = BTreeSet::new();
        for upsert in self.upserts {
            let booked = states.get(&upsert.key).map(|state| &state.pivots);
            for target in &upsert.targets {
                if !booked.is_some_and(|pivots| pivots.contains_key(target.as_str())) {
                    asked.insert(target.as_str());
                }
            }
        }
        let names: Vec<JsonRow> = asked.into_iter().map(|name| vec![json!(name)]).collect();
        let sql = &Statements::of(session.dialect()).targets;
        let mut known = BTreeSet::new();
        for row in session.fetch_bulk(sql, &names).await? {
            known.insert(row.required_text(0, "hmac_propagation_target")?);
        }
        Ok(known)
    }
}

/// One rotation.
pub(crate) struct Rotate<'a> {
    pub(crate) rotation: &'a Rotation,
    pub(crate) vault: &'a Vault,
}

impl Work for Rotate<'_> {
    type Output = Accepted;

    async fn run(&self, session: &mut Session) -> Result<Accepted, SqlError> {
        let key = &self.rotation.key;
        let mut states = load(session, std::iter::once(key)).await?;
        let state = states
            .entry(key.clone())
            .or_insert_with(|| CredentialState::new(key.clone()));
        let accepted = state.rotate(self.rotation, self.vault)?;
        store(session, &states).await?;
        Ok(accepted)
    }
}

/// Makes rows pending again.
pub(crate) struct Rebook<'a> {
    pub(crate) rows: &'a [ResyncRow],
    pub(crate) now_ms: i64,
}

impl Work for Rebook<'_> {
    type Output = ();

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let mut states = load(session, self.rows.iter().map(|row| &row.key)).await?;
        let mut named: BTreeMap<&CredentialKey, Vec<(&str, u64)>> = BTreeMap::new();
        for row in self.rows {
            let targets = named.entry(&row.key).or_default();
            targets.push((&row.target, row.generation));
        }
        for (key, targets) in named {
            if let Some(state) = states.get_mut(key) {
                state.rebook(&targets, self.now_ms);
            }
        }
        store(session, &states).await
    }
}

/// Reads and locks credentials, then their pivots, in the order of their keys.
async fn load(
    session: &mut Session,
    keys: impl Iterator<Item = &CredentialKey>,
) -> Result<States, SqlError> {
    let statements = Statements::of(session.dialect());
    let keys: BTreeSet<&CredentialKey> = keys.collect();
    let asked: Vec<JsonRow> = keys.iter().map(|key| write_credential_key(key)).collect();
    let mut states = States::new();
    for row in session
        .fetch_bulk(&statements.lock_credentials, &asked)
        .await?
    {
        let row = CredentialRow::read(&row)?;
        let mut state = CredentialState::new(row.key.clone());
        state.load_credential(row);
        states.insert(state.key().clone(), state);
    }
    let stored: Vec<JsonRow> = states.keys().map(write_credential_key).collect();
    for row in session
        .fetch_bulk(&statements.lock_credential_pivots, &stored)
        .await?
    {
        let row = PivotRow::read(&row)?;
        if let Some(state) = states.get_mut(&row.key) {
            state.load_pivot(row);
        }
    }
    Ok(states)
}

/// Writes what changed: parents before children.
async fn store(session: &mut Session, states: &States) -> Result<(), SqlError> {
    let statements = Statements::of(session.dialect());
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    let (mut new_pivots, mut changed_pivots, mut audit) = (Vec::new(), Vec::new(), Vec::new());
    for state in states.values() {
        if let Some(credential) = state.credential.as_ref().filter(|_| state.changed) {
            let rows = if state.stored { &mut changed } else { &mut new };
            rows.push(credential.write());
        }
        for pivot in state.pivots.values().filter(|pivot| pivot.changed) {
            let rows = if pivot.stored {
                &mut changed_pivots
            } else {
                &mut new_pivots
            };
            rows.push(pivot.row.write());
        }
        audit.extend(state.audit.iter().cloned());
    }
    session
        .execute_bulk(&statements.insert_credentials, &new)
        .await?;
    session
        .execute_bulk(&statements.update_credentials, &changed)
        .await?;
    session
        .execute_bulk(&statements.insert_pivots, &new_pivots)
        .await?;
    session
        .execute_bulk(&statements.update_pivots, &changed_pivots)
        .await?;
    session.execute_bulk(&statements.insert_audit, &audit).await
}
