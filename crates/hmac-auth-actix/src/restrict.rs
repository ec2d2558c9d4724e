//! Restricts routes to named clients.

use std::future::{Ready, ready};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpMessage};
use futures_util::future::{LocalBoxFuture, TryFutureExt};
use hmac_auth::layer::OnlyClients;
use hmac_auth::verify::Verified;

use crate::refused;

/// Lets only the named clients through; anybody else is answered 403 `CLIENT_NOT_ALLOWED`.
///
/// It stands *inside* of [`HmacAuth`](crate::middleware::HmacAuth), which says who the client is: wrap the route with
/// it, or wrap it before that one. Without that middleware every request is answered 500.
#[derive(Clone, Debug)]
pub struct RestrictTo(OnlyClients);

impl RestrictTo {
    /// Lets `clients` through.
    pub fn new(clients: OnlyClients) -> Self {
        Self(clients)
    }
}

impl<S, B> Transform<S, ServiceRequest> for RestrictTo
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = RestrictToMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(RestrictToMiddleware {
            service,
            clients: self.0.clone(),
        }))
    }
}

/// Checks who signed before `S` sees the request; made by [`RestrictTo`].
pub struct RestrictToMiddleware<S> {
    service: S,
    clients: OnlyClients,
}

impl<S, B> Service<ServiceRequest> for RestrictToMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let decision = self.clients.check(request.extensions().get::<Verified>());
        if let Err(refusal) = decision {
            refusal.log();
            let response = request.into_response(refused::response(&refusal));
            return Box::pin(ready(Ok(response.map_into_right_body())));
        }
        Box::pin(
            self.service
                .call(request)
                .map_ok(ServiceResponse::map_into_left_body),
        )
    }
}
