//! Gives handlers what the layer learned.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jwt_auth::guard::Refusal;
use jwt_auth::{AccessContext, InternalContext};

use crate::refused::Refused;

/// Extracts what the gateway says of a request.
///
/// Behind no [`InternalTokenLayer`](crate::InternalTokenLayer) it answers 500 and says so in the log: the route would
/// otherwise be open without anybody noticing.
#[derive(Clone, Debug)]
pub struct Internal(pub InternalContext);

/// Extracts whose access token came with a request.
///
/// Behind no [`AccessTokenLayer`](crate::AccessTokenLayer) it answers 500 and says so in the log.
#[derive(Clone, Debug)]
pub struct Access(pub AccessContext);

impl<S: Sync> FromRequestParts<S> for Internal {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        left_by_the_layer(parts).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        left_by_the_layer(parts).map(Self)
    }
}

fn left_by_the_layer<C: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<C, Refused> {
    let context = parts.extensions.get::<C>().cloned();
    context.ok_or_else(|| Refused(Refusal::not_guarded()))
}
