//! `/api/timeline`: what happened to one client.

use serde::{Deserialize, Serialize};

use crate::model::{Client, Status};

/// What happened to one client, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timeline {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    pub track: String,
    /// Whether any peer holds it, or this peer's management knows it.
    pub known: bool,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// How far the last change came, by target.
    pub pivots: Vec<Pivot>,
    /// The newest first.
    pub entries: Vec<Entry>,
    /// The last of `entries`, where there are older ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// How far a change came on one target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pivot {
    /// The target.
    pub target_amqp_queue: String,
    /// How far it came.
    pub status: Status,
    /// `credential.create`, `credential.update` or `credential.delete`.
    pub op: Option<String>,
    /// The first characters of the hash the target should hold.
    pub secret_hash: Option<String>,
    /// Which change it is.
    pub generation: i64,
    /// How many times it was sent.
    pub attempt_count: i64,
    /// Why it came no further.
    pub reason: Option<String>,
    /// When it was last sent.
    pub sent_at: Option<i64>,
    /// When the target had it.
    pub applied_at: Option<i64>,
    /// When it last failed.
    pub failed_at: Option<i64>,
    /// When the change was accepted.
    pub changed_at: Option<i64>,
}

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entry {
    /// Its number; later ones are greater.
    pub id: i64,
    /// When.
    pub at: i64,
    /// On which target; absent: to the credential itself.
    pub target: Option<String>,
    /// What: `ensured`, `rotated`, `revoked`, `rebooked`, `claimed`, `sent`, `success`, `error` and more.
    pub transition: String,
    /// Which change it belongs to.
    pub generation: i64,
    /// Which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// The event that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The event's own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
