//! The seam to the management store's inventory and state. `kit-backends` puts the real store behind it.

use std::error::Error;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{Problem, log_failure};

/// A target to add to the inventory, or to change there.
#[derive(Clone, Debug)]
pub struct NewTarget {
    /// Its name, never the peer's own.
    pub name: PeerName,
    /// What events to it must bear.
    pub propagation_secret: Secret,
    /// An operator's remark; `None` keeps the stored one.
    pub note: Option<String>,
}

/// What putting a target did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetOperation {
    /// There was none of that name.
    Create,
    /// There was one.
    Update,
}

impl TargetOperation {
    /// The name on the HTTP surface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "target.create",
            Self::Update => "target.update",
        }
    }
}

/// The management store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdministrationError {
    /// No such target.
    #[error("unknown target {name}")]
    UnknownTarget {
        /// Its name.
        name: String,
    },
    /// The target is this peer itself.
    #[error(
        "the target {name} is this peer itself: its row signs acknowledgements and is set by the configuration"
    )]
    SelfTarget {
        /// Its name.
        name: String,
    },
    /// Clients are booked for the target.
    #[error("{clients} clients are booked for the target {name}")]
    TargetInUse {
        /// Its name.
        name: String,
        /// How many.
        clients: u64,
    },
    /// The cursor is not one that this store gave.
    #[error("the cursor is not one that this peer gave")]
    InvalidCursor,
    /// The store cannot be reached or did not answer in time.
    #[error("the management store is away")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The store answered something unexpected.
    #[error("the management store failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl From<AdministrationError> for Problem {
    fn from(error: AdministrationError) -> Self {
        let message = error.to_string();
        match &error {
            AdministrationError::UnknownTarget { .. } => Self::new(404, "UNKNOWN_TARGET", message),
            AdministrationError::SelfTarget { .. } => Self {
                error: "SELF_TARGET",
                ..Self::invalid("targetAmqpQueue", message)
            },
            AdministrationError::TargetInUse { .. } => Self::new(409, "TARGET_IN_USE", message),
            AdministrationError::InvalidCursor => Self::invalid("cursor", message),
            AdministrationError::Unavailable(_) => {
                log_failure("the management store is away", &error);
                Self::unavailable(message)
            }
            AdministrationError::Failed(_) => {
                log_failure("the management store failed", &error);
                Self::internal()
            }
        }
    }
}

/// The inventory of targets, and what is known of every client on every target.
#[async_trait]
pub trait Administration: Send + Sync + 'static {
    /// Adds a target, or changes its secret and note.
    async fn put_target(&self, target: &NewTarget) -> Result<TargetOperation, AdministrationError>;

    /// Takes a target out, when no client is booked for it.
    async fn delete_target(&self, name: &str) -> Result<(), AdministrationError>;

    /// One page of credentials with their pivots, and all targets.
    async fn state(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<StatePage, AdministrationError>;

    /// Those of the named credentials that there are, with their pivots; no targets and no next page.
    async fn credentials(&self, keys: &[CredentialKey]) -> Result<StatePage, AdministrationError>;

    /// How much is not done.
    async fn backlog(&self) -> Result<Backlog, AdministrationError>;

    /// What happened to a credential, the newest first, older than the entry `before`.
    async fn history(
        &self,
        key: &CredentialKey,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, AdministrationError>;
}

/// The rows that have not come to `success`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Wait to be sent.
    pub pending: u64,
    /// Wait for the target's answer.
    pub sent: u64,
    /// Were refused, or cannot be sent.
    pub error: u64,
    /// When the oldest change among them was accepted; epoch milliseconds.
    pub oldest_change_at: Option<i64>,
}

/// One page of a peer's state. It never holds a secret.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialState {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    pub track: &'static str,
    /// Whether the plain secret is still held, encrypted, for propagation: `present` or `absent`.
    pub plain: &'static str,
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

/// A peer of the inventory.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetState {
    /// Its name.
    pub target_amqp_queue: String,
    /// An operator's remark.
    pub note: Option<String>,
    /// Whether it is this peer itself, which cannot be deleted.
    pub is_self: bool,
    /// How many credentials are booked for it.
    pub booked_clients: u64,
    /// When it was added; epoch milliseconds.
    pub created_at: i64,
    /// When it was last changed; epoch milliseconds.
    pub updated_at: i64,
}

/// How far a change has come on one target. Times are epoch milliseconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PivotState {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    pub track: &'static str,
    /// The target.
    pub target_amqp_queue: String,
    /// `pending`, `sent`, `success` or `error`.
    pub status: &'static str,
    /// `credential.create`, `credential.update` or `credential.delete`.
    pub op: Option<&'static str>,
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
    /// The largest `ts` an event of the row had: tells the target's newer changes from its own.
    #[serde(skip)]
    pub last_ts: Option<i64>,
}

/// One step of a credential or of one of its rows. Times are epoch milliseconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Names the entry; later ones are larger.
    pub id: i64,
    /// When.
    pub at: i64,
    /// On which target; null for the credential itself.
    pub target: Option<String>,
    /// What happened.
    pub transition: String,
    /// Which change of the credential.
    pub generation: i64,
    /// How many times it was sent by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// In which event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The event's `ts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
