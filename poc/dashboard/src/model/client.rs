//! `/api/mesh`: which client is where.

use serde::{Deserialize, Serialize};

/// One page of the mesh's clients, and the sums over all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mesh {
    /// The peer that answers.
    pub peer: String,
    /// When it answered.
    pub at: i64,
    /// When the view that this is of began.
    pub since: i64,
    /// Which state of that view this is.
    pub revision: u64,
    /// Over all clients, whatever the filter.
    pub summary: Summary,
    /// The columns.
    pub peers: Vec<PeerSummary>,
    /// The rows of this page.
    pub clients: Vec<Client>,
    /// How many clients the filter leaves.
    pub matching: u64,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How far the mesh agrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Summary {
    /// Clients known anywhere.
    pub clients: u64,
    /// Clients on which every peer agrees.
    pub in_sync: u64,
    /// Peers of the mesh.
    pub peers: u64,
    /// Peers that hold exactly what they should.
    pub peers_in_sync: u64,
}

/// What one peer holds, in sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerSummary {
    /// Its name.
    pub name: String,
    /// Whether it is the peer that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Whether its store is one that is read here.
    pub watched: bool,
    /// Whether its store can be read.
    pub reachable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Clients that are as they should be.
    pub in_sync: u64,
    /// Clients with an older content.
    pub behind: u64,
    /// Clients that should be there.
    pub missing: u64,
    /// Clients that should not be there.
    pub unexpected: u64,
    /// Clients of which nothing can be said.
    pub unknown: u64,
}

/// One client across the peers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Client {
    /// Its id.
    pub client_id: String,
    /// `http` or `message`.
    pub track: String,
    /// Whether the peer that answers is its source.
    pub own: bool,
    /// Whether it was taken away.
    pub revoked: bool,
    /// Whether it is not everywhere as it should be.
    pub attention: bool,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<i64>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// One for each peer, in the order of the peers.
    pub cells: Vec<Cell>,
}

/// One client on one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cell {
    /// The peer.
    pub peer: String,
    /// How it stands.
    pub state: CellState,
    /// The first characters of the hash the peer holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_prefix: Option<String>,
    /// When the peer's record was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<i64>,
    /// How far the last change came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// How many times it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    /// Why it came no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a client stands on a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CellState {
    /// As it should be.
    InSync,
    /// An older content.
    Behind,
    /// It should be there.
    Missing,
    /// It should not be there.
    Unexpected,
    /// Not there, and should not be.
    None,
    /// Nothing can be said.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How far a change came on a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Sent, and not answered yet.
    Sent,
    /// The target has it.
    Success,
    /// It failed.
    Error,
    /// Waits to be sent.
    #[default]
    #[serde(other)]
    Pending,
}

impl Client {
    /// What tells it from others.
    pub fn key(&self) -> (String, String) {
        (self.track.clone(), self.client_id.clone())
    }
}

impl CellState {
    /// The word in the cell.
    pub fn word(self) -> &'static str {
        match self {
            Self::InSync => "in sync",
            Self::Behind => "behind",
            Self::Missing => "missing",
            Self::Unexpected => "unexpected",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }

    /// The name in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::InSync => "in-sync",
            Self::Behind => "behind",
            Self::Missing => "missing",
            Self::Unexpected => "unexpected",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }

    /// Tells whether it is not as it should be.
    pub fn needs_attention(self) -> bool {
        !matches!(self, Self::InSync | Self::None)
    }
}

impl Status {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Success => "acknowledged",
            Self::Error => "failed",
        }
    }
}
