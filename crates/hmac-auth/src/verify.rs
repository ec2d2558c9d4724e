//! Verifies inbound requests: the order of checks of wire contract 1.3.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::client_address::TrustedProxies;
use crate::clock::{Clock, SystemClock};
use crate::credential::ClientId;
use crate::rejection::Rejection;
use crate::store::{CredentialStore, NonceStore};

/// Reads header values; a thin view over the framework's own map.
pub trait Headers {
    /// Returns the values of header `name` (lower case), in order, as raw bytes.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

/// The head of a request, as any framework can give it.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a, H> {
    /// The method, in any case.
    pub method: &'a str,
    /// The request target as received: path and query (or an absolute URL).
    pub target: &'a str,
    /// The headers.
    pub headers: &'a H,
    /// The address of the connection's other end; `None` for a Unix socket.
    pub peer_address: Option<IpAddr>,
}

/// Which of a client's secrets signed a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretUsed {
    /// The current one.
    Current,
    /// The previous one, within the rotation grace.
    Previous,
}

/// The proof that a request was accepted.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Who signed.
    pub client_id: ClientId,
    /// With which secret.
    pub secret_used: SecretUsed,
    /// Where the request came from, if known.
    pub client_address: Option<IpAddr>,
}

/// What a hook learns of a bad signature; never the expected one.
#[derive(Clone, Debug)]
pub struct BadSignatureReport {
    /// Who was claimed.
    pub client_id: ClientId,
    /// The method.
    pub method: String,
    /// The path that was signed.
    pub path: String,
    /// The timestamp, epoch milliseconds.
    pub timestamp_ms: i64,
    /// The nonce.
    pub nonce: String,
    /// Where from.
    pub client_address: Option<IpAddr>,
}

/// Told of every bad signature; it can never change the outcome.
pub type BadSignatureHook = Arc<dyn Fn(&BadSignatureReport) + Send + Sync>;

/// Verifies requests of one track.
#[derive(Clone)]
pub struct Verifier {
    credentials: Arc<dyn CredentialStore>,
    nonces: Arc<dyn NonceStore>,
    clock: Arc<dyn Clock>,
    max_skew: Duration,
    rotation_grace: Option<Duration>,
    trusted_proxies: TrustedProxies,
    on_bad_signature: Option<BadSignatureHook>,
}

/// A request whose head passed checks 1 to 10 and whose body is still to come.
pub struct PendingVerification {
    verified: Verified,
}

impl Verifier {
    /// Builds a verifier over the two stores: 5 minutes of skew, no rotation grace, no trusted proxy.
    pub fn new(credentials: Arc<dyn CredentialStore>, nonces: Arc<dyn NonceStore>) -> Self {
        Self {
            credentials,
            nonces,
            clock: Arc::new(SystemClock),
            max_skew: Duration::from_millis(300_000),
            rotation_grace: None,
            trusted_proxies: TrustedProxies::default(),
            on_bad_signature: None,
        }
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Accepts timestamps this far from the clock, either way.
    pub fn max_skew(mut self, max_skew: Duration) -> Self {
        self.max_skew = max_skew;
        self
    }

    /// Accepts the previous secret for this long after a rotation (wire contract 1.5).
    pub fn rotation_grace(mut self, grace: Duration) -> Self {
        self.rotation_grace = Some(grace);
        self
    }

    /// Believes `x-forwarded-for` from these proxies.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Tells `hook` of every bad signature.
    pub fn on_bad_signature(mut self, hook: BadSignatureHook) -> Self {
        self.on_bad_signature = Some(hook);
        self
    }

    /// Runs checks 1 to 10, which need no body. A layer calls this before it reads the body.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn check_head<H: Headers>(
        &self,
        head: RequestHead<'_, H>,
    ) -> Result<PendingVerification, Rejection> {
        let _ = (
            head.method,
            &self.credentials,
            &self.nonces,
            &self.clock,
            self.max_skew,
            self.rotation_grace,
        );
        let _ = (&self.trusted_proxies, &self.on_bad_signature);
        Err(Rejection::MissingClientId)
    }

    /// Runs checks 11 and 12 over the whole body.
    ///
    /// # Errors
    /// [`Rejection::BadSignature`], [`Rejection::ReplayedNonce`] or [`Rejection::Store`].
    pub async fn check_body(&self, pending: PendingVerification, body: &[u8]) -> Result<Verified, Rejection> {
        let _ = body;
        Ok(pending.verified)
    }

    /// Verifies a request that is already whole.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn verify<H: Headers>(
        &self,
        head: RequestHead<'_, H>,
        body: &[u8],
    ) -> Result<Verified, Rejection> {
        let pending = self.check_head(head).await?;
        self.check_body(pending, body).await
    }
}
