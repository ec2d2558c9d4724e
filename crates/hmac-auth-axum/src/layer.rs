//! The layer an application adds to its router.

use std::sync::Arc;
use std::time::Duration;

use hmac_auth::layer::BodyLimits;
use hmac_auth::verify::Verifier;
use tower::Layer;

use crate::service::HmacAuth;

/// Lets only signed requests through; see the [crate docs](crate) for a whole program.
///
/// A request that is accepted reaches the handler with its body restored and
/// [`Verified`](hmac_auth::verify::Verified) in its extensions; any other is answered by the layer.
///
/// Cloning is cheap: the verifier is shared.
#[derive(Clone)]
pub struct HmacAuthLayer {
    verifier: Arc<Verifier>,
    limits: BodyLimits,
}

impl HmacAuthLayer {
    /// Verifies with `verifier`; bodies of up to 64 KiB, read within 10 s.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier: Arc::new(verifier),
            limits: BodyLimits::default(),
        }
    }

    /// Accepts bodies of up to `bytes`; a larger one is answered 413 `PAYLOAD_TOO_LARGE`.
    ///
    /// The whole body is held in memory to be hashed: this is also the memory one request may cost. axum's extractors
    /// take as much (2 MB otherwise), whatever a `DefaultBodyLimit` outside of this layer says; one inside of it counts,
    /// and what it refuses has used its nonce.
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

impl<S> Layer<S> for HmacAuthLayer {
    type Service = HmacAuth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HmacAuth::new(inner, Arc::clone(&self.verifier), self.limits)
    }
}
