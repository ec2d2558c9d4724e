//! What an operator may see: pages of credentials and deliveries, counts, and one credential's history. Never a secret.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::delivery::DeliveryStatus;
use hmac_propagation::management::{DesiredRecord, ManagementError, Operation};
use hmac_propagation::peer_store::{CredentialKey, Track};

use crate::database::{Bulks, JsonRow, Mode, Session, Value, Work};
use crate::error::SqlError;
use crate::inventory::{ListTargets, Target};
use crate::rows::{CredentialRow, DeliveryRow, write_credential_key};
use crate::secrets::Vault;
use crate::statements::{CREDENTIALS, DELIVERIES, Statements, credential_columns, page};

static CREDENTIAL_PAGE: LazyLock<String> =
    LazyLock::new(|| page(&credential_columns("t"), CREDENTIALS, ""));
static ONE_CREDENTIAL: LazyLock<String> = LazyLock::new(|| {
    let credential = credential_columns("t");
    format!("SELECT {credential} FROM {CREDENTIALS} t WHERE t.track = ? AND t.client_id = ?")
});

const AUDIT: &str = "hmac_credential_target_audit";
const COUNTS: &str = "SELECT status, COUNT(*) FROM hmac_credential_target GROUP BY status";
const HISTORY: &str = "SELECT id, at_ms, target_amqp_queue, transition, generation, attempt_count, event_id, ts, reason, actor, request_id \
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
    /// The deliveries of the page's credentials.
    #[serde(rename = "pivots")]
    pub deliveries: Vec<DeliveryView>,
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

/// A delivery without its secrets. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    missing_docs,
    reason = "named as the columns, which docs/sql-schema.md explains"
)]
pub struct DeliveryView {
    pub client_id: String,
    pub track: &'static str,
    pub target_amqp_queue: String,
    pub operation: Option<&'static str>,
    /// The first 8 characters; absent for a delete or when unreadable.
    pub hash_prefix: Option<String>,
    pub status: DeliveryStatus,
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

/// One transition of a credential or of one of its deliveries.
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
    pub actor: Option<String>,
    pub request_id: Option<String>,
}

/// How many deliveries there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "named as the statuses")]
pub struct DeliveryCounts {
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

/// Reads some credentials and their deliveries.
pub(crate) struct ReadCredentials<'a> {
    pub(crate) keys: &'a [CredentialKey],
    pub(crate) vault: &'a Vault,
}

impl Work for ReadCredentials<'_> {
    type Output = (Vec<CredentialView>, Vec<DeliveryView>);
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let statements = Statements::of(session.dialect());
        let keys: Vec<_> = self.keys.iter().map(write_credential_key).collect();
        let mut credentials = BTreeMap::new();
        for row in session.fetch_bulk(&statements.credentials, &keys).await? {
            let row = CredentialRow::read(&row)?;
            credentials.insert(row.key.clone(), credential_view(&row, self.vault));
        }
        let deliveries = read_deliveries(session, &keys, self.vault).await?;
        Ok((credentials.into_values().collect(), deliveries))
    }
}

/// The deliveries of credentials, in the order of (track, client id, target).
async fn read_deliveries(
    session: &mut Session,
    keys: &[JsonRow],
    vault: &Vault,
) -> Result<Vec<DeliveryView>, SqlError> {
    let sql = &Statements::of(session.dialect()).credential_deliveries;
    let mut deliveries = BTreeMap::new();
    for row in session.fetch_bulk(sql, keys).await? {
        let row = DeliveryRow::read(&row)?;
        let view = delivery_view(&row, vault);
        deliveries.insert((row.key, row.target), view);
    }
    Ok(deliveries.into_values().collect())
}

/// Reads `track/client`, the cursor of a page.
pub(crate) fn parse_cursor(cursor: &str) -> Result<(Track, String), StateError> {
    let (track, client_id) = cursor.split_once('/').ok_or(StateError::InvalidCursor)?;
    let track = Track::parse(track).ok_or(StateError::InvalidCursor)?;
    Ok((track, client_id.to_owned()))
}

