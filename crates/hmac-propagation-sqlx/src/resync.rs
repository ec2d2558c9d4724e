//! What may have to be sent, or applied here, once more.

use std::sync::LazyLock;

use hmac_propagation::management::{LocalChange, ResyncQuery, ResyncRow, ResyncScope};
use hmac_propagation::peer_store::CredentialKey;
use serde_json::json;

use crate::database::{Bulks, JsonRow, Mode, Session, Value, Work};
use crate::error::SqlError;
use crate::rows::{CredentialRow, read_key, write_credential_key};
use crate::secrets::Vault;
use crate::statements::{CREDENTIALS, DELIVERIES, LARGEST_USED, Statements, credential_columns};

static RESYNC_TARGET: LazyLock<String> = LazyLock::new(|| resync("t.target_amqp_queue = ?"));
static RESYNC_CREDENTIAL: LazyLock<String> =
    LazyLock::new(|| resync("t.track = ? AND t.client_id = ?"));
static UNAPPLIED: LazyLock<String> = LazyLock::new(|| {
    let credential = credential_columns("t");
    format!(
        "SELECT {credential} FROM {CREDENTIALS} t WHERE t.unapplied_since IS NOT NULL \
         ORDER BY t.unapplied_since LIMIT ?"
    )
});

/// `(track, client_id, target, generation, largest ts)` after a given row. Parameters: the scope, then the row before as
/// track, track, client, track, client, target, then the limit.
fn resync(scope: &str) -> String {
    format!(
        "SELECT t.track, t.client_id, t.target_amqp_queue, t.generation, c.change_ts, {LARGEST_USED} \
         FROM hmac_credential_target t \
         JOIN hmac_credential c ON c.track = t.track AND c.client_id = t.client_id \
         WHERE {scope} AND (t.track > ? OR (t.track = ? AND (t.client_id > ? \
           OR (t.client_id = ? AND t.target_amqp_queue > ?)))) \
         ORDER BY t.track, t.client_id, t.target_amqp_queue LIMIT ?"
    )
}

/// One page of rows to send again.
pub(crate) struct ResyncPage<'a>(pub(crate) &'a ResyncQuery);

impl Work for ResyncPage<'_> {
    type Output = Vec<ResyncRow>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let (sql, mut values) = match &self.0.scope {
            ResyncScope::Target(target) => (&RESYNC_TARGET, vec![Value::Text(target.as_str())]),
            ResyncScope::Credential(key) => (
                &RESYNC_CREDENTIAL,
                vec![
                    Value::Text(key.track.as_str()),
                    Value::Text(key.client_id.as_str()),
                ],
            ),
        };
        let (track, client_id, target) = match &self.0.after {
            Some((key, target)) => (key.track.as_str(), key.client_id.as_str(), target.as_str()),
            None => ("", "", ""),
        };
        values.extend([track, track, client_id, client_id, target].map(Value::Text));
        values.push(Value::Int(i64::try_from(self.0.limit).unwrap_or(i64::MAX)));
        let mut page = Vec::new();
        for row in session.fetch(sql, &values).await? {
            let change_ts = row.int(4, DELIVERIES)?;
            page.push(ResyncRow {
                key: read_key(&row, DELIVERIES)?,
                target: row.text(2, DELIVERIES)?,
                generation: row.count(3, DELIVERIES)?,
                last_ts: row
                    .optional_int(5)?
                    .map_or(change_ts, |used| used.max(change_ts)),
            });
        }
        Ok(page)
    }
}

/// Changes that this peer's own store may not hold yet, the oldest first.
pub(crate) struct Unapplied<'a> {
    pub(crate) limit: usize,
    pub(crate) vault: &'a Vault,
}

impl Work for Unapplied<'_> {
    type Output = Vec<LocalChange>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let limit = Value::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let mut changes = Vec::new();
        for row in session.fetch(&UNAPPLIED, &[limit]).await? {
            let row = CredentialRow::read(&row)?;
            match row.record(self.vault) {
                Ok(record) => changes.push(row.credential.local_change(row.key, record)),
                // It must not keep the others from being applied.
                Err(error) => {
                    tracing::warn!(client_id = %row.key.client_id, %error, "a credential cannot be applied here");
                }
            }
        }
        Ok(changes)
    }
}

/// Books that this peer holds changes.
pub(crate) struct AppliedLocally<'a>(pub(crate) &'a [(CredentialKey, u64)]);

impl Work for AppliedLocally<'_> {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let mut applied: Vec<_> = self.0.iter().collect();
        // The largest generation of a key first, so that a repeated key cannot end on an older one.
        applied.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        applied.dedup_by(|a, b| a.0 == b.0);
        let rows: Vec<JsonRow> = applied
            .into_iter()
            .map(|(key, generation)| {
                let mut row = write_credential_key(key);
                row.push(json!(generation));
                row
            })
            .collect();
        let sql = &Statements::of(session.dialect()).applied_locally;
        session.execute_bulk(sql, &rows).await
    }
}
