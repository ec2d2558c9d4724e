//! Restricts routes to named clients.

use std::task::{Context, Poll};

use axum::response::{IntoResponse, Response};
use hmac_auth::layer::OnlyClients;
use hmac_auth::verify::Verified;
use http::Request;
use tower::{Layer, Service};

use crate::future::ResponseFuture;
use crate::refused::Refused;

/// Lets only the named clients through; anybody else is answered 403 `CLIENT_NOT_ALLOWED`.
///
/// It stands *inside* of [`HmacAuthLayer`](crate::layer::HmacAuthLayer), which says who the client is: give it to the
/// route (`get(handler).layer(...)`) or add it to the router first. Without that layer every request is answered 500.
#[derive(Clone, Debug)]
pub struct RestrictToLayer(OnlyClients);

impl RestrictToLayer {
    /// Lets `clients` through.
    pub fn new(clients: OnlyClients) -> Self {
        Self(clients)
    }
}

impl<S> Layer<S> for RestrictToLayer {
    type Service = RestrictTo<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RestrictTo {
            inner,
            clients: self.0.clone(),
        }
    }
}

/// Checks who signed before `S` sees the request; made by [`RestrictToLayer`].
#[derive(Clone, Debug)]
pub struct RestrictTo<S> {
    inner: S,
    clients: OnlyClients,
}

impl<S, B> Service<Request<B>> for RestrictTo<S>
where
    S: Service<Request<B>>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Err(refusal) = self.clients.check(request.extensions().get::<Verified>()) {
            refusal.log();
            let response = Refused(refusal).into_response();
            return ResponseFuture::new(async { Ok(response) });
        }
        let answer = self.inner.call(request);
        ResponseFuture::new(async { answer.await.map(IntoResponse::into_response) })
    }
}
