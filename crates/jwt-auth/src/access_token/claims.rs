//! The claims of an access token.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::claims::{Audience, Scopes, seconds, seconds_rounded_up};

/// The claims of an access token (RFC 9068, section 2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it.
    pub iss: String,
    /// Who it speaks for: a user, or the client itself.
    pub sub: String,
    /// The resources it is for.
    pub aud: Audience,
    /// Who got it.
    pub client_id: String,
    /// What it allows.
    #[serde(default)]
    pub scope: Scopes,
    /// Its own name.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub exp: i64,
    /// When it begins, in seconds since 1970, if that is not at once.
    #[serde(
        default,
        deserialize_with = "seconds_rounded_up",
        skip_serializing_if = "Option::is_none"
    )]
    pub nbf: Option<i64>,
    /// The key it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<String>,
    /// The session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The claims of a profile, such as `namespaceId` and `tier`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl AccessClaims {
    /// The names that no claim of a profile may have.
    pub(crate) const NAMES: [&'static str; 12] = [
        "iss",
        "sub",
        "aud",
        "client_id",
        "scope",
        "jti",
        "iat",
        "exp",
        "nbf",
        "cnf",
        "tid",
        "sid",
    ];
}

/// How a token is bound to a key (RFC 7800, section 3.1). A token that is bound in another way (by a certificate) is not read as
/// one that is not bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The thumbprint of the key (RFC 9449, section 6.1).
    pub jkt: String,
}
