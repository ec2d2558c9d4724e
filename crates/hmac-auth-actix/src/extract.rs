//! Gives handlers the proof that the middleware left.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use hmac_auth::layer::Refusal;
use hmac_auth::verify::Verified;

use crate::refused::Refused;

/// Extracts who signed the request.
///
/// Behind no [`HmacAuth`](crate::middleware::HmacAuth) it answers 500 and says so in the log: the route would
/// otherwise be open without anybody noticing.
#[derive(Clone, Debug)]
pub struct VerifiedClient(pub Verified);

impl FromRequest for VerifiedClient {
    type Error = Refused;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let verified = request.extensions().get::<Verified>().cloned();
        ready(verified.map(Self).ok_or_else(|| {
            Refusal::NotVerified.log();
            Refused(Refusal::NotVerified)
        }))
    }
}
