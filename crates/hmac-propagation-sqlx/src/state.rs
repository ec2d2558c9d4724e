//! What an operator may see: pages of credentials and pivots, counts, and one credential's history. Never a secret.

use std::collections::BTreeMap;

use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::management::ManagementError;
use hmac_propagation::peer_store::{CredentialKey, Track};

use crate::database::{Mode, Session, Value, Work};
use crate::error::SqlError;
use crate::inventory::{ListTargets, Target};
use crate::rows::{CredentialRow, PivotRow, PivotStatus, write_credential_key};
use crate::secrets::Vault;
use crate::statements::Statements;

const AUDIT: &str = "hmac_credential_target_audit";
const COUNTS: &str = "SELECT status, COUNT(*) FROM hmac_credential_target GROUP BY status";
const HISTORY: &str = "SELECT id, at_ms, target_amqp_queue, transition, generation, attempt_count, event_id, ts, reason \
     FROM hmac_credential_target_audit WHERE track = ? AND client_id = ? AND id < ? ORDER BY id DESC LIMIT ?";
// Looks at the oldest rows only: they come in the order of time, but for clocks and commits that overtake each other.
const OLD_AUDIT: &str = "SELECT MAX(id) FROM (SELECT id, at_ms FROM hmac_credential_target_audit \
     ORDER BY id LIMIT ?) oldest WHERE at_ms < ?";
const PRUNE: &str = "DELETE FROM hmac_credential_target_audit WHERE id <= ? AND at_ms < ?";

/// A page of the state could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The cursor is not one that a page answered.
    #[error("invalid cursor")]
    InvalidCursor,
    /// The database.
    #[error(transparent)]
    Management(#[from] ManagementError),
}

/// One page of the state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatePage {
    /// Credentials in the order of (track, client id), revoked ones included.
    pub credentials: Vec<CredentialView>,
    /// The whole inventory.
    pub targets: Vec<Target>,
    /// The pivots of the page's credentials.
    pub pivots: Vec<PivotView>,
    /// Where to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A credential without its secrets. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "named as the columns, which docs/sql-schema.md explains"
)]
pub struct CredentialView {
    pub client_id: String,
    pub track: &'static str,
    /// Whether the plain secret is still there (encrypted): propagation has not succeeded everywhere yet.
    pub plain_present: bool,
    /// The first 8 characters; absent when revoked or unreadable.
    pub hash_prefix: Option<String>,
    pub allowed_ips: Vec<String>,
    pub expires_at: Option<i64>,
    pub revoked: bool,
    pub generation: i64,
    pub change_ts: i64,
    /// What this peer's own store is known to hold.
    pub local_generation: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A pivot without its secrets. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "named as the columns, which docs/sql-schema.md explains"
)]
pub struct PivotView {
    pub client_id: String,
    pub track: &'static str,
    pub target_amqp_queue: String,
    pub operation: Option<&'static str>,
    /// The first 8 characters; absent for a delete or when unreadable.
    pub hash_prefix: Option<String>,
    pub status: PivotStatus,
    pub attempt_count: i64,
    pub generation: i64,
    pub change_ts: i64,
    pub last_ts: Option<i64>,
    pub event_id: Option<String>,
    pub lease_until: Option<i64>,
    pub reason: Option<String>,
    pub sent_at: Option<i64>,
    pub applied_at: Option<i64>,
    pub failed_at: Option<i64>,
}

/// One transition of a credential or of one of its pivots.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "named as the columns, which docs/sql-schema.md explains"
)]
pub struct AuditEntry {
    pub id: i64,
    pub at_ms: i64,
    /// Absent: the credential itself.
    pub target_amqp_queue: Option<String>,
    pub transition: String,
    pub generation: i64,
    pub attempt_count: Option<i64>,
    pub event_id: Option<String>,
    pub ts: Option<i64>,
    pub reason: Option<String>,
}

/// How many pivots there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "named as the statuses")]
pub struct PivotCounts {
    pub pending: u64,
    pub sent: u64,
    pub success: u64,
    pub error: u64,
}

