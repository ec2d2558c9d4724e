//! The client: signs each attempt, sends it, and tries again within bounds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac_auth::header;
use hmac_auth::sign::Signer;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, StatusCode};
use reqwest::{Client, ClientBuilder, Request, Response, redirect, retry};
use url::{Position, Url};

use crate::error::ClientError;
use crate::refusal;
use crate::request::SignedRequest;
use crate::retry::RetryPolicy;
use crate::signers::Signers;

/// So often one attempt is repeated with the other secret: with the one not tried yet, and, since the next rotation may
/// begin while the refusals are on their way, once more with the one of the two that the peer takes by then.
const REPEATS: usize = 2;

/// Sends signed requests as one client of a peer. Cloning is cheap and shares the connections and the secret: a switch of
/// one clone ([`Self::switch_to`]) is one of all.
#[derive(Clone)]
pub struct SignedClient {
    http: Client,
    signers: Arc<Signers>,
    overlap: Duration,
    retry: RetryPolicy,
    attempt_timeout: Duration,
    total_timeout: Duration,
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
            http,
            signers: Arc::new(Signers::new(signer)),
            overlap: Duration::from_secs(300),
            retry: RetryPolicy::default(),
            attempt_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(30),
        }
    }

    /// Builds the HTTP client of `builder` so that it follows no redirect and repeats no request by itself (an HTTP/2
    /// connection that is being closed makes it do so, with a nonce that was sent before), and sends over it.
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
        self.retry = retry;
        self
    }

    /// Gives each attempt this long, from connecting to the last byte of the answer.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Gives all attempts and the pauses between them this long, to the head of the answer.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = timeout;
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
        self.signers.switch_to(signer, self.overlap);
    }

    /// Forgets the previous secret before the overlap is over: once every peer is known to have heard, or when it has
    /// leaked. Tells whether there was one.
    pub fn retire_previous(&self) -> bool {
        self.signers.retire_previous()
    }

    /// How often a request was sent again because its secret was refused ([`Self::switch_to`]), all clones together.
    /// When this stands still after a switch, every called peer has heard of the rotation.
    pub fn overlap_repeats(&self) -> u64 {
        self.signers.repeated()
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
        Ok(SignedRequest::new(self.clone(), Request::new(method, url)))
    }

    /// Signs and sends a request that was built elsewhere. Its own timeout, when it has one, is that of each attempt.
    ///
    /// Every status is an answer, a refusal and a redirect too.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::Refused`].
    pub async fn execute(&self, request: Request) -> Result<Response, ClientError> {
        check_url(request.url())?;
        check_headers(&request)?;
        let mut attempts = 0;
        let sending = self.send_until_answered(&request, &mut attempts);
        match tokio::time::timeout(self.total_timeout, sending).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Timeout { attempts }),
        }
    }

    async fn send_until_answered(
        &self,
        request: &Request,
        sent: &mut u32,
    ) -> Result<Response, ClientError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let outcome = self.attempt(request, sent).await;
            let retry_after = match &outcome {
                _ if !self.retry.allows_another(attempt) => return outcome,
                Ok(answer) if self.retry.repeats_answer(request.method(), answer.status()) => {
                    asked_pause(answer)
                }
                Err(ClientError::Connect { .. }) => None,
                _ => return outcome,
            };
            let pause = self.retry.delay(attempt, retry_after);
            tracing::debug!(attempt, ?pause, "sending a signed request again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends, and again with the other secret while one is refused.
    async fn attempt(&self, request: &Request, sent: &mut u32) -> Result<Response, ClientError> {
        let mut signer = self.signers.first_for(request.url());
        let mut answer = self.send_once(&signer, request, sent).await?;
        for _ in 0..REPEATS {
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            let Some(other) = self.signers.other_than(&signer) else {
                return Ok(answer);
            };
            let looked_at = refusal::is_of_signature(request.method(), answer).await;
            let (refused, whole) =
                looked_at.map_err(|error| classify(error.without_url(), *sent))?;
            if !refused {
                return Ok(whole);
            }
            tracing::debug!(
                "the secret is refused, sending once more with the other of the overlap"
            );
            self.signers.repeats();
            signer = other;
            answer = self.send_once(&signer, request, sent).await?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                self.signers.took(&signer, request.url());
            }
        }
        Ok(answer)
    }

    async fn send_once(
        &self,
        signer: &Signer,
        request: &Request,
        sent: &mut u32,
    ) -> Result<Response, ClientError> {
        let signed = self.sign_with(signer, request)?;
        *sent = sent.saturating_add(1);
        match self.http.execute(signed).await {
            Ok(answer) if same_place(request.url(), answer.url()) => Ok(answer),
            Ok(_) => Err(ClientError::RedirectFollowed),
            Err(error) => Err(classify(error.without_url(), *sent)),
        }
    }

    /// Copies `request` and signs the copy with the current secret and a nonce of its own, for whoever sends it some other
    /// way, once. The copy must go where `request` points.
    ///
    /// # Errors
    /// [`ClientError::StreamingBody`], [`ClientError::UnsignableUrl`], [`ClientError::InvalidHeader`],
    /// [`ClientError::ReservedHeader`].
    pub fn sign(&self, request: &Request) -> Result<Request, ClientError> {
        self.sign_with(&self.signers.current(), request)
    }

    fn sign_with(&self, signer: &Signer, request: &Request) -> Result<Request, ClientError> {
        check_url(request.url())?;
        check_headers(request)?;
        let mut copy = request.try_clone().ok_or(ClientError::StreamingBody)?;
        let body = match request.body() {
            None => &[],
            Some(body) => body.as_bytes().ok_or(ClientError::StreamingBody)?,
        };
        let target = &request.url()[Position::BeforePath..Position::AfterQuery];
        let signed = signer
            .sign(request.method().as_str(), target, body)
            .map_err(|_| ClientError::UnsignableUrl {
                reason: "its path cannot be normalised",
            })?;
        for (name, value) in signed.pairs() {
            // A client id may hold UTF-8, which `from_str` would refuse.
            let mut value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|error| ClientError::InvalidHeader(error.into()))?;
            value.set_sensitive(name == header::SIGNATURE);
            copy.headers_mut().insert(name, value);
        }
        copy.timeout_mut().get_or_insert(self.attempt_timeout);
        Ok(copy)
    }
}

