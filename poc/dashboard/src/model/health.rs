//! `/api/mesh/health`: how each peer is.

use serde::{Deserialize, Serialize};

/// How the peers are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    /// When it was found out.
    pub at: i64,
    /// Every peer.
    pub peers: Vec<PeerHealth>,
}

/// How one peer is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PeerHealth {
    /// Its name.
    pub name: String,
    /// Whether it is the peer that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
    /// Where it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How it is.
    pub state: PeerState,
    /// What it lacks.
    pub missing: Vec<Missing>,
    /// What waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// Whether it accepts no changes of its own, so that it never syncs.
    pub receives_only: bool,
    /// When it last synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync_at: Option<i64>,
    /// Clients on it that are not as they should be.
    pub drift: u64,
    /// What to do next.
    pub advice: Vec<String>,
    /// Whether it can be stopped and started from here.
    pub controllable: bool,
}

/// How a peer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PeerState {
    /// It has all it needs.
    Ready,
    /// It lacks something.
    Unavailable,
    /// It was stopped.
    Stopped,
    /// It does not answer.
    #[default]
    #[serde(other)]
    Unreachable,
}

/// What a peer lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Missing {
    /// What it is called: `broker`, `redis`, `sql`.
    pub name: String,
    /// Why it is missing.
    pub reason: String,
}

/// What waits for a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Queue {
    /// Messages in its queue.
    pub messages: u64,
    /// Who consumes them.
    pub consumers: u64,
}

impl PeerState {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Unavailable => "unavailable",
            Self::Stopped => "stopped",
            Self::Unreachable => "unreachable",
        }
    }
}
