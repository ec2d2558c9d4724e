//! Rows as the code sees them, and the JSON they are written as.

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::ClientId;
use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::delivery::plan::Credential;
use hmac_propagation::delivery::{Delivery, DeliveryStatus, Step};
use hmac_propagation::management::{DesiredRecord, Operation};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::{CredentialKey, Track};
use serde_json::json;

use crate::database::{JsonRow, Row};
use crate::error::SqlError;
use crate::secrets::{Place, Vault};
use crate::statements::{CREDENTIALS, DELIVERIES};

/// Reasons are cut to this many characters.
const REASON_CHARS: usize = 500;

/// One row of `hmac_credential`; secrets are sealed.
#[derive(Clone)]
pub(crate) struct CredentialRow {
    pub(crate) key: CredentialKey,
    pub(crate) secret_hash: Option<String>,
    pub(crate) credential: Credential,
}

impl CredentialRow {
    pub(crate) fn read(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            key: read_key(row, CREDENTIALS)?,
            secret_hash: row.optional_text(2)?,
            credential: Credential {
                allowed_ips: read_rules(&row.text(3, CREDENTIALS)?, CREDENTIALS)?,
                expires_at: row.optional_int(4)?,
                revoked: row.int(5, CREDENTIALS)? != 0,
                generation: row.count(6, CREDENTIALS)?,
                change_ts: row.int(7, CREDENTIALS)?,
                local_generation: row.count(8, CREDENTIALS)?,
                unapplied_since: row.optional_int(9)?,
                created_at: row.int(10, CREDENTIALS)?,
                updated_at: row.int(11, CREDENTIALS)?,
            },
        })
    }

    pub(crate) fn write(&self) -> JsonRow {
        let credential = &self.credential;
        let mut row = write_credential_key(&self.key);
        row.extend([
            json!(self.secret_hash),
            json!(write_rules(&credential.allowed_ips)),
            json!(credential.expires_at),
            json!(i64::from(credential.revoked)),
            json!(credential.generation),
            json!(credential.change_ts),
            json!(credential.local_generation),
            json!(credential.unapplied_since),
            json!(credential.created_at),
            json!(credential.updated_at),
        ]);
        row
    }

    /// What this peer itself should hold.
    pub(crate) fn record(&self, vault: &Vault) -> Result<Option<DesiredRecord>, SqlError> {
        let credential = &self.credential;
        let Some(sealed) = self.secret_hash.as_ref().filter(|_| !credential.revoked) else {
            return Ok(None);
        };
        let (track, client_id) = names(&self.key);
        let place = Place::credential_hash(track, client_id);
        Ok(Some(DesiredRecord {
            secret_hash: open_hash(vault, &place, sealed)?,
            allowed_ips: credential.allowed_ips.clone(),
            expires_at: credential.expires_at,
        }))
    }

    /// The audit row of something that happened to the credential as a whole.
    pub(crate) fn audit(&self, step: &Step, origin: &Origin) -> JsonRow {
        let credential = &self.credential;
        let rest = [
            json!(credential.generation),
            json!(null),
            json!(null),
            json!(credential.change_ts),
        ];
        audit(&self.key, None, step, rest, origin)
    }
}

/// One row of `hmac_credential_target`; the hash is sealed.
#[derive(Clone)]
pub(crate) struct DeliveryRow {
    pub(crate) key: CredentialKey,
    pub(crate) target: String,
    pub(crate) secret_hash: Option<String>,
    /// As stored: JSON.
    pub(crate) allowed_ips: String,
    pub(crate) expires_at: Option<i64>,
    /// As stored; may be a word that this code does not know.
    pub(crate) operation: String,
    pub(crate) delivery: Delivery,
}

impl DeliveryRow {
    /// How many columns a row has; what a query selects beside it comes after them.
    pub(crate) const COLUMNS: usize = 20;

    pub(crate) fn read(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            key: read_key(row, DELIVERIES)?,
            target: row.text(2, DELIVERIES)?,
            operation: row.text(3, DELIVERIES)?,
            secret_hash: row.optional_text(4)?,
            allowed_ips: row.text(5, DELIVERIES)?,
            expires_at: row.optional_int(6)?,
            delivery: read_delivery(row)?,
        })
    }

    pub(crate) fn write(&self) -> JsonRow {
        let delivery = &self.delivery;
        let operation = delivery.operation.map(Operation::as_str);
        let mut row = write_delivery_key(&self.key, &self.target);
        row.extend([
            json!(operation.unwrap_or(&self.operation)),
            json!(self.secret_hash),
            json!(self.allowed_ips),
            json!(self.expires_at),
            json!(delivery.generation),
            json!(delivery.change_ts),
            json!(delivery.created_at),
        ]);
        row.extend(write_progress(delivery));
        row
    }

    /// Without what only a new change moves.
    pub(crate) fn write_progress(&self) -> JsonRow {
        let mut row = write_delivery_key(&self.key, &self.target);
        row.extend(write_progress(&self.delivery));
        row
    }

    /// What is stored for the target to hold.
    pub(crate) fn record(&self, vault: &Vault) -> Result<Option<DesiredRecord>, SqlError> {
        let Some(sealed) = &self.secret_hash else {
            return Ok(None);
        };
        let (track, client_id) = names(&self.key);
        let place = Place::delivery_hash(track, client_id, &self.target);
        Ok(Some(DesiredRecord {
            secret_hash: open_hash(vault, &place, sealed)?,
            allowed_ips: read_rules(&self.allowed_ips, DELIVERIES)?,
            expires_at: self.expires_at,
        }))
    }

    /// As [`Self::record`], with a reason that may stand in a row.
    pub(crate) fn record_or_reason(&self, vault: &Vault) -> Result<Option<DesiredRecord>, String> {
        self.record(vault).map_err(|error| describe(&error))
    }

    /// The audit row of something that just happened to the delivery.
    pub(crate) fn audit(&self, step: &Step, origin: &Origin) -> JsonRow {
        let delivery = &self.delivery;
        let rest = [
            json!(delivery.generation),
            json!(delivery.attempts),
            json!(delivery.event_id),
            json!(delivery.last_ts),
        ];
        audit(&self.key, Some(&self.target), step, rest, origin)
    }
}

