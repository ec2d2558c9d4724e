//! How every peer is: `mesh/health`, and stopping and starting one.

use serde::{Deserialize, Serialize};

/// The health of the whole mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MeshHealth {
    /// When it was looked at.
    pub at: i64,
    /// Every peer, by name.
    pub peers: Vec<PeerHealth>,
}

/// The health of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// How a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum PeerState {
    /// Nothing is missing.
    Ready,
    /// It answers, and says what is missing.
    Unavailable,
    /// It was stopped from here.
    Stopped,
    /// It does not answer.
    #[default]
    #[serde(other)]
    Unreachable,
}

/// Something a peer misses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MissingPart {
    /// What it is called.
    pub name: String,
    /// Why it is missing.
    pub reason: String,
}

/// A peer's queue on the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueState {
    /// How many messages wait in it.
    pub messages: u64,
    /// How many consumers it has.
    pub consumers: u64,
}

/// A peer was stopped or started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerControlled {
    /// The peer.
    pub name: String,
    /// `stopped`, or how it is now.
    pub state: PeerState,
}
