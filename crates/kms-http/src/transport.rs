//! Sends one call, within its bounds.

use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::Clock;
use bytes::Bytes;
use jwt_auth_client::TokenError;
use kms::KmsError;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use crate::authentication::{Authentication, Credential};
use crate::certificates::CertificateClients;
use crate::error::Complainant;

/// A call has so long, with everything in it: token, connection, the second attempt.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// An answer may have so many bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What one call sends.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    /// JSON. It may hold a private key: all attempts share one text, which is wiped ([`wiped`]).
    pub(crate) body: Option<Bytes>,
}

/// A body that is wiped when nobody sends it any more.
pub(crate) fn wiped(body: Zeroizing<String>) -> Bytes {
    Bytes::from_owner(body)
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// It may hold a key that was unwrapped.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// The answer, and nothing of what was said.
    pub(crate) fn without_body(self) -> Self {
        let body = Zeroizing::default();
        Self { body, ..self }
    }
}

/// Sends calls to one server.
pub(crate) struct Transport {
    clients: CertificateClients,
    authentication: Authentication,
    complainant: Complainant,
}

impl Transport {
    /// Sends with the certificates of the moment, as whoever `authentication` says.
    pub(crate) fn new(
        clients: CertificateClients,
        authentication: Authentication,
        complainant: Complainant,
    ) -> Self {
        Self {
            clients,
            authentication,
            complainant,
        }
    }

    /// Counts the age of tokens by `clock`.
    pub(crate) fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self {
            authentication: self.authentication.clock(clock),
            ..self
        }
    }

    /// Sends a call, with another token after a 401, and tells what came back.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, KmsError> {
        let answered = tokio::time::timeout(CALL_LIMIT, self.send_as_somebody(call)).await;
        answered.unwrap_or_else(|_| {
            let limit = KmsError::Timeout(CALL_LIMIT);
            Err(self
                .complainant
                .unavailable("remote service did not answer", limit))
        })
    }

    async fn send_as_somebody(&self, call: &Call) -> Result<Answer, KmsError> {
        let credential = self.authentication.credential().await;
        let credential = credential.map_err(|error| self.no_token(error))?;
        let answer = self.send_twice(call, &credential).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let another = self.authentication.instead_of(&credential).await;
        match another.map_err(|error| self.no_token(error))? {
            Some(another) => self.send_twice(call, &another).await,
            None => Ok(answer),
        }
    }

    fn no_token(&self, error: Arc<TokenError>) -> KmsError {
        match error.is_temporary() {
            true => self.complainant.unavailable("no access token", error),
            false => self.complainant.denied("no access token", error),
        }
    }

    /// One more attempt when there was no connection, or a server before the server could not answer.
    async fn send_twice(&self, call: &Call, credential: &Credential) -> Result<Answer, KmsError> {
        match self.send_once(call, credential).await {
            Ok(answer) if !matches!(answer.status.as_u16(), 502..=504) => return Ok(answer),
            Err(error) if !error.is_connect() => return Err(self.unreachable(error)),
            _ => {}
        }
        let second = self.send_once(call, credential).await;
        second.map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, error: reqwest::Error) -> KmsError {
        self.complainant
            .unavailable("remote service cannot be reached", error)
    }

    async fn send_once(
        &self,
        call: &Call,
        credential: &Credential,
    ) -> Result<Answer, reqwest::Error> {
        let client = self.clients.of_the_moment().await;
        let mut request = client.request(call.method.clone(), call.url.clone());
        request = request
            .headers(call.headers.clone())
            .header(ACCEPT, "application/json");
        if let Some(token) = credential.token().and_then(bearer) {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(body) = &call.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let mut answer = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status();
        // A text that grows leaves what it held behind.
        let told = answer.content_length().unwrap_or_default();
        let told = usize::try_from(told).unwrap_or(MAX_ANSWER_BYTES);
        let mut body = Zeroizing::new(Vec::with_capacity(told.min(MAX_ANSWER_BYTES)));
        while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                // Nobody reads half an answer.
                body.clear();
                break;
            }
            body.extend_from_slice(&chunk);
        }
        if let Some(token) = credential.token()
            && is_in(token.as_bytes(), &body)
        {
            body.clear();
        }
        for value in call.headers.values().filter(|value| value.is_sensitive()) {
            if is_in(value.as_bytes(), &body) {
                body.clear();
            }
        }
        Ok(Answer { status, body })
    }
}

/// An answer that repeats our credential is not read: it would stand in an error, and so in a log.
fn is_in(needle: &[u8], body: &[u8]) -> bool {
    !needle.is_empty() && body.windows(needle.len()).any(|window| window == needle)
}

/// The header of a token, which no log shows.
fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {token}"))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
