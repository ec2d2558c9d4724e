//! The management store: `state`. It never holds a secret.

use serde::{Deserialize, Serialize};

use crate::limit::Limit;
use crate::target::TargetState;
use crate::track::Track;

/// `GET state`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateQuery {
    /// Where the page before said that the `next` one begins
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Credentials at once; 100 unless given
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<usize>, minimum = 1, maximum = 500))]
    pub limit: Option<Limit<500>>,
}

/// One page of a peer's state. It never holds a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct StatePage {
    /// The credentials of this page.
    pub credentials: Vec<CredentialState>,
    /// The whole inventory.
    pub targets: Vec<TargetState>,
    /// The rows of the credentials of this page.
    pub pivots: Vec<PivotState>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A client's credential as the management store holds it. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CredentialState {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub track: Track,
    /// Always `absent`: a plain secret is never stored. Callers of earlier versions read `present` or `absent`.
    pub plain: String,
    /// The first 8 characters of the hash; null when revoked.
    pub secret_hash: Option<String>,
    /// Where requests may come from.
    pub allowed_ips: Vec<String>,
    /// When it ends.
    pub expires_at: Option<i64>,
    /// Counts the changes.
    pub generation: i64,
    /// Whether it was taken away.
    pub revoked: bool,
    /// When the last change was accepted.
    pub changed_at: i64,
}

/// How far a change has come on one target. Times are epoch milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PivotState {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub track: Track,
    /// The target.
    pub target_amqp_queue: String,
    /// `pending`, `sent`, `success` or `error`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub status: DeliveryStatus,
    /// `credential.create`, `credential.update` or `credential.delete`.
    pub op: Option<String>,
    /// The first 8 characters of the hash the target should hold.
    pub secret_hash: Option<String>,
    /// Which change it is.
    pub generation: i64,
    /// How many times it was sent.
    pub attempt_count: i64,
    /// Why it has come no further.
    pub reason: Option<String>,
    /// When it was last sent.
    pub sent_at: Option<i64>,
    /// When the target had it.
    pub applied_at: Option<i64>,
    /// When it last failed.
    pub failed_at: Option<i64>,
    /// When the change was accepted.
    pub changed_at: i64,
    /// The largest `ts` an event of the row had: tells the target's newer changes from its own. Not shown.
    #[serde(skip)]
    pub last_ts: Option<i64>,
}

/// How far a change has come on a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// It waits to be sent.
    #[default]
    Pending,
    /// It was sent, and not answered yet.
    Sent,
    /// The target has it.
    Success,
    /// It was refused, or cannot be sent.
    Error,
}
