//! The inventory: `targets`.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// `POST targets`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// `[A-Za-z0-9-]+`, at most 128.
    pub target_amqp_queue: String,
    /// What events to it must bear.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub propagation_secret: Secret,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was done to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TargetAnswer {
    /// `target.create`, `target.update` or `target.delete`.
    pub op: String,
    /// The target.
    pub target_amqp_queue: String,
}

/// A peer of the inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
