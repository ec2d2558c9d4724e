//! A secret's hash with the peer's pepper: `hash`.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// `POST hash`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Hash {
    /// The plain secret.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub secret: Secret,
}

/// A secret's hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HashAnswer {
    /// 64 hex characters.
    pub hash: String,
}
