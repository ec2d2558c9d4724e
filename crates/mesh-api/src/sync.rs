//! Sending what waits, or all again: `sync`, `resync`.

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::track::Track;

/// A request without fields, as `POST sync` is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// `POST resync`: a target or a client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resync {
    /// The target whose whole state is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The client whose state is sent again to all its targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The client's track, `http` unless given.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub track: Change<Track>,
    /// `overwrite`: also what another source has changed since. Else that is left alone, and a resync of a target whose store
    /// this peer cannot read is refused.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub newer: Change<Newer>,
}

/// What a resync does to what another source has changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Newer {
    /// Leaves it alone.
    #[default]
    Keep,
    /// Overwrites it.
    Overwrite,
}

/// What a sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many credentials had something to send.
    pub propagations_read: u64,
    /// How many rows the broker confirmed.
    pub targets_published: u64,
    /// How many rows stay for the next sync.
    pub targets_retrying: u64,
    /// How long it took.
    pub duration_ms: u64,
}
