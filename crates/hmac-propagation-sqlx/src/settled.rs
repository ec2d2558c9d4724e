//! What is settled, to be compared with what is really there.

use std::sync::LazyLock;

use hmac_propagation::management::{SettledQuery, SettledRow, SettledScope};
use hmac_propagation::peer_store::CredentialKey;

use crate::database::{Bulks, JsonRow, Mode, Row, Session, Value, Work};
use crate::error::SqlError;
use crate::rows::{CredentialRow, DeliveryRow, describe, write_delivery_key};
use crate::secrets::Vault;
use crate::statements;
use crate::statements::{
    ACCEPTED, CREDENTIALS, DELIVERIES, LARGEST_USED, Statements, credential_columns,
    delivery_columns, is_done,
};

static DELIVERY_PAGE: LazyLock<String> = LazyLock::new(|| {
    let what = format!("{}, {ACCEPTED}, {LARGEST_USED}", delivery_columns("t"));
    let condition = format!("t.target_amqp_queue = ? AND {} AND ", is_done("t"));
    statements::page(&what, DELIVERIES, &condition)
});
static CREDENTIAL_PAGE: LazyLock<String> = LazyLock::new(|| {
    let condition = "t.unapplied_since IS NULL AND ";
    statements::page(&credential_columns("t"), CREDENTIALS, condition)
});

/// The settled deliveries of one target.
pub(crate) struct SettledDeliveries<'a> {
    pub(crate) query: &'a SettledQuery,
    pub(crate) vault: &'a Vault,
}

impl Work for SettledDeliveries<'_> {
    type Output = Vec<SettledRow>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let target = self.query.target.as_str();
        let mut rows = match &self.query.scope {
            SettledScope::Page { after, limit } => {
                let scope = [Value::Text(target)];
                page(
                    session,
                    &DELIVERY_PAGE,
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
                    .map(|key| write_delivery_key(key, target))
                    .collect();
                readable(
                    &session
                        .fetch_bulk(&Statements::of(session.dialect()).settled_deliveries, &keys)
                        .await?,
                    |row| self.row(row),
                )
            }
        };
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(rows)
    }
}

impl SettledDeliveries<'_> {
    fn row(&self, row: &Row) -> Result<SettledRow, SqlError> {
        let accepted = row.optional_int(DeliveryRow::COLUMNS)?;
        let sent = row.optional_int(DeliveryRow::COLUMNS + 1)?;
        let row = DeliveryRow::read(row)?;
        let largest_ts = accepted.max(sent).unwrap_or_else(|| row.delivery.sent_ts());
        let record = || row.record_or_reason(self.vault);
        Ok(row.delivery.settled(row.key.clone(), largest_ts, record))
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
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        page(
            session,
            &CREDENTIAL_PAGE,
            &[],
            self.after,
            self.limit,
            |row| self.row(row),
        )
        .await
    }
}

impl SettledCredentials<'_> {
    fn row(&self, row: &Row) -> Result<SettledRow, SqlError> {
        let row = CredentialRow::read(row)?;
        let wanted = row.record(self.vault).map_err(|error| describe(&error));
        Ok(row.credential.settled(row.key, wanted))
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
                    last.optional_text(0)?.unwrap_or_default(),
                    last.optional_text(1)?.unwrap_or_default(),
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