impl Work for ReadState<'_> {
    type Output = StatePage;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<StatePage, SqlError> {
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
        for row in session.fetch(&CREDENTIAL_PAGE, &values).await? {
            credentials.push(CredentialRow::read(&row)?);
        }
        let keys: Vec<_> = credentials
            .iter()
            .map(|row| write_credential_key(&row.key))
            .collect();
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
            deliveries: read_deliveries(session, &keys, self.vault).await?,
            next,
        })
    }
}

fn credential_view(row: &CredentialRow, vault: &Vault) -> CredentialView {
    let credential = &row.credential;
    CredentialView {
        client_id: row.key.client_id.as_str().to_owned(),
        track: row.key.track.as_str(),
        hash_prefix: prefix(row.record(vault)),
        allowed_ips: credential.allowed_ips.stored_entries().to_vec(),
        expires_at: credential.expires_at,
        revoked: credential.revoked,
        generation: stored(credential.generation),
        change_ts: credential.change_ts,
        local_generation: stored(credential.local_generation),
        created_at: credential.created_at,
        updated_at: credential.updated_at,
    }
}

fn delivery_view(row: &DeliveryRow, vault: &Vault) -> DeliveryView {
    let delivery = &row.delivery;
    DeliveryView {
        client_id: row.key.client_id.as_str().to_owned(),
        track: row.key.track.as_str(),
        target_amqp_queue: row.target.clone(),
        operation: delivery.operation.map(Operation::as_str),
        hash_prefix: prefix(row.record(vault)),
        status: delivery.status,
        attempt_count: i64::from(delivery.attempts),
        generation: stored(delivery.generation),
        change_ts: delivery.change_ts,
        last_ts: delivery.last_ts,
        event_id: delivery.event_id.clone(),
        lease_until: delivery.lease_until,
        reason: delivery.reason.clone(),
        sent_at: delivery.sent_at,
        applied_at: delivery.applied_at,
        failed_at: delivery.failed_at,
    }
}

/// A count as the table has it.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn prefix(record: Result<Option<DesiredRecord>, SqlError>) -> Option<String> {
    let hash = record.ok().flatten()?.secret_hash;
    Some(hash.prefix().to_owned())
}

/// Counts deliveries.
pub(crate) struct CountDeliveries;

impl Work for CountDeliveries {
    type Output = DeliveryCounts;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<DeliveryCounts, SqlError> {
        let mut counts = DeliveryCounts::default();
        for row in session.fetch(COUNTS, &[]).await? {
            let count = row.count(1, DELIVERIES)?;
            match DeliveryStatus::parse(&row.text(0, DELIVERIES)?) {
                Some(DeliveryStatus::Pending) => counts.pending = count,
                Some(DeliveryStatus::Sent) => counts.sent = count,
                Some(DeliveryStatus::Success) => counts.success = count,
                Some(DeliveryStatus::Error) => counts.error = count,
                None => {
                    return Err(SqlError::corrupt(DELIVERIES, "unknown status"));
                }
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
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let values = [
            Value::Text(self.key.track.as_str()),
            Value::Text(self.key.client_id.as_str()),
        ];
        let rows = session.fetch(&ONE_CREDENTIAL, &values).await?;
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
    type Error = SqlError;
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
                id: row.int(0, AUDIT)?,
                at_ms: row.int(1, AUDIT)?,
                target_amqp_queue: row.optional_text(2)?,
                transition: row.text(3, AUDIT)?,
                generation: row.int(4, AUDIT)?,
                attempt_count: row.optional_int(5)?,
                event_id: row.optional_text(6)?,
                ts: row.optional_int(7)?,
                reason: row.optional_text(8)?,
                actor: row.optional_text(9)?,
                request_id: row.optional_text(10)?,
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
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let before = Value::Int(self.before_ms);
        let limit = Value::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let rows = session.fetch(OLD_AUDIT, &[limit, before]).await?;
        match rows
            .first()
            .map(|row| row.optional_int(0))
            .transpose()?
            .flatten()
        {
            Some(last) => Ok(session.execute(PRUNE, &[Value::Int(last), before]).await?),
            None => Ok(0),
        }
    }
}
