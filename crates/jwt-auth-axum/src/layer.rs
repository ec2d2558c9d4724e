//! The layer an application adds to its router.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Request};
use jwt_auth::guard::{AccessGuard, Guard, Head, InternalGuard};
use tower::{Layer, Service};

use crate::head::{self, HeaderView};
use crate::refused::Refused;

/// Lets only requests through whose token the guard takes; see the [crate docs](crate) for a whole program.
///
/// A request that is let in reaches the handler with the guard's context in its extensions, for
/// [`Internal`](crate::Internal) or [`Access`](crate::Access); any other is answered by the layer. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct TokenLayer<G>(G);

/// Routes behind the gateway.
pub type InternalTokenLayer = TokenLayer<InternalGuard>;

/// Routes that clients call with tokens of the authorization server.
pub type AccessTokenLayer = TokenLayer<AccessGuard>;

impl<G: Guard> TokenLayer<G> {
    /// Lets in whom `guard` lets in.
    pub fn new(guard: G) -> Self {
        Self(guard)
    }
}

impl<G: Guard, S> Layer<S> for TokenLayer<G> {
    type Service = TokenAuth<G, S>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenAuth {
            inner,
            guard: self.0.clone(),
        }
    }
}

/// Asks the guard about each request before `S` sees it; made by [`TokenLayer`].
#[derive(Clone, Debug)]
pub struct TokenAuth<G, S> {
    inner: S,
    guard: G,
}

impl<G, S> Service<Request<Body>> for TokenAuth<G, S>
where
    G: Guard,
    S: Service<Request<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The service is asked once the request is let in.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (guard, mut inner) = (self.guard.clone(), self.inner.clone());
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let target = head::target(&parts).into_owned();
            let headers = HeaderView(&parts.headers);
            let asked = guard.admit(Head::new(parts.method.as_str(), &target, &headers));
            let passed = match asked.await {
                Ok(passed) => passed,
                Err(refusal) => return Ok(Refused(refusal).into_response()),
            };
            parts.extensions.insert(passed.context);
            poll_fn(|cx| inner.poll_ready(cx)).await?;
            let answer = inner.call(Request::from_parts(parts, body)).await?;
            let mut response = answer.into_response();
            for (name, value) in passed.headers {
                // A name that the gateway gave may be no header's value; then it is in the logs alone.
                if let Ok(value) = HeaderValue::try_from(value) {
                    response
                        .headers_mut()
                        .insert(HeaderName::from_static(name), value);
                }
            }
            Ok(response)
        })
    }
}
