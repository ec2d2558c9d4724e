//! Why there is no token.

use std::time::Duration;

/// Why there is no token. Nothing of a secret or a token is told.
///
/// To blame are the way to the server (`Client`, `Connect`, `Timeout`), us (`Endpoint`, `Plain`, and most of `Refused`), or the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The address of the server is none.
    #[error("the token endpoint is no http or https URL without credentials")]
    Endpoint,
    /// The address of the server is one of another machine, without TLS.
    #[error("the token endpoint is on another machine and speaks no TLS")]
    Plain,
    /// There is no HTTP client, for instance because a certificate cannot be read.
    #[error("no token can be asked for")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server cannot be reached.
    #[error("the token endpoint cannot be reached")]
    Connect(#[source] reqwest::Error),
    /// The server did not answer in time.
    #[error("the token endpoint did not answer within {0:?}")]
    Timeout(Duration),
    /// The server refused (RFC 6749, section 5.2), or failed.
    #[error("Token request failed ({status}{}).", code.map(|code| format!(" {code}")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The member `error`, or its member `code`, if it is one of RFC 6749, 8707 or 9449; or `redirected`.
        code: Option<&'static str>,
    },
    /// The answer is larger than any token's.
    #[error("the answer of the token endpoint is too large")]
    TooLarge,
    /// The answer is no JSON object. Below it, where it is no JSON; never what it holds.
    #[error("the answer of the token endpoint is no JSON object")]
    Syntax(#[source] Option<serde_json::Error>),
    /// The answer has no `access_token`, or one that no header can carry.
    #[error("the answer of the token endpoint has no access_token")]
    NoToken,
    /// The token is of another type than the one that was asked for.
    #[error("the token endpoint answered a token of another type than Bearer")]
    Type,
}

impl TokenError {
    /// Tells whether trying again later may help without anybody doing something.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}
