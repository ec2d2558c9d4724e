//! The middleware an application wraps around its routes.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, ResponseError};
use futures_util::future::LocalBoxFuture;
use jwt_auth::guard::{AccessGuard, Guard, Head, InternalGuard, Passed, Refusal};

use crate::head::{self, HeaderView};
use crate::refused::Refused;

/// Lets only requests through whose token the guard takes; see the [crate docs](crate) for a whole program.
///
/// A request that is let in reaches the handler with the guard's context in its extensions, for
/// [`Internal`](crate::Internal) or [`Access`](crate::Access); any other is answered by the middleware. Make it once and
/// clone it into each worker: keys and stores are then shared.
#[derive(Clone, Debug)]
pub struct TokenAuth<G>(G);

/// Routes behind the gateway.
pub type InternalTokenAuth = TokenAuth<InternalGuard>;

/// Routes that clients call with tokens of the authorization server.
pub type AccessTokenAuth = TokenAuth<AccessGuard>;

impl<G: Guard> TokenAuth<G> {
    /// Lets in whom `guard` lets in.
    pub fn new(guard: G) -> Self {
        Self(guard)
    }
}

impl<G, S, B> Transform<S, ServiceRequest> for TokenAuth<G>
where
    G: Guard,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = TokenAuthMiddleware<G, S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(TokenAuthMiddleware {
            service: Rc::new(service),
            guard: self.0.clone(),
        }))
    }
}

/// Asks the guard about each request before `S` sees it; made by [`TokenAuth`].
#[derive(Debug)]
pub struct TokenAuthMiddleware<G, S> {
    // Shared with the futures in flight, which outlive the borrow of `call`.
    service: Rc<S>,
    guard: G,
}

impl<G, S, B> Service<ServiceRequest> for TokenAuthMiddleware<G, S>
where
    G: Guard,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (service, guard) = (Rc::clone(&self.service), self.guard.clone());
        Box::pin(async move {
            let passed = match admit(&guard, &request).await {
                Ok(passed) => passed,
                Err(refusal) => {
                    let answer = Refused(refusal).error_response();
                    return Ok(request.into_response(answer).map_into_right_body());
                }
            };
            request.extensions_mut().insert(passed.context);
            let mut response = service.call(request).await?;
            for (name, value) in passed.headers {
                // A name that the gateway gave may be no header's value; then it is in the logs alone.
                if let Ok(value) = HeaderValue::try_from(value) {
                    let headers = response.headers_mut();
                    headers.insert(HeaderName::from_static(name), value);
                }
            }
            Ok(response.map_into_left_body())
        })
    }
}

async fn admit<G: Guard>(
    guard: &G,
    request: &ServiceRequest,
) -> Result<Passed<G::Context>, Refusal> {
    let target = head::target(request.head());
    let headers = HeaderView(request.headers());
    let head = Head::new(request.method().as_str(), &target, &headers);
    guard.admit(head).await
}