/// Reads a page.
pub(crate) struct ReadState<'a> {
    pub(crate) after: Option<(Track, String)>,
    pub(crate) limit: usize,
    pub(crate) vault: &'a Vault,
}

/// Reads some credentials and their pivots.
pub(crate) struct ReadCredentials<'a> {
    pub(crate) keys: &'a [CredentialKey],
    pub(crate) vault: &'a Vault,
}

impl Work for ReadCredentials<'_> {
    type Output = (Vec<CredentialView>, Vec<PivotView>);
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let statements = Statements::of(session.dialect());
        let keys: Vec<_> = self.keys.iter().map(write_credential_key).collect();
        let mut credentials = BTreeMap::new();
        for row in session.fetch_bulk(&statements.credentials, &keys).await? {
            let row = CredentialRow::read(&row)?;
            credentials.insert(row.key.clone(), row);
        }
        let mut pivots = BTreeMap::new();
        for row in session
            .fetch_bulk(&statements.credential_pivots, &keys)
            .await?
        {
            let row = PivotRow::read(&row)?;
            pivots.insert((row.key.clone(), row.target.clone()), row);
        }
        Ok((
            credentials
                .values()
                .map(|row| credential_view(row, self.vault))
                .collect(),
            pivots
                .values()
                .map(|row| pivot_view(row, self.vault))
                .collect(),
        ))
    }
}

/// Reads `track/client`, the cursor of a page.
pub(crate) fn parse_cursor(cursor: &str) -> Result<(Track, String), StateError> {
    let (track, client_id) = cursor.split_once('/').ok_or(StateError::InvalidCursor)?;
    let track = Track::parse(track).ok_or(StateError::InvalidCursor)?;
    Ok((track, client_id.to_owned()))
}

impl Work for ReadState<'_> {
    type Output = StatePage;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<StatePage, SqlError> {
        let statements = Statements::of(session.dialect());
        let (track, client_id) = match &self.after {
            Some((track, client_id)) => (track.as_str(), client_id.as_str()),
            None => ("", ""),
        };
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let values = [
            Value::Text(track),
            Value::Text(track),
            Value::Text(client_id),
            Value::Int(limit),
        ];
        let mut credentials = Vec::new();
        for row in session.fetch(&statements.credential_page, &values).await? {
            credentials.push(CredentialRow::read(&row)?);
        }
        let keys: Vec<_> = credentials
            .iter()
            .map(|row| write_credential_key(&row.key))
            .collect();
        let mut pivots = BTreeMap::new();
        for row in session
            .fetch_bulk(&statements.credential_pivots, &keys)
            .await?
        {
            let row = PivotRow::read(&row)?;
            pivots.insert((row.key.clone(), row.target.clone()), row);
        }
        let next = credentials
            .last()
            .filter(|_| credentials.len() >= self.limit)
            .map(|row| format!("{}/{}", row.key.track.as_str(), row.key.client_id));
        Ok(StatePage {
            credentials: credentials
                .iter()
                .map(|row| credential_view(row, self.vault))
                .collect(),
            targets: ListTargets.run(session).await?,
            pivots: pivots
                .values()
                .map(|row| pivot_view(row, self.vault))
                .collect(),
            next,
        })
    }
}

