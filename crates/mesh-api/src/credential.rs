//! Changes of credentials: `ensure`, `rotate`, `revoke`.

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::secret::Secret;
use crate::track::Track;

/// `POST ensure`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ensure {
    /// 1 to 128 visible ASCII characters; that of a client that is known already may be any text of 1 to 128 bytes.
    pub client_id: String,
    /// 16 to 128 bytes (from `MIN_SECRET_BYTES` on), without blanks at its ends and without control characters.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub secret: Secret,
    /// Who is told; may be empty.
    pub targets: Vec<String>,
    /// `http` (unless given) or `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub track: Option<Track>,
    /// IP addresses and CIDR blocks; absent keeps, null or an empty list clears.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub allowed_ips: Change<Vec<String>>,
    /// Epoch milliseconds, ahead of the clock and at most 9007199254740991; absent keeps, null clears.
    #[serde(default, skip_serializing_if = "Change::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i64>))]
    pub expires_at: Change<i64>,
}

/// What an ensure did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EnsureAnswer {
    /// The client.
    pub client_id: String,
    /// `credential.create` or `credential.update`.
    pub op: String,
}

/// `POST rotate`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotate {
    /// A known client.
    pub client_id: String,
    /// 16 to 128 bytes, without blanks at its ends and without control characters.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub secret: Secret,
    /// `http` (unless given) or `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub track: Option<Track>,
}

/// `POST revoke`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revoke {
    /// The client.
    pub client_id: String,
    /// Who is told; may be empty.
    pub targets: Vec<String>,
    /// `http` (unless given) or `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub track: Option<Track>,
}

/// The client that was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// The client.
    pub client_id: String,
}
