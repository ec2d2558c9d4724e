//! Why a token is not opened.

use auth_base::store_error::StoreError;

/// Why a token is not opened, in the order of the checks. Nothing of the token is told.
///
/// To blame are whoever sent the token (everything but `Keys`) or this side (`Keys`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is longer than a token of its kind may be.
    #[error("the token is too large")]
    TooLarge,
    /// It is not three parts of base64url with a JSON object first (RFC 7515, section 7.1).
    #[error("the token is no compact JWS")]
    Malformed,
    /// A member of the header comes twice (RFC 7515, section 4).
    #[error("a member of the header comes twice")]
    HeaderTwice,
    /// The header asks for an extension (`crit`, RFC 7515, section 4.1.11) or an unencoded payload (`b64`, RFC 7797).
    #[error("the header carries crit or b64")]
    Extension,
    /// `typ` is not that of this kind of token.
    #[error("typ is not that of this kind of token")]
    Type,
    /// `alg` is missing, or not one of ours: `none` and HMAC among them.
    #[error("alg is not allowed")]
    Algorithm,
    /// There is no `kid`, or one that no key can have.
    #[error("kid is missing")]
    KeyId,
    /// No key is called so.
    #[error("the key is unknown")]
    UnknownKey,
    /// `alg` is not that of the key.
    #[error("alg is not that of the key")]
    AlgorithmOfKey,
    /// The signature is not that of the key.
    #[error("the signature is not valid")]
    Signature,
    /// The claims are not those of this kind of token.
    #[error("the claims are not those of this kind of token")]
    Claims,
    /// A claim comes twice (RFC 7519, section 4).
    #[error("a claim comes twice")]
    ClaimTwice,
    /// The keys could not be asked for.
    #[error("the keys of the issuer could not be read")]
    Keys(#[source] StoreError),
}
