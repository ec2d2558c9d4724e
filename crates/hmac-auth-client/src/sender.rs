//! Signs each attempt, sends it, and tries again within bounds.

use std::sync::Arc;
use std::time::Duration;

use hmac_auth::header;
use hmac_auth::sign::Signer;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use reqwest::{Client, Request, Response};
use url::{Position, Url};

use crate::error::{ClientError, classify};
use crate::refusal;
use crate::retry::RetryPolicy;
use crate::signers::Signers;

/// So often one attempt is repeated with the other secret: with the one not tried yet, and, since the next rotation may
/// begin while the refusals are on their way, once more with the one of the two that the peer takes by then.
const REPEATS: usize = 2;

/// What a client and its requests share.
#[derive(Clone)]
pub(crate) struct Sender {
    http: Client,
    pub(crate) signers: Arc<Signers>,
    pub(crate) retry: RetryPolicy,
    pub(crate) attempt_timeout: Duration,
    pub(crate) total_timeout: Duration,
}

impl Sender {
    pub(crate) fn new(http: Client, signer: Signer) -> Self {
        Self {
            http,
            signers: Arc::new(Signers::new(signer)),
            retry: RetryPolicy::default(),
            attempt_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(30),
        }
    }

    pub(crate) async fn execute(&self, request: Request) -> Result<Response, ClientError> {
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
        let signed = self.sign(signer, request)?;
        *sent = sent.saturating_add(1);
        match self.http.execute(signed).await {
            Ok(answer) if same_place(request.url(), answer.url()) => Ok(answer),
            Ok(_) => Err(ClientError::RedirectFollowed),
            Err(error) => Err(classify(error.without_url(), *sent)),
        }
    }

    /// Copies `request` and signs the copy by `signer`.
    pub(crate) fn sign(&self, signer: &Signer, request: &Request) -> Result<Request, ClientError> {
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

/// Refuses what no verifier of this contract could accept (wire contract 1.1, PATH), before anything is sent.
pub(crate) fn check_url(url: &Url) -> Result<(), ClientError> {
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
