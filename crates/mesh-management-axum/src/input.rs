//! The extractors of requests.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use mesh_api::routes::Operation;
use mesh_management::Surface;
use mesh_management::admission::{Caller, Origin};
use mesh_management::surface::{Answer, Reply};
use serde::de::DeserializeOwned;

use crate::answer::{Headers, send};
use crate::body;

/// The state of a route.
#[derive(Clone)]
pub(crate) struct At {
    pub(crate) surface: Surface,
    pub(crate) operation: Operation,
}

impl FromRef<At> for Surface {
    fn from_ref(at: &At) -> Self {
        at.surface.clone()
    }
}

/// A request, checked and read whole, and how it wants to be answered.
pub(crate) struct Input<T>(pub(crate) T, pub(crate) Reply);

/// Who asks, as the gate before the route found it.
pub(crate) struct By(pub(crate) Origin);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Caller::origin(parts.extensions.get())))
    }
}

/// What a request is answered that is not read.
pub(crate) struct Refused(Answer);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        send(self.0)
    }
}

impl<T: DeserializeOwned> FromRequest<At> for Input<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, at: &At) -> Result<Self, Refused> {
        let (head, body) = request.into_parts();
        let checked = at
            .surface
            .check(at.operation, head.method.as_str(), &Headers(&head.headers))
            .map_err(|problem| Refused(problem.into()))?;
        let body = body::read(&head.headers, body)
            .await
            .map_err(|problem| Refused(problem.into()))?;
        match at.surface.read(checked, head.uri.query(), &body) {
            Ok((request, reply)) => Ok(Self(request, reply)),
            Err(answer) => Err(Refused(answer)),
        }
    }
}
