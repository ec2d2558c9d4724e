//! Seals claims into a token of one kind.

use auth_base::secret::Secret;
use serde::Serialize;
use serde_json::{Value, json};

use crate::encoding;
use crate::open::MAX_TOKEN_BYTES;
use crate::signer::{SignError, Signer};
use crate::token_kind::TokenKind;

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The claims are no JSON object.
    #[error("the claims are no JSON object")]
    Claims,
    /// A claim of the caller's own has the name of a claim that is made here.
    #[error("the claim {0} is not the caller's to make")]
    Reserved(&'static str),
    /// The URL of the request is no http or https URL.
    #[error("the URL of the request is no http or https URL")]
    Url,
    /// The token would be larger than anybody opens.
    #[error("the token would have more than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Nothing was signed.
    #[error("nothing was signed")]
    Sign(#[from] SignError),
}

/// Seals `claims` into a token of `kind`. A token is as good as a password while it lasts, so it comes as a [`Secret`].
///
/// # Errors
/// [`SealError`].
pub async fn seal(
    kind: TokenKind,
    signer: &dyn Signer,
    claims: &(impl Serialize + Sync),
) -> Result<Secret, SealError> {
    let key = signer.key();
    let header = json!({ "alg": key.alg(), "kid": key.kid(), "typ": kind.typ() });
    seal_with_header(&header, signer, claims).await
}

/// As [`seal`], with the public key itself in the header (RFC 9449, section 4.2).
pub(crate) async fn seal_with_key(
    kind: TokenKind,
    signer: &dyn Signer,
    claims: &(impl Serialize + Sync),
) -> Result<Secret, SealError> {
    let key = signer.key();
    let header = json!({ "alg": key.alg(), "jwk": key.required_members(), "typ": kind.typ() });
    seal_with_header(&header, signer, claims).await
}

async fn seal_with_header(
    header: &Value,
    signer: &dyn Signer,
    claims: &(impl Serialize + Sync),
) -> Result<Secret, SealError> {
    // Through a value: members that come twice become one.
    let claims = serde_json::to_value(claims).map_err(|_| SealError::Claims)?;
    if !claims.is_object() {
        return Err(SealError::Claims);
    }
    let header = encoding::encode(header.to_string());
    let mut token = format!("{header}.{}", encoding::encode(claims.to_string()));
    let signature = signer.sign(token.as_bytes()).await?;
    token.push('.');
    token.push_str(&encoding::encode(signature));
    match token.len() {
        ..=MAX_TOKEN_BYTES => Ok(Secret::new(token)),
        _ => Err(SealError::TooLarge),
    }
}
