//! Why a service refuses a request that should have come through the gateway.

use auth_base::store_error::StoreError;

use crate::open_error::OpenError;

/// What is wrong with an internal token that came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInternalToken {
    /// The header came more than once, or is no text.
    #[error("the header came more than once or is no text")]
    Header,
    /// It is not genuine, or not of this kind.
    #[error("{0}")]
    Open(OpenError),
    /// Another issuer made it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for another service.
    #[error("the token is for another service")]
    Audience,
    /// Its life is over.
    #[error("the token has expired")]
    Expired,
    /// It is from the future, or lives longer than an internal token may.
    #[error("the times of the token are not those of an internal token")]
    Times,
    /// `jti` has no or too many characters.
    #[error("jti has no or too many characters")]
    TokenId,
    /// It is for another method or URI.
    #[error("the token is for another request")]
    Request,
    /// It was used before.
    #[error("the token was used before")]
    Replayed,
}

/// Why a service refuses a request that should have come through the gateway.
///
/// To blame are the caller (everything but `Store`) or this side (`Store`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InternalRejection {
    /// There is no token.
    #[error("internal token is missing")]
    Missing,
    /// The token is no good here.
    #[error("internal token is not valid: {0}")]
    Invalid(InvalidInternalToken),
    /// The token does not have the scope.
    #[error("scope {needed} is missing")]
    ScopeDenied {
        /// The scope that is needed.
        needed: String,
    },
    /// The caller has none of the permissions.
    #[error("one of these permissions is needed: {}", needed.join(", "))]
    PermissionDenied {
        /// One of these is needed.
        needed: Vec<String>,
    },
    /// The keys, or the store of tokens, failed. The caller learns no more than that.
    #[error("the internal token could not be checked")]
    Store(#[source] StoreError),
}

impl InternalRejection {
    /// The wire code and the HTTP status.
    pub fn code_and_status(&self) -> (&'static str, u16) {
        match self {
            Self::Missing => ("INTERNAL_AUTH_MISSING", 401),
            Self::Invalid(_) => ("INTERNAL_AUTH_INVALID", 401),
            Self::ScopeDenied { .. } => ("INTERNAL_AUTH_SCOPE_DENIED", 403),
            Self::PermissionDenied { .. } => ("INTERNAL_AUTH_PERMISSION_DENIED", 403),
            Self::Store(_) => ("AUTH_UNAVAILABLE", 503),
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

    /// The body of the refusal: `{"error","message","code"}`.
    pub fn body(&self) -> String {
        let (code, status) = self.code_and_status();
        let error = match status {
            401 => "Unauthorized",
            403 => "Forbidden",
            _ => "Service Unavailable",
        };
        serde_json::json!({ "error": error, "message": self.to_string(), "code": code }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_the_three_members() {
        let denied = InternalRejection::PermissionDenied {
            needed: vec!["ADMIN".to_owned(), "\"".to_owned()],
        };
        assert_eq!(
            denied.body(),
            r#"{"code":"INTERNAL_AUTH_PERMISSION_DENIED","error":"Forbidden","message":"one of these permissions is needed: ADMIN, \""}"#
        );
        let store = InternalRejection::Store(StoreError::Unavailable("redis://u:p@h".into()));
        assert_eq!(store.code_and_status(), ("AUTH_UNAVAILABLE", 503));
        assert!(store.is_internal() && !store.body().contains("redis"));
    }
}
