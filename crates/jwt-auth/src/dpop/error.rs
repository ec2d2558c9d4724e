//! Why a proof is refused.

use auth_base::store_error::StoreError;

use crate::open_error::OpenError;
use crate::public_jwk::InvalidJwk;

/// Why a proof is refused: one variant for each step of RFC 9449, section 4.3, in the order in which they are checked.
///
/// To blame are whoever sent the proof (everything but `Store`) or this side (`Store`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// There is no DPoP header.
    #[error("the DPoP proof is missing")]
    Missing,
    /// There is more than one DPoP header (step 1).
    #[error("there is more than one DPoP proof")]
    Repeated,
    /// It is longer than [`MAX_PROOF_BYTES`](crate::dpop::MAX_PROOF_BYTES).
    #[error("the DPoP proof is too large")]
    TooLarge,
    /// It is no compact JWS with a JSON object as its header (step 2).
    #[error("the DPoP proof is no compact JWS")]
    Malformed,
    /// A member of the header, or a claim, comes twice.
    #[error("a member of the DPoP proof comes twice")]
    MemberTwice,
    /// The header carries `crit` or `b64`.
    #[error("the DPoP proof carries crit or b64")]
    Extension,
    /// `typ` is not `dpop+jwt` (step 4).
    #[error("typ of the DPoP proof is not dpop+jwt")]
    Type,
    /// The header carries no public key of ours, or a private one (steps 6 and 7).
    #[error("jwk of the DPoP proof: {0}")]
    Key(InvalidJwk),
    /// `alg` is missing or not one of ours (step 5).
    #[error("alg of the DPoP proof is not allowed")]
    Algorithm,
    /// `alg` is not that of the key.
    #[error("alg of the DPoP proof is not that of its key")]
    AlgorithmOfKey,
    /// The signature is not that of the key (step 6).
    #[error("the signature of the DPoP proof is not valid")]
    Signature,
    /// A claim is missing or of the wrong type (step 3).
    #[error("the claims of the DPoP proof are not htm, htu, iat and jti")]
    Claims,
    /// `htm` is not the method of the request (step 8).
    #[error("htm of the DPoP proof is not the method of the request")]
    Method,
    /// `htu` is not the URL of the request (step 9).
    #[error("htu of the DPoP proof is not the URL of the request")]
    Url,
    /// `iat` is too long ago (step 11).
    #[error("iat of the DPoP proof is too long ago")]
    TooOld,
    /// `iat` is in the future (step 11).
    #[error("iat of the DPoP proof is in the future")]
    InTheFuture,
    /// `jti` has no character or more than 128.
    #[error("jti of the DPoP proof has no or too many characters")]
    TokenId,
    /// The proof carries no nonce of ours, or one that is no longer fresh (step 10; section 8).
    #[error("the DPoP proof needs a nonce of this server")]
    NonceNeeded {
        /// A fresh one, for the header `DPoP-Nonce`.
        fresh: String,
    },
    /// `ath` is not the hash of the access token (step 12).
    #[error("ath of the DPoP proof is not the hash of the access token")]
    AccessTokenHash,
    /// The access token is bound to another key (step 12).
    #[error("the access token is bound to another key")]
    Binding,
    /// The proof was used before (section 11.1).
    #[error("the DPoP proof was used before")]
    Replayed,
    /// The store that remembers proofs failed. The caller learns no more than that.
    #[error("the store of proofs failed")]
    Store(#[source] StoreError),
}

impl DpopError {
    /// The error code of RFC 9449, sections 5, 7.1 and 8; `temporarily_unavailable` when this side failed.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NonceNeeded { .. } => "use_dpop_nonce",
            Self::Store(_) => "temporarily_unavailable",
            _ => "invalid_dpop_proof",
        }
    }

    /// The HTTP status at a token endpoint (RFC 6749, section 5.2): 400, or 503 when this side failed.
    pub fn status_at_token_endpoint(&self) -> u16 {
        match self {
            Self::Store(_) => 503,
            _ => 400,
        }
    }

    /// The HTTP status at a resource (RFC 9449, section 7.1): 401, or 503 when this side failed.
    pub fn status_at_resource(&self) -> u16 {
        match self {
            Self::Store(_) => 503,
            _ => 401,
        }
    }
}

impl From<OpenError> for DpopError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooLarge => Self::TooLarge,
            OpenError::Malformed => Self::Malformed,
            OpenError::HeaderTwice | OpenError::ClaimTwice => Self::MemberTwice,
            OpenError::Extension => Self::Extension,
            OpenError::Type => Self::Type,
            OpenError::Algorithm => Self::Algorithm,
            OpenError::KeyId | OpenError::UnknownKey => Self::Key(InvalidJwk::Syntax),
            OpenError::AlgorithmOfKey => Self::AlgorithmOfKey,
            OpenError::Signature => Self::Signature,
            OpenError::Claims => Self::Claims,
            OpenError::Keys(error) => Self::Store(error),
        }
    }
}
