//! The claims of an internal token.

use serde::{Deserialize, Serialize};

use crate::claims::{Scopes, seconds};

/// Who issues internal tokens, unless said otherwise.
pub const ISSUER: &str = "gateway";

/// A token ends so many seconds after it was issued.
pub const LIFETIME_SECONDS: i64 = 60;

/// What kind of caller a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// A person.
    User,
    /// A machine client.
    Client,
    /// The gateway itself.
    System,
}

/// The claims of an internal token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InternalClaims {
    /// The gateway.
    pub iss: String,
    /// The one service it is for.
    pub aud: String,
    /// Who the request comes from.
    pub sub: String,
    /// What kind of caller that is.
    pub sub_kind: SubjectKind,
    /// What people call the caller, such as an e-mail address: for logs and pages, never to decide anything by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the request is part of.
    pub scope: Scopes,
    /// What the caller may do.
    pub permissions: Vec<String>,
    /// The request's name in logs.
    #[serde(rename = "requestId")]
    pub request_id: String,
    /// When it was issued, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub exp: i64,
    /// Its own name: it counts once.
    pub jti: String,
    /// The method of the request.
    pub htm: String,
    /// Path and query of the request, as they are sent.
    pub uri: String,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<String>,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// The claims of the original's form.
#[derive(Deserialize)]
pub(crate) struct CompatClaims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) scope: Scopes,
    #[serde(default)]
    pub(crate) permissions: Vec<String>,
    #[serde(rename = "requestId")]
    pub(crate) request_id: String,
    #[serde(deserialize_with = "seconds")]
    pub(crate) iat: i64,
    #[serde(deserialize_with = "seconds")]
    pub(crate) exp: i64,
}
