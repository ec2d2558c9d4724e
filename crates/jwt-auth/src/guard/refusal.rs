//! What a refusal looks like on the wire.

use std::fmt;

use auth_base::error_chain::chain;
use serde_json::json;

use crate::access_token::AccessRejection;
use crate::dpop::MAX_URL_BYTES;
use crate::internal_token::InternalRejection;

/// The challenge of a route behind the gateway (RFC 9110, section 11.6.1): no client of the network has such a token.
pub const INTERNAL_CHALLENGE: &str = "Internal";

/// Why a request is not let in, as it is answered. Its texts come from no token and from no store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code: of RFC 6750 and 9449 for an access token, `INTERNAL_AUTH_…` for an internal one.
    pub code: &'static str,
    /// What is wrong, in words.
    pub message: String,
    /// The headers of the answer, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body of the answer: JSON.
    pub body: String,
}

impl Refusal {
    /// A handler asks who called, and no guard stands before its route: a fault of the program, answered 500.
    pub fn not_guarded() -> Self {
        tracing::error!(
            "a handler asks for a token's context, and no guard stands before its route"
        );
        let message = "no guard stands before this route".to_owned();
        Self::new(500, "INTERNAL_ERROR", message)
    }

    /// The request target is none that a proof could name.
    pub(crate) fn no_target() -> Self {
        let message = format!(
            "the request target is no path, or the URL has more than {MAX_URL_BYTES} bytes"
        );
        Self::new(400, "invalid_target", message)
    }

    fn new(status: u16, code: &'static str, message: String) -> Self {
        let body = json!({ "error": code, "message": message }).to_string();
        Self {
            status,
            code,
            message,
            headers: common(),
            body,
        }
    }
}

fn common() -> Vec<(&'static str, String)> {
    vec![
        ("content-type", "application/json".to_owned()),
        ("cache-control", "no-store".to_owned()),
    ]
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<InternalRejection> for Refusal {
    fn from(rejection: InternalRejection) -> Self {
        if rejection.is_internal() {
            tracing::error!(error = %chain(&rejection), "an internal token could not be checked");
        } else {
            tracing::debug!(%rejection, "a request is refused");
        }
        let (code, status) = rejection.code_and_status();
        let mut headers = common();
        if status == 401 {
            headers.push(("www-authenticate", INTERNAL_CHALLENGE.to_owned()));
        }
        Self {
            status,
            code,
            message: rejection.to_string(),
            headers,
            body: rejection.body(),
        }
    }
}

impl From<AccessRejection> for Refusal {
    fn from(rejection: AccessRejection) -> Self {
        if rejection.is_internal() {
            tracing::error!(error = %chain(&rejection), "an access token could not be checked");
        } else {
            tracing::debug!(%rejection, "a request is refused");
        }
        let (code, status) = rejection.code_and_status();
        // The header of a refusal says nothing to who sent no token (RFC 6750, section 3.1). The body does.
        let mut refusal = Self::new(
            status,
            code.unwrap_or("UNAUTHENTICATED"),
            rejection.to_string(),
        );
        let challenge = rejection.challenge().map(|it| ("www-authenticate", it));
        let nonce = rejection.nonce().map(|it| ("dpop-nonce", it.to_owned()));
        refusal.headers.extend(challenge.into_iter().chain(nonce));
        refusal
    }
}
