//! One request on its way to being sent.

use std::fmt;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use reqwest::{Body, Request, Response};
use serde::Serialize;

use crate::error::{ClientError, classify};
use crate::refusal::{REFUSAL_LIMIT, RefusalBody};
use crate::sender::Sender;

/// A request that is still being put together; [`Self::send`] signs and sends it.
///
/// The first mistake made on the way is kept and returned when it is sent.
#[must_use = "a request is sent by `send`"]
pub struct SignedRequest {
    sender: Sender,
    request: Request,
    mistake: Option<ClientError>,
}

impl SignedRequest {
    pub(crate) fn new(sender: Sender, request: Request) -> Self {
        Self {
            sender,
            request,
            mistake: None,
        }
    }

    /// Adds a header, beside those of the same name. The four headers of the signature cannot be given.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        match (
            name.try_into().map_err(Into::into),
            value.try_into().map_err(Into::into),
        ) {
            (Ok(name), Ok(value)) => {
                self.request.headers_mut().append(name, value);
            }
            (Err(error), _) | (_, Err(error)) => self.blame(ClientError::InvalidHeader(error)),
        }
        self
    }

    /// Adds a pair to the query, percent-encoded.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.request
            .url_mut()
            .query_pairs_mut()
            .append_pair(name, value);
        self
    }

    /// Sends these bytes. A body that is a stream is refused when it is sent ([`ClientError::StreamingBody`]).
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = Some(body.into());
        self
    }

    /// Sends `value` as JSON, with that content type unless another was given before.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json");
                self.request
                    .headers_mut()
                    .entry(CONTENT_TYPE)
                    .or_insert(json);
                self.body(bytes)
            }
            Err(error) => {
                self.blame(ClientError::Json(error));
                self
            }
        }
    }

    /// Gives each attempt this long instead of the client's [`SignedClient::attempt_timeout`](crate::client::SignedClient::attempt_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        *self.request.timeout_mut() = Some(timeout);
        self
    }

    /// Signs and sends. Every status is an answer, a refusal and a redirect too.
    ///
    /// # Errors
    /// Any [`ClientError`] but [`ClientError::Refused`].
    pub async fn send(self) -> Result<Response, ClientError> {
        match self.mistake {
            None => self.sender.execute(self.request).await,
            Some(mistake) => Err(mistake),
        }
    }

    /// Signs and sends, and takes only a success (2xx) for an answer.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the peer's code and text for any other status; any other [`ClientError`].
    pub async fn send_accepted(self) -> Result<Response, ClientError> {
        let answer = self.send().await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refusal(answer).await)
    }

    fn blame(&mut self, mistake: ClientError) {
        self.mistake.get_or_insert(mistake);
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("method", self.request.method())
            .field("path", &self.request.url().path())
            .finish_non_exhaustive()
    }
}

async fn refusal(mut answer: Response) -> ClientError {
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= REFUSAL_LIMIT => {
                body.extend_from_slice(&chunk);
            }
            Ok(_) => break,
            Err(error) => return classify(error.without_url(), 1),
        }
    }
    let body: RefusalBody = serde_json::from_slice(&body).unwrap_or_default();
    ClientError::Refused {
        status,
        code: body.error,
        message: body.message,
    }
}