impl fmt::Debug for SignedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedClient")
            .field("overlap", &self.overlap)
            .field("retry", &self.retry)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("total_timeout", &self.total_timeout)
            .finish_non_exhaustive()
    }
}

/// Refuses what no verifier of this contract could accept (wire contract 1.1, PATH), before anything is sent.
fn check_url(url: &Url) -> Result<(), ClientError> {
    let reason = if !matches!(url.scheme(), "http" | "https") {
        "its scheme is neither http nor https"
    } else if url.path().starts_with("//") {
        "its path starts with two slashes"
    } else {
        return Ok(());
    };
    Err(ClientError::UnsignableUrl { reason })
}

fn check_headers(request: &Request) -> Result<(), ClientError> {
    let own = [
        header::CLIENT_ID,
        header::TIMESTAMP,
        header::NONCE,
        header::SIGNATURE,
    ];
    match own
        .into_iter()
        .find(|name| request.headers().contains_key(*name))
    {
        None => Ok(()),
        Some(name) => Err(ClientError::ReservedHeader {
            name: name.to_owned(),
        }),
    }
}

/// Tells whether the answer comes from where the request was signed for.
fn same_place(asked: &Url, answered: &Url) -> bool {
    asked.origin() == answered.origin()
        && asked[Position::BeforePath..Position::AfterQuery]
            == answered[Position::BeforePath..Position::AfterQuery]
}

/// The pause a 503 asks for, when it does so in seconds.
fn asked_pause(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

pub(crate) fn classify(error: reqwest::Error, attempts: u32) -> ClientError {
    if error.is_connect() {
        ClientError::Connect {
            attempts,
            source: error,
        }
    } else if error.is_timeout() {
        ClientError::Timeout { attempts }
    } else if error.is_redirect() {
        ClientError::RedirectFollowed
    } else if error.is_builder() {
        ClientError::Build(error)
    } else {
        ClientError::Transport(error)
    }
}
