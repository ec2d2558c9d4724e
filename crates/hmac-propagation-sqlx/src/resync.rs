//! What may have to be sent, or applied here, once more.

use hmac_propagation::management::{LocalChange, ResyncQuery, ResyncRow, ResyncScope};
use hmac_propagation::peer_store::CredentialKey;
use serde_json::json;

use crate::database::{JsonRow, Mode, Session, Value, Work};
use crate::error::SqlError;
use crate::rows::{CredentialRow, read_key, write_credential_key};
use crate::secrets::Vault;
use crate::statements::Statements;

const PIVOT: &str = "hmac_credential_target";

/// One page of rows to send again.
pub(crate) struct ResyncPage<'a>(pub(crate) &'a ResyncQuery);

impl Work for ResyncPage<'_> {
    type Output = Vec<ResyncRow>;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let statements = Statements::of(session.dialect());
        let (sql, mut values) = match &self.0.scope {
            ResyncScope::Target(target) => (
                &statements.resync_target,
                vec![Value::Text(target.as_str())],
            ),
            ResyncScope::Credential(key) => (
                &statements.resync_credential,
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
            let change_ts = row.required_int(4, PIVOT)?;
            page.push(ResyncRow {
                key: read_key(&row, PIVOT)?,
                target: row.required_text(2, PIVOT)?,
                generation: u64::try_from(row.required_int(3, PIVOT)?).unwrap_or_default(),
                last_ts: row.int(5)?.map_or(change_ts, |sent| sent.max(change_ts)),
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
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let limit = Value::Int(i64::try_from(self.limit).unwrap_or(i64::MAX));
        let sql = &Statements::of(session.dialect()).unapplied;
        let mut changes = Vec::new();
        for row in session.fetch(sql, &[limit]).await? {
            let credential = CredentialRow::read(&row)?;
            match credential.record(self.vault) {
                Ok(record) => changes.push(LocalChange {
                    generation: u64::try_from(credential.generation).unwrap_or_default(),
                    change_ts: credential.change_ts,
                    record,
                    key: credential.key,
                }),
                // It must not keep the others from being applied.
                Err(error) => {
                    tracing::warn!(client_id = %credential.key.client_id, %error, "a credential cannot be applied here");
                }
            }
        }
        Ok(changes)
    }
}

/// Credentials that have come everywhere and still have their plain.
pub(crate) struct Uncleared(pub(crate) usize);

impl Work for Uncleared {
    type Output = Vec<CredentialKey>;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let limit = Value::Int(i64::try_from(self.0).unwrap_or(i64::MAX));
        let rows = session
            .fetch(&Statements::of(session.dialect()).uncleared, &[limit])
            .await?;
        rows.iter()
            .map(|row| read_key(row, "hmac_credential"))
            .collect()
    }
}

/// Books that this peer holds changes.
pub(crate) struct AppliedLocally<'a>(pub(crate) &'a [(CredentialKey, u64)]);

impl Work for AppliedLocally<'_> {
    type Output = ();

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
