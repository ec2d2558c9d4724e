//! Rows as the code sees them, and the JSON they are written as.

use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::ClientId;
use hmac_auth::secret_hash::SecretHash;
use hmac_propagation::management::{DesiredRecord, Operation};
use hmac_propagation::peer_store::{CredentialKey, Track};
use serde_json::json;

use crate::database::{JsonRow, Row};
use crate::error::SqlError;
use crate::secrets::{Place, Vault};

const CREDENTIAL: &str = "hmac_credential";
const PIVOT: &str = "hmac_credential_target";
/// Reasons are cut to this many characters.
const REASON_CHARS: usize = 500;

/// How far a row has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PivotStatus {
    /// Waits to be sent, or is being sent.
    Pending,
    /// The broker has it; the target has not answered yet.
    Sent,
    /// The target has it.
    Success,
    /// The target refused it, or it cannot be sent.
    Error,
}

impl PivotStatus {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Success => "success",
            Self::Error => "error",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, SqlError> {
        Ok(match text {
            "pending" => Self::Pending,
            "sent" => Self::Sent,
            "success" => Self::Success,
            "error" => Self::Error,
            _ => {
                return Err(SqlError::Corrupt {
                    table: PIVOT,
                    problem: "unknown status",
                });
            }
        })
    }
}

/// One row of `hmac_credential`; secrets are sealed.
#[derive(Clone)]
pub(crate) struct CredentialRow {
    pub(crate) key: CredentialKey,
    pub(crate) plain_secret: Option<String>,
    pub(crate) secret_hash: Option<String>,
    pub(crate) allowed_ips: AllowedIps,
    pub(crate) expires_at: Option<i64>,
    pub(crate) revoked: bool,
    pub(crate) generation: i64,
    pub(crate) change_ts: i64,
    pub(crate) local_generation: i64,
    pub(crate) unapplied_since: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl CredentialRow {
    pub(crate) fn read(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            key: read_key(row, CREDENTIAL)?,
            plain_secret: row.text(2)?,
            secret_hash: row.text(3)?,
            allowed_ips: read_rules(&row.required_text(4, CREDENTIAL)?, CREDENTIAL)?,
            expires_at: row.int(5)?,
            revoked: row.required_int(6, CREDENTIAL)? != 0,
            generation: row.required_int(7, CREDENTIAL)?,
            change_ts: row.required_int(8, CREDENTIAL)?,
            local_generation: row.required_int(9, CREDENTIAL)?,
            unapplied_since: row.int(10)?,
            created_at: row.required_int(11, CREDENTIAL)?,
            updated_at: row.required_int(12, CREDENTIAL)?,
        })
    }

    pub(crate) fn write(&self) -> JsonRow {
        vec![
            json!(self.key.track.as_str()),
            json!(self.key.client_id.as_str()),
            json!(self.plain_secret),
            json!(self.secret_hash),
            json!(write_rules(&self.allowed_ips)),
            json!(self.expires_at),
            json!(i64::from(self.revoked)),
            json!(self.generation),
            json!(self.change_ts),
            json!(self.local_generation),
            json!(self.unapplied_since),
            json!(self.created_at),
            json!(self.updated_at),
        ]
    }

    /// What this peer itself should hold.
    pub(crate) fn record(&self, vault: &Vault) -> Result<Option<DesiredRecord>, SqlError> {
        let Some(sealed) = self.secret_hash.as_ref().filter(|_| !self.revoked) else {
            return Ok(None);
        };
        let place = Place::credential_hash(self.key.track.as_str(), self.key.client_id.as_str());
        Ok(Some(DesiredRecord {
            secret_hash: open_hash(vault, &place, sealed)?,
            allowed_ips: self.allowed_ips.clone(),
            expires_at: self.expires_at,
        }))
    }
}

/// One row of `hmac_credential_target`; the hash is sealed.
#[derive(Clone)]
pub(crate) struct PivotRow {
    pub(crate) key: CredentialKey,
    pub(crate) target: String,
    /// As stored; a word this code does not know makes the row unsendable and nothing else.
    pub(crate) operation: Option<Operation>,
    pub(crate) secret_hash: Option<String>,
    /// As stored: JSON.
    pub(crate) allowed_ips: String,
    pub(crate) expires_at: Option<i64>,
    pub(crate) progress: Progress,
}

/// How far a pivot has come.
#[derive(Clone)]
pub(crate) struct Progress {
    pub(crate) generation: i64,
    pub(crate) change_ts: i64,
    pub(crate) last_ts: Option<i64>,
    pub(crate) status: PivotStatus,
    pub(crate) attempt_count: i64,
    pub(crate) event_id: Option<String>,
    pub(crate) lease_until: Option<i64>,
    pub(crate) waiting_since: i64,
    pub(crate) reason: Option<String>,
    pub(crate) sent_at: Option<i64>,
    pub(crate) applied_at: Option<i64>,
    pub(crate) failed_at: Option<i64>,
    pub(crate) created_at: i64,
}

impl PivotRow {
    /// How many columns a row has; what a query selects beside it comes after them.
    pub(crate) const COLUMNS: usize = 20;

