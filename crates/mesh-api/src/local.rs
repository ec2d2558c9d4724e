//! The peer's own store: `local-clients`.

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::limit::Limit;
use crate::track::Track;

/// `GET local-clients`. The answer's `Link` header names the next page; absent on the last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalQuery {
    /// Where the page before said that the next one begins
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Credentials at once; 1000 unless given
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<usize>, minimum = 1, maximum = 1000))]
    pub limit: Option<Limit<1000>>,
}

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
