//! The peer's own store: `local-clients`.

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::track::Track;

/// A credential in the peer's own store. Times are epoch milliseconds. Of a record that cannot be read there are `clientId`,
/// `track` and `corrupt` only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LocalClient {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub track: Track,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub updated_at: Option<i64>,
    /// When it ends; null for never.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i64>))]
    pub expires_at: Change<i64>,
    /// Where requests may come from; empty is from anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub allowed_ips: Option<Vec<String>>,
    /// Why the record cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub corrupt: Option<String>,
}
