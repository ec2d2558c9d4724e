//! The answers about the mesh, as JSON. Times are epoch milliseconds; hashes are their first 8 characters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of the convergence matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
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

/// How one peer stands with one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
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
    /// Its store cannot be read.
    Unknown,
    /// It holds nothing, and nobody booked anything for it.
    None,
}

/// One row of the matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshClient {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    pub track: &'static str,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
    pub status: Option<&'static str>,
    /// How many times it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    /// Why it has come no further, or is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The health of the whole mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MeshHealth {
    /// When it was looked at.
    pub at: i64,
    /// Every peer, by name.
    pub peers: Vec<PeerHealth>,
}

/// How a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PeerState {
    /// Nothing is missing.
    Ready,
    /// It answers, and says what is missing.
    Unavailable,
    /// It does not answer.
    Unreachable,
    /// It was stopped from here.
    Stopped,
}

/// The health of one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerHealth {
    /// The peer.
    pub name: String,
    /// Whether it is the one that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Where it is, where that is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How it is.
    pub state: PeerState,
    /// What it misses.
    pub missing: Vec<MissingPart>,
    /// What waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueState>,
    /// Whether it says that it accepts no changes of its own, so that it never syncs.
    pub receives_only: bool,
    /// When its last sync ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync_at: Option<i64>,
    /// How many of its cells are behind, missing or unexpected.
    pub drift: usize,
    /// What to do next, a sentence for each problem.
    pub advice: Vec<String>,
    /// Whether it can be stopped and started from here.
    pub controllable: bool,
}

/// Something a peer misses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingPart {
    /// What it is called.
    pub name: String,
    /// Why it is missing.
    pub reason: String,
}

/// A peer's queue on the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct QueueState {
    /// How many messages wait in it.
    pub messages: u64,
    /// How many consumers it has.
    pub consumers: u64,
}

/// One client's way through the mesh.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    pub track: &'static str,
    /// Whether this peer or any store of the mesh knows it.
    pub known: bool,
    /// Its row of the matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<MeshClient>,
    /// How far this peer's change has come on each target.
    pub pivots: Vec<crate::surface::administration::PivotState>,
    /// What happened, the newest first.
    pub entries: Vec<crate::surface::administration::HistoryEntry>,
    /// Older entries are before this one; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// A peer was stopped or started.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PeerControlled {
    /// The peer.
    pub name: String,
    /// `stopped`, or how it is now.
    pub state: PeerState,
}
