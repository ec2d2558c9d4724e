//! Claiming rows to send.
//!
//! A claimed row is `pending` under a lease; the claim's event id tells which mark belongs to it. Several claimers at once
//! pass over each other's rows: on MariaDB by `SKIP LOCKED`, on SQLite because there is one writer.

use std::collections::BTreeMap;

use auth_base::secret::Secret;
use hmac_propagation::management::{Operation, PendingMessage, PendingPropagation, PendingQuery};
use hmac_propagation::queue::PeerName;

use crate::database::{Row, Session, Value, Work};
use crate::error::SqlError;
use crate::rows::{PivotRow, PivotStatus, describe, reason};
use crate::secrets::{Place, Vault};
use crate::statements::Statements;

const SET_ASIDE: &str = "UPDATE hmac_credential_target SET status = 'error', waiting_since = ?, failed_at = ?, reason = ? \
     WHERE track = ? AND client_id = ? AND target_amqp_queue = ?";

/// One claim.
pub(crate) struct Claim<'a> {
    pub(crate) query: &'a PendingQuery,
    pub(crate) vault: &'a Vault,
}

/// The sealed propagation secret of each target of a page that is in the inventory.
type SealedSecrets = BTreeMap<String, String>;

/// The propagation secret of each of them, or why it cannot be read.
type TargetSecrets = BTreeMap<String, Result<Secret, String>>;

impl Work for Claim<'_> {
    type Output = Vec<PendingPropagation>;

    async fn run(&self, session: &mut Session) -> Result<Self::Output, SqlError> {
        let (mut rows, sealed) = self.candidates(session).await?;
        let secrets = self.open_secrets(sealed);
        let mut claimed = Vec::with_capacity(rows.len());
        let (mut written, mut audit) = (Vec::new(), Vec::new());
        for (row, event_id) in rows.iter_mut().zip(&self.query.event_ids) {
            let message = self.message(row, &secrets);
            let before = row.progress.status;
            let transition = self.claim(row, event_id, message.as_ref().err());
            // A first try leaves its trace when it is sent.
            if row.progress.status != before {
                let why = message.as_ref().err().map(String::as_str);
                audit.push(row.audit(transition, self.query.now_ms, why));
            }
            written.push(row.write_progress());
            claimed.push(PendingPropagation {
                key: row.key.clone(),
                target: row.target.clone(),
                generation: u64::try_from(row.progress.generation).unwrap_or_default(),
                attempt: u32::try_from(row.progress.attempt_count).unwrap_or(u32::MAX),
                event_id: event_id.clone(),
                ts: row.progress.last_ts.unwrap_or(row.progress.change_ts),
                message,
            });
        }
        let statements = Statements::of(session.dialect());
        session
            .execute_bulk(&statements.update_pivot_progress, &written)
            .await?;
        session
            .execute_bulk(&statements.insert_audit, &audit)
            .await?;
        Ok(claimed)
    }
}

