//! The service the layer puts before a route.

use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hmac_auth::layer::{self, BodyLimits, Refusal};
use hmac_auth::verify::{RequestHead, Verifier};
use http::Request;
use tokio::time::sleep;
use tower::{BoxError, Service};

use crate::body::Frames;
use crate::future::ResponseFuture;
use crate::head::{self, HeaderView};
use crate::refused::Refused;

/// Verifies each request before `S` sees it; made by [`HmacAuthLayer`](crate::layer::HmacAuthLayer).
#[derive(Clone)]
pub struct HmacAuth<S> {
    inner: S,
    verifier: Arc<Verifier>,
    limits: BodyLimits,
}

impl<S> HmacAuth<S> {
    pub(crate) fn new(inner: S, verifier: Arc<Verifier>, limits: BodyLimits) -> Self {
        Self {
            inner,
            verifier,
            limits,
        }
    }
}

impl<S, B> Service<Request<B>> for HmacAuth<S>
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        // The clone was never polled ready; the service that was is the one to call.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let verifier = Arc::clone(&self.verifier);
        let limits = self.limits;
        ResponseFuture::new(async move {
            match admit(&verifier, limits, request).await {
                Ok(request) => inner.call(request).await.map(IntoResponse::into_response),
                Err(refusal) => {
                    refusal.log();
                    Ok(Refused(refusal).into_response())
                }
            }
        })
    }
}

/// Verifies `request` and gives it back with its body restored and the proof in its extensions.
async fn admit<B>(
    verifier: &Verifier,
    limits: BodyLimits,
    request: Request<B>,
) -> Result<Request<Body>, Refusal>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = request.into_parts();
    let body = (!body.is_end_stream()).then_some(Frames(body));
    let head = RequestHead {
        method: parts.method.as_str(),
        target: &head::target(&parts),
        headers: &HeaderView(&parts.headers),
        peer_address: head::peer_address(&parts),
    };
    let (verified, body) = layer::admit(verifier, limits, head, body, sleep).await?;
    parts.extensions.insert(verified);
    let mut request = Request::from_parts(parts, Body::from(body));
    // The extractors' own limit would refuse a body whose nonce is used.
    DefaultBodyLimit::max(limits.bytes).apply(&mut request);
    Ok(request)
}