fn credential_view(row: &CredentialRow, vault: &Vault) -> CredentialView {
    CredentialView {
        client_id: row.key.client_id.as_str().to_owned(),
        track: row.key.track.as_str(),
        plain_present: row.plain_secret.is_some(),
        hash_prefix: prefix(row.record(vault).map(|r| r.map(|r| r.secret_hash))),
        allowed_ips: row.allowed_ips.stored_entries().to_vec(),
        expires_at: row.expires_at,
        revoked: row.revoked,
        generation: row.generation,
        change_ts: row.change_ts,
        local_generation: row.local_generation,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn pivot_view(row: &PivotRow, vault: &Vault) -> PivotView {
    let progress = &row.progress;
    PivotView {
        client_id: row.key.client_id.as_str().to_owned(),
        track: row.key.track.as_str(),
        target_amqp_queue: row.target.clone(),
        operation: row.operation.map(|operation| operation.as_str()),
        hash_prefix: prefix(row.record(vault).map(|r| r.map(|r| r.secret_hash))),
        status: progress.status,
        attempt_count: progress.attempt_count,
        generation: progress.generation,
        change_ts: progress.change_ts,
        last_ts: progress.last_ts,
        event_id: progress.event_id.clone(),
        lease_until: progress.lease_until,
        reason: progress.reason.clone(),
        sent_at: progress.sent_at,
        applied_at: progress.applied_at,
        failed_at: progress.failed_at,
    }
}

fn prefix(hash: Result<Option<SecretHash>, SqlError>) -> Option<String> {
    hash.ok().flatten().map(|hash| hash.prefix().to_owned())
}

/// Counts pivots.
pub(crate) struct CountPivots;

impl Work for CountPivots {
    type Output = PivotCounts;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<PivotCounts, SqlError> {
        let mut counts = PivotCounts::default();
        for row in session.fetch(COUNTS, &[]).await? {
            let count =
                u64::try_from(row.required_int(1, "hmac_credential_target")?).unwrap_or_default();
            match PivotStatus::parse(&row.required_text(0, "hmac_credential_target")?)? {
                PivotStatus::Pending => counts.pending = count,
                PivotStatus::Sent => counts.sent = count,
                PivotStatus::Success => counts.success = count,
                PivotStatus::Error => counts.error = count,
            }
        }
        Ok(counts)
    }
}

/// The hash of a live credential.
pub(crate) struct ReadHash<'a> {
    pub(crate) key: &'a CredentialKey,
    pub(crate) vault: &'a Vault,
}

impl Work for ReadHash<'_> {
    type Output = Option<SecretHash>;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let values = [
            Value::Text(self.key.track.as_str()),
            Value::Text(self.key.client_id.as_str()),
        ];
        let rows = session
            .fetch(&Statements::of(session.dialect()).credential, &values)
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let record = CredentialRow::read(row)?.record(self.vault)?;
        Ok(record.map(|record| record.secret_hash))
    }
}

/// The newest transitions of a credential before a given one.
pub(crate) struct ReadHistory<'a> {
    pub(crate) key: &'a CredentialKey,
    pub(crate) before: Option<i64>,
    pub(crate) limit: usize,
}

impl Work for ReadHistory<'_> {
    type Output = Vec<AuditEntry>;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let values = [
            Value::Text(self.key.track.as_str()),
            Value::Text(self.key.client_id.as_str()),
            Value::Int(self.before.unwrap_or(i64::MAX)),
            Value::Int(i64::try_from(self.limit).unwrap_or(i64::MAX)),
        ];
        let mut entries = Vec::new();
        for row in session.fetch(HISTORY, &values).await? {
            entries.push(AuditEntry {
                id: row.required_int(0, AUDIT)?,
                at_ms: row.required_int(1, AUDIT)?,
                target_amqp_queue: row.text(2)?,
                transition: row.required_text(3, AUDIT)?,
                generation: row.required_int(4, AUDIT)?,
                attempt_count: row.int(5)?,
                event_id: row.text(6)?,
                ts: row.int(7)?,
                reason: row.text(8)?,
            });
        }
        Ok(entries)
    }
}

/// Deletes old transitions.
pub(crate) struct PruneAudit {
    pub(crate) before_ms: i64,
    pub(crate) limit: usize,
}

impl Work for PruneAudit {
    type Output = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let before = Value::Int(self.before_ms);
        let limit = Value::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let rows = session.fetch(OLD_AUDIT, &[limit, before]).await?;
        match rows.first().map(|row| row.int(0)).transpose()?.flatten() {
            Some(last) => session.execute(PRUNE, &[Value::Int(last), before]).await,
            None => Ok(0),
        }
    }
}
