//! The middleware an application wraps around its routes.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::EitherBody;
use actix_web::dev::{
    Extensions, Payload, Service, ServiceRequest, ServiceResponse, Transform, forward_ready,
};
use actix_web::rt::time::sleep;
use actix_web::web::{Data, FormConfig, JsonConfig, PayloadConfig};
use actix_web::{Error, HttpMessage};
use futures_util::future::LocalBoxFuture;
use hmac_auth::layer::{self, BodyLimits, Refusal};
use hmac_auth::verify::{RequestHead, Verifier};

use crate::body::Chunks;
use crate::head::{self, HeaderView};
use crate::refused;

/// Lets only signed requests through; see the [crate docs](crate) for a whole program.
///
/// A request that is accepted reaches the handler with its body restored and
/// [`Verified`](hmac_auth::verify::Verified) in its extensions; any other is answered by the middleware.
///
/// Middleware that rewrites the URI (`NormalizePath`) belongs inside of this one (wrap it first), so that what the
/// client signed is what is verified. Cloning is cheap: the verifier is shared.
#[derive(Clone)]
pub struct HmacAuth {
    verifier: Arc<Verifier>,
    limits: BodyLimits,
}

impl HmacAuth {
    /// Verifies with `verifier`; bodies of up to 64 KiB, read within 10 s.
    ///
    /// Make it once and clone it into each worker: stores and caches are then shared.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier: Arc::new(verifier),
            limits: BodyLimits::default(),
        }
    }

    /// Accepts bodies of up to `bytes`; a larger one is answered 413 `PAYLOAD_TOO_LARGE`.
    ///
    /// The whole body is held in memory to be hashed: this is also the memory one request may cost. actix's extractors
    /// take as much (a `String` 256 KiB otherwise, a `Form` 16 KiB), unless the application has a `PayloadConfig`,
    /// `JsonConfig` or `FormConfig` of its own: that one counts, and what it refuses has used its nonce.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// Gives a client this long to send the whole body; a slower one is answered 408 `REQUEST_TIMEOUT`.
    pub fn body_timeout(mut self, time: Duration) -> Self {
        self.limits.time = time;
        self
    }
}

impl<S, B> Transform<S, ServiceRequest> for HmacAuth
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = HmacAuthMiddleware<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(HmacAuthMiddleware {
            service: Rc::new(service),
            verifier: Arc::clone(&self.verifier),
            limits: self.limits,
        }))
    }
}

/// Verifies each request before `S` sees it; made by [`HmacAuth`].
pub struct HmacAuthMiddleware<S> {
    // Shared with the futures in flight, which outlive the borrow of `call`.
    service: Rc<S>,
    verifier: Arc<Verifier>,
    limits: BodyLimits,
}

impl<S, B> Service<ServiceRequest> for HmacAuthMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let service = Rc::clone(&self.service);
        let verifier = Arc::clone(&self.verifier);
        let limits = self.limits;
        Box::pin(async move {
            match admit(&verifier, limits, &mut request).await {
                Ok(()) => Ok(service.call(request).await?.map_into_left_body()),
                Err(refusal) => {
                    refusal.log();
                    Ok(request
                        .into_response(refused::response(&refusal))
                        .map_into_right_body())
                }
            }
        })
    }
}

/// Verifies `request`, restores its body and leaves the proof in its extensions.
async fn admit(
    verifier: &Verifier,
    limits: BodyLimits,
    request: &mut ServiceRequest,
) -> Result<(), Refusal> {
    let payload = request.take_payload();
    let headers = HeaderView(request.headers());
    let has_body = !matches!(payload, Payload::None) && !layer::is_bare_upgrade(&headers);
    let head = RequestHead {
        method: request.method().as_str(),
        target: &head::target(request.head()),
        headers: &headers,
        peer_address: request.peer_addr().map(|address| address.ip()),
    };
    let body = has_body.then_some(Chunks(payload));
    let (verified, body) = layer::admit(verifier, limits, head, body, sleep).await?;
    if has_body {
        request.set_payload(Payload::from(body));
        raise_limits(request, limits.bytes);
    }
    request.extensions_mut().insert(verified);
    Ok(())
}

/// Lets the extractors take what was let in: their own limits would refuse a body whose nonce is used.
fn raise_limits(request: &mut ServiceRequest, bytes: usize) {
    let mut limits = Extensions::new();
    unless_given(request, &mut limits, || PayloadConfig::new(bytes));
    unless_given(request, &mut limits, || JsonConfig::default().limit(bytes));
    unless_given(request, &mut limits, || FormConfig::default().limit(bytes));
    request.add_data_container(Rc::new(limits));
}

fn unless_given<T: 'static>(
    request: &ServiceRequest,
    limits: &mut Extensions,
    config: impl FnOnce() -> T,
) {
    let is_given = request.app_data::<T>().is_some() || request.app_data::<Data<T>>().is_some();
    if !is_given {
        limits.insert(config());
    }
}
