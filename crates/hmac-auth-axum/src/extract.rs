//! Gives handlers the proof that the layer left.

use axum::extract::FromRequestParts;
use hmac_auth::layer::Refusal;
use hmac_auth::verify::Verified;
use http::request::Parts;

use crate::refused::Refused;

/// Extracts who signed the request.
///
/// Behind no [`HmacAuthLayer`](crate::layer::HmacAuthLayer) it answers 500 and says so in the log: the route would
/// otherwise be open without anybody noticing.
#[derive(Clone, Debug)]
pub struct VerifiedClient(pub Verified);

impl<S: Sync> FromRequestParts<S> for VerifiedClient {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        match parts.extensions.get::<Verified>() {
            Some(verified) => Ok(Self(verified.clone())),
            None => {
                Refusal::NotVerified.log();
                Err(Refused(Refusal::NotVerified))
            }
        }
    }
}
