//! Claiming deliveries to send.
//!
//! A claimed delivery is `pending` under a lease; the claim's event id tells which mark belongs to it. Several claimers at
//! once pass over each other's rows: on MariaDB by `SKIP LOCKED`, on SQLite because there is one writer.

use std::collections::BTreeMap;

use auth_base::secret::Secret;
use hmac_propagation::delivery::ClaimWindow;
use hmac_propagation::management::{PendingPropagation, PendingQuery};
use serde_json::json;

use crate::database::{Bulks, JsonRow, Row, Session, Value, Work};
use crate::error::SqlError;
use crate::rows::{DeliveryRow, read_delivery, write_progress};
use crate::secrets::{Place, Vault};
use crate::statements::{DELIVERIES, Statements};

/// One claim.
pub(crate) struct Claim<'a> {
    pub(crate) query: &'a PendingQuery,
    pub(crate) vault: &'a Vault,
}

/// What a claim found, the longest waiting first.
#[derive(Default)]
struct Found {
    rows: Vec<DeliveryRow>,
    /// The sealed propagation secret of each target of `rows` that is in the inventory.
    sealed: BTreeMap<String, String>,
    /// Rows that cannot be read, as they are written.
    set_aside: Vec<JsonRow>,
    /// The database's clock.
    now_ms: i64,
}

/// The propagation secret of each target, or why it cannot be read.
type TargetSecrets = BTreeMap<String, Result<Secret, String>>;

impl Work for Claim<'_> {
    type Output = Vec<PendingPropagation>;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let found = self.candidates(session).await?;
        let secrets = self.open_secrets(found.sealed);
        let mut claimed = Vec::with_capacity(found.rows.len());
        let (mut written, mut audit) = (found.set_aside, Vec::new());
        for (mut row, random) in found.rows.into_iter().zip(&self.query.randoms) {
            let secret = secrets.get(&row.target).cloned();
            let record = || row.record_or_reason(self.vault);
            let message = row.delivery.message(&row.target, secret, record);
            let slot = (&row.key, row.target.as_str());
            let claim =
                row.delivery
                    .clone()
                    .claim(slot, self.query, found.now_ms, *random, message);
            row.delivery = claim.delivery;
            audit.extend(claim.step.map(|step| row.audit(&step, &self.query.origin)));
            written.push(row.write_progress());
            claimed.push(claim.row);
        }
        let statements = Statements::of(session.dialect());
        session
            .execute_bulk(&statements.update_delivery_progress, &written)
            .await?;
        session
            .execute_bulk(&statements.insert_audit, &audit)
            .await?;
        Ok(claimed)
    }
}

impl Claim<'_> {
    /// Locks the deliveries that are due.
    async fn candidates(&self, session: &mut Session) -> Result<Found, SqlError> {
        let query = self.query;
        let limit = query.limit.min(query.randoms.len());
        let mut found = Found::default();
        if limit == 0 {
            return Ok(found);
        }
        let (window, statements) = (ClaimWindow::of(query), Statements::of(session.dialect()));
        let rows_at_most = Value::Int(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut rows = Vec::new();
        for sql in &statements.claim_at_once {
            let values = [Value::Int(window.longest_lease_ms), rows_at_most];
            rows.extend(session.fetch(sql, &values).await?);
        }
        let bounds = [window.latest, window.resend_bound].map(Value::Int);
        for sql in statements.claim_overdue.iter().filter(|_| window.overdue) {
            let values = [bounds[0], bounds[1], rows_at_most];
            rows.extend(session.fetch(sql, &values).await?);
        }
        for row in &rows {
            found.add(row, &window)?;
        }
        let place = |row: &DeliveryRow| {
            (
                row.delivery.waiting_since,
                row.key.clone(),
                row.target.clone(),
            )
        };
        found.rows.sort_by_cached_key(place);
        found.rows.truncate(limit);
        Ok(found)
    }

    /// Opens the secret of each distinct target once.
    fn open_secrets(&self, sealed: BTreeMap<String, String>) -> TargetSecrets {
        let open = |(name, sealed): (String, String)| {
            let secret = self
                .vault
                .open(&Place::propagation_secret(&name), &sealed)
                .map(|plain| Secret::new(plain.as_str()))
                .map_err(|error| {
                    format!("the target's propagation secret cannot be read: {error}")
                });
            (name, secret)
        };
        sealed.into_iter().map(open).collect()
    }
}

impl Found {
    fn add(&mut self, found: &Row, window: &ClaimWindow) -> Result<(), SqlError> {
        self.now_ms = found.int(DeliveryRow::COLUMNS + 1, DELIVERIES)?;
        let row = match DeliveryRow::read(found) {
            Ok(row) if row.delivery.is_due(window, self.now_ms) => row,
            Ok(_) => return Ok(()),
            Err(error) => return self.set_aside(found, window, &error),
        };
        if !self.sealed.contains_key(&row.target)
            && let Some(secret) = found.optional_text(DeliveryRow::COLUMNS)?
        {
            self.sealed.insert(row.target.clone(), secret);
        }
        self.rows.push(row);
        Ok(())
    }

    /// A row whose very key makes no sense: nobody can be told of it but by the log.
    fn set_aside(
        &mut self,
        found: &Row,
        window: &ClaimWindow,
        error: &SqlError,
    ) -> Result<(), SqlError> {
        let key = [0, 1, 2].map(|column| found.text(column, DELIVERIES));
        let [track, client_id, target] = key;
        let (track, client_id, target) = (track?, client_id?, target?);
        tracing::warn!(track, client_id, target_amqp_queue = target, %error, "a row cannot be read and is set aside");
        let delivery = read_delivery(found)?.unsendable(window.now_ms, "the row cannot be read");
        let mut row = vec![json!(track), json!(client_id), json!(target)];
        row.extend(write_progress(&delivery));
        self.set_aside.push(row);
        Ok(())
    }
}
