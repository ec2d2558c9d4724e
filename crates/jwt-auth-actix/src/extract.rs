//! Gives handlers what the middleware learned.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use jwt_auth::guard::Refusal;
use jwt_auth::{AccessContext, InternalContext};

use crate::refused::Refused;

/// Extracts what the gateway says of a request.
///
/// Behind no [`InternalTokenAuth`](crate::InternalTokenAuth) it answers 500 and says so in the log: the route would
/// otherwise be open without anybody noticing.
#[derive(Clone, Debug)]
pub struct Internal(pub InternalContext);

/// Extracts whose access token came with a request.
///
/// Behind no [`AccessTokenAuth`](crate::AccessTokenAuth) it answers 500 and says so in the log.
#[derive(Clone, Debug)]
pub struct Access(pub AccessContext);

impl FromRequest for Internal {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(left_by_the_middleware(request).map(Self))
    }
}

impl FromRequest for Access {
    type Error = Refused;
    type Future = Ready<Result<Self, Refused>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(left_by_the_middleware(request).map(Self))
    }
}

fn left_by_the_middleware<C: Clone + 'static>(request: &HttpRequest) -> Result<C, Refused> {
    let context = request.extensions().get::<C>().cloned();
    context.ok_or_else(|| Refused(Refusal::not_guarded()))
}