/// Reads the part of a row that the rules are about; its key may be one that makes no sense.
pub(crate) fn read_delivery(row: &Row) -> Result<Delivery, SqlError> {
    let status = row.text(11, DELIVERIES)?;
    let attempts = row.count(12, DELIVERIES)?;
    Ok(Delivery {
        operation: Operation::parse(&row.text(3, DELIVERIES)?),
        generation: row.count(7, DELIVERIES)?,
        change_ts: row.int(8, DELIVERIES)?,
        created_at: row.int(9, DELIVERIES)?,
        last_ts: row.optional_int(10)?,
        status: DeliveryStatus::parse(&status)
            .ok_or(SqlError::corrupt(DELIVERIES, "unknown status"))?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        event_id: row.optional_text(13)?,
        lease_until: row.optional_int(14)?,
        waiting_since: row.int(15, DELIVERIES)?,
        reason: row.optional_text(16)?,
        sent_at: row.optional_int(17)?,
        applied_at: row.optional_int(18)?,
        failed_at: row.optional_int(19)?,
    })
}

/// The columns that follow a delivery's key when only its progress is written.
pub(crate) fn write_progress(delivery: &Delivery) -> [serde_json::Value; 10] {
    [
        json!(delivery.last_ts),
        json!(delivery.status.as_str()),
        json!(delivery.attempts),
        json!(delivery.event_id),
        json!(delivery.lease_until),
        json!(delivery.waiting_since),
        json!(delivery.reason.as_deref().map(cut)),
        json!(delivery.sent_at),
        json!(delivery.applied_at),
        json!(delivery.failed_at),
    ]
}

/// `rest`: generation, attempts, event id, `ts`.
fn audit(
    key: &CredentialKey,
    target: Option<&str>,
    step: &Step,
    rest: [serde_json::Value; 4],
    origin: &Origin,
) -> JsonRow {
    let mut row = vec![json!(step.at_ms)];
    row.extend(write_credential_key(key));
    row.extend([json!(target), json!(step.transition.as_str())]);
    row.extend(rest);
    row.push(json!(step.reason.as_deref().map(cut)));
    row.extend([json!(origin.actor()), json!(origin.request_id())]);
    row
}

/// Track and client id, as tables have them.
pub(crate) fn names(key: &CredentialKey) -> (&str, &str) {
    (key.track.as_str(), key.client_id.as_str())
}

pub(crate) fn write_credential_key(key: &CredentialKey) -> JsonRow {
    let (track, client_id) = names(key);
    vec![json!(track), json!(client_id)]
}

pub(crate) fn write_delivery_key(key: &CredentialKey, target: &str) -> JsonRow {
    let mut row = write_credential_key(key);
    row.push(json!(target));
    row
}

pub(crate) fn write_rules(rules: &AllowedIps) -> String {
    json!(rules.stored_entries()).to_string()
}

fn read_rules(text: &str, table: &'static str) -> Result<AllowedIps, SqlError> {
    let entries: Vec<String> = serde_json::from_str(text)
        .map_err(|_| SqlError::corrupt(table, "allowed_ips is not a JSON array of texts"))?;
    Ok(AllowedIps::parse_lenient(entries))
}

pub(crate) fn read_key(row: &Row, table: &'static str) -> Result<CredentialKey, SqlError> {
    let track =
        Track::parse(&row.text(0, table)?).ok_or(SqlError::corrupt(table, "unknown track"))?;
    let client_id = ClientId::parse(&row.text(1, table)?)
        .map_err(|_| SqlError::corrupt(table, "invalid client id"))?;
    Ok(CredentialKey { track, client_id })
}

fn open_hash(vault: &Vault, place: &Place<'_>, sealed: &str) -> Result<SecretHash, SqlError> {
    let opened = vault.open(place, sealed).map_err(|source| SqlError::Open {
        what: "secret hash",
        source,
    })?;
    SecretHash::parse(&opened).map_err(|_| SqlError::corrupt(DELIVERIES, "secret_hash is no hash"))
}

/// Cuts a reason to what the column holds, without control characters.
fn cut(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(REASON_CHARS)
        .collect()
}

/// Why a row cannot be read, in words that may stand in a row.
pub(crate) fn describe(error: &SqlError) -> String {
    match error {
        SqlError::Open { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    }
}
