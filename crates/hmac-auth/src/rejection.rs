//! Why a request was refused: one type with its wire code, status and text.
//!
//! What the caller reads ([`Rejection::body`]) is the code and one sentence. What the log reads is the error with its
//! source: only [`Rejection::Store`] has one.

use auth_base::store_error::StoreError;

/// Why a request is not accepted (wire contract 1.3).
///
/// To blame are the caller (everything but `Store`) or this side (`Store`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No `x-client-id`, a blank one, or two.
    #[error("client id is missing")]
    MissingClientId,
    /// No `x-signature`, a blank one, or two.
    #[error("signature is missing")]
    MissingSignature,
    /// No `x-timestamp`, a blank one, or two.
    #[error("timestamp is missing")]
    MissingTimestamp,
    /// No `x-nonce`, a blank one, or two; or one over 256 bytes or with a control character.
    #[error("nonce is missing")]
    MissingNonce,
    /// The timestamp is not a decimal integer of milliseconds.
    #[error("timestamp is not an integer of epoch milliseconds")]
    InvalidTimestamp,
    /// The timestamp is too far from this clock.
    #[error("timestamp is outside the allowed window")]
    TimestampSkew,
    /// There is no such client.
    #[error("client is unknown")]
    UnknownClient,
    /// The client's credential has expired.
    #[error("client credential has expired")]
    ClientExpired,
    /// The client has an allow-list and its address is not known.
    #[error("client address is not known")]
    MissingClientIp,
    /// No rule of the allow-list matches the address.
    #[error("client address is not allowed")]
    ClientIpNotAllowed,
    /// The signature is not the expected one, or the request cannot be signed unambiguously.
    #[error("signature is not valid")]
    BadSignature,
    /// The nonce was used before.
    #[error("nonce was used before")]
    ReplayedNonce,
    /// The client's nonces take all the room that one client may have in the nonce store.
    #[error("too many requests of this client")]
    TooManyRequests,
    /// A store failed. The caller learns no more than that.
    #[error("the credential store failed")]
    Store(#[source] StoreError),
}

impl Rejection {
    /// The wire code and HTTP status (the table of wire contract 1.3).
    pub fn code_and_status(&self) -> (&'static str, u16) {
        match self {
            Self::MissingClientId => ("MISSING_CLIENT_ID", 401),
            Self::MissingSignature => ("MISSING_SIGNATURE", 401),
            Self::MissingTimestamp => ("MISSING_TIMESTAMP", 401),
            Self::MissingNonce => ("MISSING_NONCE", 401),
            Self::InvalidTimestamp => ("INVALID_TIMESTAMP", 401),
            Self::TimestampSkew => ("TIMESTAMP_SKEW", 401),
            Self::UnknownClient => ("UNKNOWN_CLIENT", 401),
            Self::ClientExpired => ("CLIENT_EXPIRED", 401),
            Self::MissingClientIp => ("MISSING_CLIENT_IP", 403),
            Self::ClientIpNotAllowed => ("CLIENT_IP_NOT_ALLOWED", 403),
            Self::BadSignature => ("BAD_SIGNATURE", 401),
            Self::ReplayedNonce => ("REPLAYED_NONCE", 401),
            Self::TooManyRequests => ("TOO_MANY_REQUESTS", 429),
            Self::Store(StoreError::Unavailable(_)) => ("INTERNAL_ERROR", 503),
            Self::Store(_) => ("INTERNAL_ERROR", 500),
        }
    }

    /// The wire code.
    pub fn code(&self) -> &'static str {
        self.code_and_status().0
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.code_and_status().1
    }

    /// Tells whether this side failed rather than the caller: worth an error in the log, and worth trying again.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Store(_))
    }

    /// The body of the refusal: `{"error":"<CODE>","message":"<text>"}`.
    pub fn body(&self) -> String {
        serde_json::json!({ "error": self.code(), "message": self.to_string() }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_never_reads_what_the_store_said() {
        let source = std::io::Error::other("redis://user:password@host is down");
        let rejection = Rejection::Store(StoreError::Unavailable(source.into()));
        assert_eq!(rejection.code_and_status(), ("INTERNAL_ERROR", 503));
        assert_eq!(
            rejection.body(),
            r#"{"error":"INTERNAL_ERROR","message":"the credential store failed"}"#
        );
    }

    #[test]
    fn a_store_that_answered_with_a_refusal_is_not_unavailable() {
        let rejection = Rejection::Store(StoreError::Corrupt {
            owner: "a".to_owned(),
            reason: "x",
        });
        assert_eq!(rejection.code_and_status(), ("INTERNAL_ERROR", 500));
    }
}
