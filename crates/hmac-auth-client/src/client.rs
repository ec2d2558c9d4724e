//! The client of a peer: how it is set up, and its verbs.

use std::fmt;
use std::time::Duration;

use hmac_auth::sign::Signer;
use http::Method;
use reqwest::{Client, ClientBuilder, Request, Response, redirect, retry};
use url::Url;

use crate::error::ClientError;
use crate::request::SignedRequest;
use crate::retry::RetryPolicy;
use crate::sender::{Sender, check_url};

/// Sends signed requests as one client of a peer. Cloning is cheap and shares the connections and the secret: a switch of
/// one clone ([`Self::switch_to`]) is one of all.
#[derive(Clone)]
pub struct SignedClient {
    sender: Sender,
    overlap: Duration,
}

impl SignedClient {
    /// Sends over `http`, signed by `signer`: up to 10 s an attempt, 30 s in all, [`RetryPolicy::default`], 5 min of
    /// [`Self::overlap`].
    ///
    /// A signature is made for one path, so `http` must follow no redirect
    /// ([`redirect::Policy::none`]); when it does, the answer is
    /// [`ClientError::RedirectFollowed`], but the signed headers have then been sent to where the redirect led.
    /// [`Self::build`] cannot be got wrong.
    pub fn new(http: Client, signer: Signer) -> Self {
        Self {
            sender: Sender::new(http, signer),
            overlap: Duration::from_secs(300),
        }
    }

    /// Builds the HTTP client of `builder` so that it follows no redirect and repeats no request by itself (an HTTP/2
    /// connection that is being closed makes it do so, with a nonce that was sent before), and sends over it. A proxy of the
    /// environment (`HTTP_PROXY`) is used unless `builder` says [`no_proxy`](ClientBuilder::no_proxy); it must not repeat
    /// requests either.
    ///
    /// # Errors
    /// [`ClientError::Build`] when the client cannot be built.
    pub fn build(builder: ClientBuilder, signer: Signer) -> Result<Self, ClientError> {
        let http = builder
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .build()
            .map_err(ClientError::Build)?;
        Ok(Self::new(http, signer))
    }

    /// Tries again as `retry` says.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.sender.retry = retry;
        self
    }

    /// Gives each attempt this long, from connecting to the last byte of the answer.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.sender.attempt_timeout = timeout;
        self
    }

    /// Gives all attempts and the pauses between them this long, to the head of the answer.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.sender.total_timeout = timeout;
        self
    }

    /// Keeps the secret before a switch for this long ([`Self::switch_to`]), by the monotonic clock: for as long as the slowest
    /// peer may take to hear of a rotation. Zero keeps none, [`Duration::MAX`] keeps it until [`Self::retire_previous`].
    pub fn overlap(mut self, overlap: Duration) -> Self {
        self.overlap = overlap;
        self
    }

    /// Signs with `signer` from now on, in all clones of this client, and keeps the one before for the overlap.
    ///
    /// Peers hear of a rotation one after the other. A peer that has heard takes the old secret for its grace; one that has
    /// not refuses the new one with `BAD_SIGNATURE`, and then the same request is sent once more, signed anew with the
    /// previous secret. So the switch may come at any moment, before the rotation is accepted or long after. That holds for
    /// every method: who refuses a signature has done nothing yet. It costs no attempt of the [`RetryPolicy`], and
    /// one request more for each of its attempts, two when the peer takes neither secret at first because the next rotation
    /// has begun meanwhile. A peer that has been behind gets the previous secret first for a second, and the current one
    /// when it refuses that.
    ///
    /// Only one secret is kept: switch again when the rotation before has reached every peer, and a call that lasts longer
    /// than two whole rotations may be refused. The secret of today given again changes nothing. A signer of another client
    /// id is taken without an overlap. What is no longer kept is wiped.
    pub fn switch_to(&self, signer: Signer) {
        self.sender.signers.switch_to(signer, self.overlap);
    }

    /// Forgets the previous secret before the overlap is over: once every peer is known to have heard, or when it has
    /// leaked. Tells whether there was one.
    pub fn retire_previous(&self) -> bool {
        self.sender.signers.retire_previous()
    }

    /// How often a request was sent again because its secret was refused ([`Self::switch_to`]), all clones together.
    /// When this stands still after a switch, every called peer has heard of the rotation.
    pub fn overlap_repeats(&self) -> u64 {
        self.sender.signers.repeated()
    }

    /// Starts a GET.
    ///
    /// # Errors
    /// [`ClientError::InvalidUrl`] or [`ClientError::UnsignableUrl`]; so do all the others below.
    pub fn get(&self, url: impl AsRef<str>) -> Result<SignedRequest, ClientError> {
        self.request(Method::GET, url)
    }

    /// Starts a HEAD.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn head(&self, url: impl AsRef<str>) -> Result<SignedRequest, ClientError> {
        self.request(Method::HEAD, url)
    }

    /// Starts a POST.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn post(&self, url: impl AsRef<str>) -> Result<SignedRequest, ClientError> {
        self.request(Method::POST, url)
    }

    /// Starts a PUT.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn put(&self, url: impl AsRef<str>) -> Result<SignedRequest, ClientError> {
        self.request(Method::PUT, url)
    }

    /// Starts a PATCH.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn patch(&self, url: impl AsRef<str>) -> Result<SignedRequest, ClientError> {
        self.request(Method::PATCH, url)
    }

    /// Starts a DELETE.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(&self, url: impl AsRef<str>) -> Result<SignedRequest, ClientError> {
        self.request(Method::DELETE, url)
    }

    /// Starts a request of any method.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn request(
        &self,
        method: Method,
        url: impl AsRef<str>,
    ) -> Result<SignedRequest, ClientError> {
        let url = Url::parse(url.as_ref()).map_err(ClientError::InvalidUrl)?;
        check_url(&url)?;
        Ok(SignedRequest::new(
            self.sender.clone(),
            Request::new(method, url),
        ))
    }

    /// Signs and sends a request that was built elsewhere. Its own timeout, when it has one, is that of each attempt.
    ///
    /// Every status is an answer, a refusal and a redirect too.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::Refused`].
    pub async fn execute(&self, request: Request) -> Result<Response, ClientError> {
        self.sender.execute(request).await
    }

    /// Copies `request` and signs the copy with the current secret and a nonce of its own, for whoever sends it some other
    /// way, once. The copy must go where `request` points.
    ///
    /// # Errors
    /// [`ClientError::StreamingBody`], [`ClientError::UnsignableUrl`], [`ClientError::InvalidHeader`],
    /// [`ClientError::ReservedHeader`].
    pub fn sign(&self, request: &Request) -> Result<Request, ClientError> {
        self.sender.sign(&self.sender.signers.current(), request)
    }
}

impl fmt::Debug for SignedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedClient")
            .field("overlap", &self.overlap)
            .field("retry", &self.sender.retry)
            .field("attempt_timeout", &self.sender.attempt_timeout)
            .field("total_timeout", &self.sender.total_timeout)
            .finish_non_exhaustive()
    }
}