impl Claim<'_> {
    /// Locks the rows that may be sent, the longest waiting first.
    async fn candidates(
        &self,
        session: &mut Session,
    ) -> Result<(Vec<PivotRow>, SealedSecrets), SqlError> {
        let query = self.query;
        let limit = i64::try_from(query.limit.min(query.event_ids.len())).unwrap_or(i64::MAX);
        if limit == 0 {
            return Ok(Default::default());
        }
        let statements = Statements::of(session.dialect());
        // A time that lies further ahead than any honest one was written before the clock was set back.
        let lease_bound = query
            .now_ms
            .saturating_add(query.lease_ms.saturating_mul(2));
        let latest = query.now_ms.saturating_sub(query.resend_after_ms);
        let resend_bound = query
            .now_ms
            .saturating_add(query.resend_after_ms.max(query.lease_ms));
        let (pending, overdue) = (
            [
                Value::Int(query.now_ms),
                Value::Int(lease_bound),
                Value::Int(limit),
            ],
            [
                Value::Int(latest),
                Value::Int(resend_bound),
                Value::Int(limit),
            ],
        );
        let mut found = session.fetch(&statements.claim_pending, &pending).await?;
        if query.overdue {
            found.extend(session.fetch(&statements.claim_sent, &overdue).await?);
            found.extend(session.fetch(&statements.claim_failed, &overdue).await?);
        }
        let mut rows = Vec::with_capacity(found.len());
        let mut sealed = SealedSecrets::new();
        for found in found {
            match PivotRow::read(&found) {
                Ok(row) => {
                    if !sealed.contains_key(&row.target)
                        && let Some(secret) = found.text(PivotRow::COLUMNS)?
                    {
                        sealed.insert(row.target.clone(), secret);
                    }
                    rows.push(row);
                }
                Err(error) => self.set_aside(session, &found, &error).await?,
            }
        }
        rows.sort_by(|a, b| {
            let (a, b) = ((a.progress.waiting_since, a), (b.progress.waiting_since, b));
            a.0.cmp(&b.0)
                .then_with(|| (&a.1.key, &a.1.target).cmp(&(&b.1.key, &b.1.target)))
        });
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok((rows, sealed))
    }

    /// A row whose very key makes no sense: it is reported, and looked at again after `resend_after`.
    async fn set_aside(
        &self,
        session: &mut Session,
        row: &Row,
        error: &SqlError,
    ) -> Result<(), SqlError> {
        let key = (row.text(0)?, row.text(1)?, row.text(2)?);
        tracing::warn!(track = ?key.0, client_id = ?key.1, target_amqp_queue = ?key.2, %error, "a row cannot be read and is set aside");
        let values = [
            Value::Int(self.query.now_ms),
            Value::Int(self.query.now_ms),
            Value::Text("the row cannot be read"),
            Value::OptionalText(key.0.as_deref()),
            Value::OptionalText(key.1.as_deref()),
            Value::OptionalText(key.2.as_deref()),
        ];
        session.execute(SET_ASIDE, &values).await.map(|_| ())
    }

    /// Opens the secret of each distinct target once.
    fn open_secrets(&self, sealed: SealedSecrets) -> TargetSecrets {
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

    /// What a row says to its target, or in words why it cannot be sent.
    fn message(&self, row: &PivotRow, secrets: &TargetSecrets) -> Result<PendingMessage, String> {
        PeerName::parse(&row.target).map_err(|error| error.to_string())?;
        let propagation_secret = match secrets.get(&row.target) {
            Some(secret) => secret.clone()?,
            None => return Err("the target is not in the inventory".to_owned()),
        };
        let operation = row.operation.ok_or("the row's operation is unknown")?;
        let record = match operation {
            Operation::Delete => None,
            Operation::Create | Operation::Update => {
                let record = row.record(self.vault).map_err(|error| describe(&error))?;
                Some(record.ok_or("the row has no secret hash")?)
            }
        };
        Ok(PendingMessage {
            operation,
            record,
            propagation_secret,
        })
    }

    /// Moves the row; answers the name of the transition.
    fn claim(
        &self,
        row: &mut PivotRow,
        event_id: &str,
        unsendable: Option<&String>,
    ) -> &'static str {
        let query = self.query;
        let progress = &mut row.progress;
        progress.attempt_count = progress.attempt_count.saturating_add(1);
        progress.waiting_since = query.now_ms;
        if let Some(why) = unsendable {
            // In `error` it is looked at again after `resend_after`, whatever mark follows.
            progress.status = PivotStatus::Error;
            progress.failed_at = Some(query.now_ms);
            progress.reason = Some(reason(why));
            progress.event_id = None;
            progress.lease_until = None;
            return "unsendable";
        }
        let ts = progress.last_ts.map_or(progress.change_ts, |last| {
            progress.change_ts.max(last.saturating_add(1))
        });
        progress.last_ts = Some(ts);
        progress.status = PivotStatus::Pending;
        progress.event_id = Some(event_id.to_owned());
        progress.lease_until = Some(query.now_ms.saturating_add(query.lease_ms));
        "claimed"
    }
}
