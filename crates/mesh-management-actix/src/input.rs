//! The extractors of requests.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest};
use mesh_api::problem::Problem;
use mesh_api::routes::Operation;
use mesh_management::Surface;
use mesh_management::admission::{Caller, Origin};
use mesh_management::surface::{Answer, Reply};
use serde::de::DeserializeOwned;

use crate::answer::{Headers, send};
use crate::body;

/// What the requests of a path ask for.
pub(crate) struct At {
    pub(crate) surface: Surface,
    pub(crate) operation: Operation,
}

/// A request, checked and read whole, and how it wants to be answered.
pub(crate) struct Input<T>(pub(crate) T, pub(crate) Reply);

impl<T: DeserializeOwned> FromRequest for Input<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            match read(&request, payload).await {
                Ok((read, reply)) => Ok(Self(read, reply)),
                Err(answer) => Err(InternalError::from_response("refused", send(answer)).into()),
            }
        })
    }
}

/// Who asks, as the gate before the route found it.
pub(crate) struct By(pub(crate) Origin);

impl FromRequest for By {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(Caller::origin(request.extensions().get()))))
    }
}

async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<(T, Reply), Answer> {
    let at = request
        .app_data::<Data<At>>()
        .ok_or_else(Problem::internal)?;
    let headers = Headers(request.headers());
    let method = request.method().as_str();
    let checked = at.surface.check(at.operation, method, &headers)?;
    let body = body::read(request.headers(), payload).await?;
    at.surface.read(checked, request.uri().query(), &body)
}
