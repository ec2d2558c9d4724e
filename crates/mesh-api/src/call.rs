//! Signed calls to other peers: `call-target`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::secret::Secret;

/// `POST call-target`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Call {
    /// A configured peer's name, or a URL at one.
    pub target: String,
    /// Who signs.
    pub client_id: String,
    /// With what; the locally stored hash unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub secret: Option<Secret>,
}

/// What the called peer answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallAnswer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Value,
    /// What was sent to it.
    pub request: SentRequest,
}

/// A signed request as an operator may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SentRequest {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The four headers of the signature, by name; of the signature itself only the first 8 characters.
    pub headers: Vec<(String, String)>,
}
