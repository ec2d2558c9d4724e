//! The convergence matrix: `mesh`. Times are epoch milliseconds; hashes are their first 8 characters.

use serde::{Deserialize, Serialize};

use crate::limit::Limit;
use crate::state::DeliveryStatus;
use crate::track::Track;

/// `GET mesh`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeshQuery {
    /// Where the page before said that the `next` one begins
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Rows at once; 50 unless given
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<usize>, minimum = 1, maximum = 200))]
    pub limit: Option<Limit<200>>,
    /// What a client id must hold, in any case
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// `attention`: only what is not in sync
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub show: Option<Show>,
    /// `changed`: the last changed first
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub sort: Option<Sort>,
}

/// Which rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// All.
    #[default]
    #[serde(alias = "")]
    All,
    /// Only what is not in sync.
    Attention,
}

/// In which order rows come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// By client id.
    #[default]
    #[serde(alias = "")]
    Client,
    /// The last changed first.
    Changed,
}

/// One page of the convergence matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MeshPage {
    /// Who answers.
    pub peer: String,
    /// When.
    pub at: i64,
    /// When this view of the mesh began: another process has another one.
    pub since: i64,
    /// Which state of that view this is; it rises with each change.
    pub revision: u64,
    /// Over the whole mesh, whatever is filtered.
    pub summary: MeshSummary,
    /// The columns, by name.
    pub peers: Vec<PeerSummary>,
    /// The rows of this page.
    pub clients: Vec<MeshClient>,
    /// How many rows pass the filter.
    pub matching: usize,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How much of the mesh agrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MeshSummary {
    /// How many clients there are.
    pub clients: usize,
    /// How many of them ask for no attention.
    pub in_sync: usize,
    /// How many peers' stores are read.
    pub peers: usize,
    /// How many of them have no cell that is behind, missing, unexpected or unknown.
    pub peers_in_sync: usize,
}

/// One column of the matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PeerSummary {
    /// The peer.
    pub name: String,
    /// Whether it is the one that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Whether its store is one that is read here; of a target whose store is not, only what it acknowledged is known.
    pub watched: bool,
    /// Whether its store can be read.
    pub reachable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many of its cells are in sync.
    pub in_sync: usize,
    /// How many hold something older than they should.
    pub behind: usize,
    /// How many hold nothing and should.
    pub missing: usize,
    /// How many hold something nobody booked.
    pub unexpected: usize,
    /// How many cannot be told.
    pub unknown: usize,
}

/// One row of the matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MeshClient {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub track: Track,
    /// Whether the peer that answers is the source of its last change.
    pub own: bool,
    /// Whether it was taken away.
    pub revoked: bool,
    /// Whether it is not everywhere as it should be. A target whose store is not read counts by what it acknowledged.
    pub attention: bool,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<i64>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// One cell for each peer, in the order of the peers.
    pub cells: Vec<MeshCell>,
}

/// One client on one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MeshCell {
    /// The peer.
    pub peer: String,
    /// How it stands.
    pub state: CellState,
    /// What it holds: the first 8 characters of the hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_prefix: Option<String>,
    /// Since when it holds that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
    /// How far this peer's change has come there: `pending`, `sent`, `success` or `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub status: Option<DeliveryStatus>,
    /// How many times it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    /// Why it has come no further, or is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How one peer stands with one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum CellState {
    /// It holds what it should.
    InSync,
    /// It holds something older.
    Behind,
    /// It holds nothing and should hold something.
    Missing,
    /// It holds something and should hold nothing, or something else.
    Unexpected,
    /// It holds nothing, and nobody booked anything for it.
    None,
    /// Its store cannot be read.
    #[default]
    #[serde(other)]
    Unknown,
}

impl MeshClient {
    /// What tells it from others.
    pub fn key(&self) -> (Track, String) {
        (self.track, self.client_id.clone())
    }
}

impl CellState {
    /// Tells whether it is not as it should be.
    pub fn needs_attention(self) -> bool {
        !matches!(self, Self::InSync | Self::None)
    }
}
