//! The seam to the management store's inventory and state. `mesh-management-sqlx` puts the real store behind it.

use std::error::Error;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use mesh_api::state::StatePage;
use mesh_api::timeline::HistoryEntry;

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

/// The inventory of targets, and what is known of every client on every target.
#[async_trait]
pub trait Administration: Send + Sync + 'static {
    /// Adds a target, or changes its secret and note, and keeps who asked.
    async fn put_target(
        &self,
        target: &NewTarget,
        origin: &Origin,
    ) -> Result<TargetOperation, AdministrationError>;

    /// Takes a target out, when no client is booked for it, and keeps who asked.
    async fn delete_target(&self, name: &str, origin: &Origin) -> Result<(), AdministrationError>;

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
