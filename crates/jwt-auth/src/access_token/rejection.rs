//! Why a request to a resource is refused (RFC 6750, section 3; RFC 9449, section 7.1).

use auth_base::store_error::StoreError;

use crate::algorithm::Algorithm;
use crate::authorization::Scheme;
use crate::dpop::DpopError;
use crate::open_error::OpenError;

/// What is wrong with an access token that came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAccessToken {
    /// It is not genuine, or not of this kind.
    #[error("{0}")]
    Open(OpenError),
    /// Its life is over.
    #[error("the token has expired")]
    Expired,
    /// Its life has not begun.
    #[error("the token is not valid yet")]
    NotYet,
    /// Another issuer made it.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for another resource.
    #[error("the token is for another resource")]
    Audience,
    /// It is bound to a key and comes as `Bearer`: a downgrade (RFC 9449, section 7.2).
    #[error("the token is bound to a key and was sent as Bearer")]
    Downgraded,
    /// It is bound to no key and comes as `DPoP`, or to a resource that takes bound ones only.
    #[error("the token is not bound to a key")]
    NotBound,
}

/// Why a request to a resource is refused.
///
/// To blame are the caller (everything but `Store`) or this side (`Store`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessRejection {
    /// No token came.
    #[error("no token was sent")]
    NoCredentials {
        /// The resource takes only tokens that are bound to a key.
        bound_only: bool,
    },
    /// The header `Authorization` is malformed, or there are several.
    #[error("the header Authorization is malformed")]
    Malformed,
    /// The token is no good here.
    #[error("{reason}")]
    InvalidToken {
        /// How it came.
        scheme: Scheme,
        /// What is wrong with it.
        reason: InvalidAccessToken,
    },
    /// The token is good, its proof is not.
    #[error("{0}")]
    InvalidProof(DpopError),
    /// The token does not allow this.
    #[error("the scope {needed} is missing")]
    InsufficientScope {
        /// How the token came.
        scheme: Scheme,
        /// The scope that is needed.
        needed: String,
    },
    /// The keys, or the store of proofs, failed. The caller learns no more than that.
    #[error("the token could not be checked")]
    Store(#[source] StoreError),
}

impl AccessRejection {
    /// The error code and the HTTP status. Who sent no token gets no code (RFC 6750, section 3.1).
    pub fn code_and_status(&self) -> (Option<&'static str>, u16) {
        match self {
            Self::NoCredentials { .. } => (None, 401),
            Self::Malformed => (Some("invalid_request"), 400),
            Self::InvalidToken { .. } => (Some("invalid_token"), 401),
            Self::InvalidProof(error) => (Some(error.code()), error.status_at_resource()),
            Self::InsufficientScope { .. } => (Some("insufficient_scope"), 403),
            Self::Store(_) => (Some("temporarily_unavailable"), 503),
        }
    }

    /// The error code.
    pub fn code(&self) -> Option<&'static str> {
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

    /// The value of `WWW-Authenticate`; none when this side failed.
    pub fn challenge(&self) -> Option<String> {
        let algorithms = format!("algs=\"{}\"", Algorithm::NAMES);
        let scheme = match self {
            Self::NoCredentials { bound_only: true } => return Some(format!("DPoP {algorithms}")),
            Self::NoCredentials { bound_only: false } => {
                return Some(format!("Bearer, DPoP {algorithms}"));
            }
            Self::Store(_) => return None,
            Self::Malformed => Scheme::Bearer,
            Self::InvalidProof(_) => Scheme::Dpop,
            Self::InvalidToken { scheme, .. } | Self::InsufficientScope { scheme, .. } => *scheme,
        };
        let code = self.code().unwrap_or_default();
        let mut challenge = format!(
            "{} error=\"{code}\", error_description=\"{self}\"",
            scheme.name()
        );
        if let Self::InsufficientScope { needed, .. } = self {
            challenge.push_str(&format!(", scope=\"{needed}\""));
        }
        if scheme == Scheme::Dpop {
            challenge.push_str(&format!(", {algorithms}"));
        }
        Some(challenge)
    }

    /// A fresh nonce for the header `DPoP-Nonce`, when one is asked for (RFC 9449, section 9).
    pub fn nonce(&self) -> Option<&str> {
        match self {
            Self::InvalidProof(DpopError::NonceNeeded { fresh }) => Some(fresh),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_those_of_the_rfcs() {
        let challenge = |rejection: AccessRejection| rejection.challenge().unwrap();
        assert_eq!(
            challenge(AccessRejection::NoCredentials { bound_only: false }),
            r#"Bearer, DPoP algs="EdDSA Ed25519 ES256""#
        );
        assert_eq!(
            challenge(AccessRejection::NoCredentials { bound_only: true }),
            r#"DPoP algs="EdDSA Ed25519 ES256""#
        );
        assert_eq!(
            challenge(AccessRejection::InvalidToken {
                scheme: Scheme::Bearer,
                reason: InvalidAccessToken::Expired
            }),
            r#"Bearer error="invalid_token", error_description="the token has expired""#
        );
        let nonce = AccessRejection::InvalidProof(DpopError::NonceNeeded {
            fresh: "n".to_owned(),
        });
        assert_eq!(nonce.nonce(), Some("n"));
        assert_eq!(
            challenge(nonce),
            "DPoP error=\"use_dpop_nonce\", error_description=\"the DPoP proof needs a nonce of this server\", \
             algs=\"EdDSA Ed25519 ES256\""
        );
        let scope = AccessRejection::InsufficientScope {
            scheme: Scheme::Bearer,
            needed: "orders:read".to_owned(),
        };
        assert_eq!(scope.code_and_status(), (Some("insufficient_scope"), 403));
        assert!(challenge(scope).ends_with(r#", scope="orders:read""#));
    }

    #[test]
    fn the_caller_never_reads_what_the_store_said() {
        let secret = "redis://user:password@host is down";
        let down = || StoreError::Unavailable(secret.into());
        let rejection = AccessRejection::Store(down());
        assert_eq!((rejection.status(), rejection.challenge()), (503, None));
        assert!(rejection.is_internal() && !rejection.to_string().contains("password"));
        assert!(!DpopError::Store(down()).to_string().contains("password"));
    }
}
