//! What is settled, to be compared with what is really there, and opened again where it is not.

use hmac_propagation::management::{Operation, Reopening, SettledQuery, SettledRow, SettledScope};
use hmac_propagation::peer_store::CredentialKey;

use crate::database::{JsonRow, Mode, Row, Session, Value, Work};
use crate::error::SqlError;
use crate::marks::Pivots;
use crate::rows::{CredentialRow, PivotRow, PivotStatus, describe, reason, write_pivot_key};
use crate::secrets::Vault;
use crate::statements::Statements;

/// The settled rows of one target.
pub(crate) struct SettledPivots<'a> {
    pub(crate) query: &'a SettledQuery,
    pub(crate) vault: &'a Vault,
}

impl Work for SettledPivots<'_> {
    type Output = Vec<SettledRow>;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let statements = Statements::of(session.dialect());
        let target = self.query.target.as_str();
        let mut rows = match &self.query.scope {
            SettledScope::Page { after, limit } => {
                let scope = [Value::Text(target)];
                page(
                    session,
                    &statements.settled_page,
                    &scope,
                    after.as_ref(),
                    *limit,
                    |row| self.row(row),
                )
                .await?
            }
            SettledScope::Named(keys) => {
                let keys: Vec<JsonRow> = keys
                    .iter()
                    .map(|key| write_pivot_key(key, target))
                    .collect();
                readable(
                    &session
                        .fetch_bulk(&statements.settled_pivots, &keys)
                        .await?,
                    |row| self.row(row),
                )
            }
        };
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(rows)
    }
}

impl SettledPivots<'_> {
    fn row(&self, row: &Row) -> Result<SettledRow, SqlError> {
        let largest = row
            .int(PivotRow::COLUMNS)?
            .max(row.int(PivotRow::COLUMNS + 1)?);
        let pivot = PivotRow::read(row)?;
        let wanted = match (pivot.operation, pivot.record(self.vault)) {
            (None, _) => Err("the row's operation is unknown".to_owned()),
            (Some(Operation::Delete), _) => Ok(None),
            (Some(_), Ok(Some(record))) => Ok(Some(record)),
            (Some(_), Ok(None)) => Err("the row has no secret hash".to_owned()),
            (Some(_), Err(error)) => Err(describe(&error)),
        };
        let progress = pivot.progress;
        let sent_ts = progress.last_ts.unwrap_or(progress.change_ts);
        Ok(SettledRow {
            key: pivot.key,
            generation: u64::try_from(progress.generation).unwrap_or_default(),
            wanted,
            change_ts: progress.change_ts,
            sent_ts,
            event_id: progress.event_id,
            last_ts: largest.map_or(sent_ts, |largest| largest.max(sent_ts)),
        })
    }
}

/// What this peer's own store is booked to hold.
pub(crate) struct SettledCredentials<'a> {
    pub(crate) after: Option<&'a CredentialKey>,
    pub(crate) limit: usize,
    pub(crate) vault: &'a Vault,
}

impl Work for SettledCredentials<'_> {
    type Output = Vec<SettledRow>;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let sql = &Statements::of(session.dialect()).settled_credentials;
        page(session, sql, &[], self.after, self.limit, |row| {
            self.row(row)
        })
        .await
    }
}

impl SettledCredentials<'_> {
    fn row(&self, row: &Row) -> Result<SettledRow, SqlError> {
        let credential = CredentialRow::read(row)?;
        Ok(SettledRow {
            generation: u64::try_from(credential.generation).unwrap_or_default(),
            wanted: credential
                .record(self.vault)
                .map_err(|error| describe(&error)),
            change_ts: credential.change_ts,
            sent_ts: credential.change_ts,
            event_id: None,
            last_ts: credential.change_ts,
            key: credential.key,
        })
    }
}

/// Makes settled rows pending again.
pub(crate) struct Reopen<'a> {
    pub(crate) rows: &'a [Reopening],
    pub(crate) now_ms: i64,
}

impl Work for Reopen<'_> {
    type Output = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        let keys = self.rows.iter().map(|row| (&row.key, row.target.as_str()));
        let mut pivots = Pivots::lock(session, keys).await?;
        let mut reopened = 0;
        for row in self.rows {
            pivots.change(&row.key, row.target.as_str(), |pivot| {
                let progress = &mut pivot.progress;
                let settled = u64::try_from(progress.generation) == Ok(row.generation)
                    && progress.status == PivotStatus::Success;
                if !settled {
                    return Vec::new();
                }
                reopened += 1;
                progress.status = PivotStatus::Pending;
                progress.reason = Some(reason(&row.reason));
                progress.event_id = None;
                progress.lease_until = None;
                progress.waiting_since = self.now_ms;
                vec![("reopened", self.now_ms, Some(row.reason.as_str()))]
            });
        }
        pivots.store(session).await?;
        Ok(reopened)
    }
}

/// Reads a page from after a credential on. A page of which nothing can be read is not the end: the next one that holds something
/// takes its place, so only the last is empty. Track and client are the first columns of every row.
async fn page(
    session: &mut Session,
    sql: &'static str,
    scope: &[Value<'_>],
    after: Option<&CredentialKey>,
    limit: usize,
    read: impl Fn(&Row) -> Result<SettledRow, SqlError>,
) -> Result<Vec<SettledRow>, SqlError> {
    let start = |key: &CredentialKey| {
        (
            key.track.as_str().to_owned(),
            key.client_id.as_str().to_owned(),
        )
    };
    let (mut track, mut client_id) = after.map(start).unwrap_or_default();
    loop {
        let mut values = scope.to_vec();
        values.extend([track.as_str(), &track, &client_id].map(Value::Text));
        values.push(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let found = session.fetch(sql, &values).await?;
        let rows = readable(&found, &read);
        match found.last() {
            Some(last) if rows.is_empty() => {
                (track, client_id) = (
                    last.text(0)?.unwrap_or_default(),
                    last.text(1)?.unwrap_or_default(),
                );
            }
            _ => return Ok(rows),
        }
    }
}

/// What cannot be read must not keep the others from being compared; whoever claims it reports it.
fn readable(found: &[Row], read: impl Fn(&Row) -> Result<SettledRow, SqlError>) -> Vec<SettledRow> {
    let mut rows = Vec::with_capacity(found.len());
    for row in found {
        match read(row) {
            Ok(row) => rows.push(row),
            Err(error) => tracing::debug!(%error, "a row cannot be read and is not compared"),
        }
    }
    rows
}