    pub(crate) fn read(row: &Row) -> Result<Self, SqlError> {
        Ok(Self {
            key: read_key(row, PIVOT)?,
            target: row.required_text(2, PIVOT)?,
            operation: Operation::parse(&row.required_text(3, PIVOT)?),
            secret_hash: row.text(4)?,
            allowed_ips: row.required_text(5, PIVOT)?,
            expires_at: row.int(6)?,
            progress: Progress {
                generation: row.required_int(7, PIVOT)?,
                change_ts: row.required_int(8, PIVOT)?,
                created_at: row.required_int(9, PIVOT)?,
                last_ts: row.int(10)?,
                status: PivotStatus::parse(&row.required_text(11, PIVOT)?)?,
                attempt_count: row.required_int(12, PIVOT)?,
                event_id: row.text(13)?,
                lease_until: row.int(14)?,
                waiting_since: row.required_int(15, PIVOT)?,
                reason: row.text(16)?,
                sent_at: row.int(17)?,
                applied_at: row.int(18)?,
                failed_at: row.int(19)?,
            },
        })
    }

    pub(crate) fn write(&self) -> JsonRow {
        let mut row = self.write_key();
        row.push(json!(self.operation.map(Operation::as_str)));
        row.push(json!(self.secret_hash));
        row.push(json!(self.allowed_ips));
        row.push(json!(self.expires_at));
        row.push(json!(self.progress.generation));
        row.push(json!(self.progress.change_ts));
        row.push(json!(self.progress.created_at));
        self.progress.write_to(&mut row);
        row
    }

    /// Without what only a new change moves.
    pub(crate) fn write_progress(&self) -> JsonRow {
        let mut row = self.write_key();
        self.progress.write_to(&mut row);
        row
    }

    fn write_key(&self) -> JsonRow {
        let mut row = Vec::with_capacity(20);
        row.push(json!(self.key.track.as_str()));
        row.push(json!(self.key.client_id.as_str()));
        row.push(json!(self.target));
        row
    }

    /// What the target should hold; `None` for a delete.
    pub(crate) fn record(&self, vault: &Vault) -> Result<Option<DesiredRecord>, SqlError> {
        let Some(sealed) = &self.secret_hash else {
            return Ok(None);
        };
        let place = Place::pivot_hash(
            self.key.track.as_str(),
            self.key.client_id.as_str(),
            &self.target,
        );
        Ok(Some(DesiredRecord {
            secret_hash: open_hash(vault, &place, sealed)?,
            allowed_ips: read_rules(&self.allowed_ips, PIVOT)?,
            expires_at: self.expires_at,
        }))
    }

    /// The audit row of a transition that just happened to this pivot.
    pub(crate) fn audit(&self, transition: &'static str, at_ms: i64, why: Option<&str>) -> JsonRow {
        vec![
            json!(at_ms),
            json!(self.key.track.as_str()),
            json!(self.key.client_id.as_str()),
            json!(self.target),
            json!(transition),
            json!(self.progress.generation),
            json!(self.progress.attempt_count),
            json!(self.progress.event_id),
            json!(self.progress.last_ts),
            json!(why.map(reason)),
        ]
    }
}

impl Progress {
    fn write_to(&self, row: &mut JsonRow) {
        row.extend([
            json!(self.last_ts),
            json!(self.status.as_str()),
            json!(self.attempt_count),
            json!(self.event_id),
            json!(self.lease_until),
            json!(self.waiting_since),
            json!(self.reason),
            json!(self.sent_at),
            json!(self.applied_at),
            json!(self.failed_at),
        ]);
    }
}

/// The audit row of something that happened to a credential as a whole.
pub(crate) fn audit_credential(
    credential: &CredentialRow,
    transition: &'static str,
    at_ms: i64,
    why: Option<&str>,
) -> JsonRow {
    vec![
        json!(at_ms),
        json!(credential.key.track.as_str()),
        json!(credential.key.client_id.as_str()),
        json!(null),
        json!(transition),
        json!(credential.generation),
        json!(null),
        json!(null),
        json!(credential.change_ts),
        json!(why.map(reason)),
    ]
}

pub(crate) fn write_credential_key(key: &CredentialKey) -> JsonRow {
    vec![json!(key.track.as_str()), json!(key.client_id.as_str())]
}

pub(crate) fn write_pivot_key(key: &CredentialKey, target: &str) -> JsonRow {
    vec![
        json!(key.track.as_str()),
        json!(key.client_id.as_str()),
        json!(target),
    ]
}

pub(crate) fn write_rules(rules: &AllowedIps) -> String {
    json!(rules.stored_entries()).to_string()
}

fn read_rules(text: &str, table: &'static str) -> Result<AllowedIps, SqlError> {
    let entries: Vec<String> = serde_json::from_str(text).map_err(|_| SqlError::Corrupt {
        table,
        problem: "allowed_ips is not a JSON array of texts",
    })?;
    Ok(AllowedIps::parse_lenient(entries))
}

pub(crate) fn read_key(row: &Row, table: &'static str) -> Result<CredentialKey, SqlError> {
    let track = Track::parse(&row.required_text(0, table)?).ok_or(SqlError::Corrupt {
        table,
        problem: "unknown track",
    })?;
    let client_id =
        ClientId::parse(&row.required_text(1, table)?).map_err(|_| SqlError::Corrupt {
            table,
            problem: "invalid client id",
        })?;
    Ok(CredentialKey { track, client_id })
}

fn open_hash(vault: &Vault, place: &Place<'_>, sealed: &str) -> Result<SecretHash, SqlError> {
    let opened = vault.open(place, sealed).map_err(|source| SqlError::Open {
        what: "secret hash",
        source,
    })?;
    SecretHash::parse(&opened).map_err(|_| SqlError::Corrupt {
        table: PIVOT,
        problem: "secret_hash is no hash",
    })
}

/// Cuts a reason to what the column holds, without control characters.
pub(crate) fn reason(text: &str) -> String {
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
