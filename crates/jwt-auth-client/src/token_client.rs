//! Fetches tokens, and keeps them until shortly before they expire.

use std::fmt;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use auth_base::secret::Secret;
use auth_base::server_url::is_loopback;
use bytes::Bytes;
use moka::future::Cache;
use moka::ops::compute::Op;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use url::Url;
use zeroize::Zeroizing;

use crate::access_token::AccessToken;
use crate::answer::{self, MAX_ANSWER_BYTES};
use crate::http::HttpClients;
use crate::token_error::TokenError;
use crate::token_request::TokenRequest;

/// So many different tokens are kept.
const MAX_TOKENS: u64 = 1024;

/// A token endpoint has so long to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The names of a form, and what stands between them, have fewer bytes.
const FORM_NAMES: usize = 256;

/// Where tokens are fetched unless something else is said.
const DEFAULT_PATH: &str = "/api/v1/auth/oauth/token";

/// Fetches tokens as one client at one token endpoint. Clones share what is kept.
#[derive(Clone)]
pub struct TokenClient {
    endpoint: Url,
    client_id: String,
    client_secret: Secret,
    allow_plain: bool,
    skew: Duration,
    http: Arc<dyn HttpClients>,
    clock: Arc<dyn Clock>,
    tokens: Cache<TokenRequest, Arc<AccessToken>>,
}

impl TokenClient {
    /// How old a token is before a refusal makes another one be asked for.
    pub const COOL_DOWN: Duration = Duration::from_secs(10);

    /// A client of `issuer`, whose token endpoint is `{issuer}/api/v1/auth/oauth/token` unless
    /// [`Self::token_endpoint`] says otherwise.
    ///
    /// # Errors
    /// [`TokenError::Endpoint`].
    pub fn new(
        issuer: &str,
        client_id: &str,
        client_secret: Secret,
        http: impl HttpClients,
    ) -> Result<Self, TokenError> {
        let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
        Ok(Self {
            endpoint: endpoint(&format!("{issuer}{DEFAULT_PATH}"))?,
            client_id: client_id.to_owned(),
            client_secret,
            allow_plain: false,
            skew: Duration::from_secs(30),
            http: Arc::new(http),
            clock: Arc::new(SystemClock),
            tokens: Cache::new(MAX_TOKENS),
        })
    }

    /// Fetches tokens at `url`.
    ///
    /// # Errors
    /// [`TokenError::Endpoint`].
    pub fn token_endpoint(self, url: &str) -> Result<Self, TokenError> {
        let endpoint = endpoint(url)?;
        Ok(Self { endpoint, ..self })
    }

    /// Sends the secret to other machines without TLS too, as in a network that nobody else is in. Without this, such a request
    /// fails with [`TokenError::Plain`] before anything is sent.
    #[must_use]
    pub fn allow_plain(self) -> Self {
        Self {
            allow_plain: true,
            ..self
        }
    }

    /// Renews tokens so long before they expire (30 s), but never earlier than in the last quarter of their life.
    #[must_use]
    pub fn refresh_skew(self, skew: Duration) -> Self {
        Self { skew, ..self }
    }

    /// Counts time by `clock`.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The token for `request`: the kept one, else a new one. One request is sent, however many callers wait.
    ///
    /// # Errors
    /// [`TokenError`], the same for all who waited.
    pub async fn token(&self, request: &TokenRequest) -> Result<Arc<AccessToken>, Arc<TokenError>> {
        let now = self.clock.now_ms();
        self.give_up(request, |kept| !kept.is_fresh(now, self.skew))
            .await;
        let kept = self.tokens.entry_by_ref(request);
        let kept = kept.or_try_insert_with(self.fetch(request)).await?;
        Ok(kept.into_value())
    }

    /// A token for `request` that is not `refused`, which a service answered 401 to. Callers whom the same token was refused
    /// cause one request.
    ///
    /// `None` when there is no other: a token that was asked for less than [`Self::COOL_DOWN`] ago is not replaced, so that a
    /// service that refuses every token does not cause a request for a token with every call. Then the refusal is the answer.
    ///
    /// # Errors
    /// As for [`Self::token`].
    pub async fn token_instead_of(
        &self,
        refused: &Arc<AccessToken>,
        request: &TokenRequest,
    ) -> Result<Option<Arc<AccessToken>>, Arc<TokenError>> {
        let now = self.clock.now_ms();
        self.give_up(request, |kept| {
            Arc::ptr_eq(kept, refused) && !kept.is_young(now, Self::COOL_DOWN)
        })
        .await;
        let token = self.token(request).await?;
        Ok((!Arc::ptr_eq(&token, refused)).then_some(token))
    }

    /// Forgets all tokens.
    pub fn clear_cache(&self) {
        self.tokens.invalidate_all();
    }

    /// Forgets the kept token if `is_useless`, in one step: a newer one is not forgotten.
    async fn give_up(
        &self,
        request: &TokenRequest,
        is_useless: impl Fn(&Arc<AccessToken>) -> bool,
    ) {
        // Without this look, every call would wait for its turn.
        if !self
            .tokens
            .get(request)
            .await
            .is_some_and(|kept| is_useless(&kept))
        {
            return;
        }
        let entry = self.tokens.entry_by_ref(request);
        let given_up = entry.and_compute_with(|kept| {
            ready(match kept {
                Some(kept) if is_useless(kept.value()) => Op::Remove,
                _ => Op::Nop,
            })
        });
        given_up.await;
    }

    async fn fetch(&self, request: &TokenRequest) -> Result<Arc<AccessToken>, TokenError> {
        if !self.allow_plain && !is_guarded(&self.endpoint) {
            return Err(TokenError::Plain);
        }
        let asked_at_ms = self.clock.now_ms();
        let answer = tokio::time::timeout(LIMIT, self.ask(request)).await;
        let (status, body) = answer.map_err(|_| TokenError::Timeout(LIMIT))??;
        answer::read(status, &body, asked_at_ms).map(Arc::new)
    }

    async fn ask(&self, request: &TokenRequest) -> Result<(u16, Vec<u8>), TokenError> {
        let client = self.http.client().await.map_err(TokenError::Client)?;
        let sending = client
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(self.form(request))
            .send();
        let mut answer = sending.await.map_err(connect)?;
        if answer.url() != &self.endpoint {
            // The client that we were given follows redirects: what came is not from where we asked.
            let (status, code) = (answer.status().as_u16(), Some("redirected"));
            return Err(TokenError::Refused { status, code });
        }
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(connect)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(TokenError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }

    /// The body: the secret is in it, and nowhere in the address. It is wiped when it has been sent.
    fn form(&self, request: &TokenRequest) -> Bytes {
        let parameters: Vec<_> = request.parameters().collect();
        let values = parameters
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let length =
            self.client_id.len() + self.client_secret.expose().len() + values.sum::<usize>();
        // A text that grows leaves what it held behind. One byte becomes three at most.
        let form = String::with_capacity(FORM_NAMES + 3 * length);
        let mut form = form_urlencoded::Serializer::new(form);
        form.append_pair("grant_type", "client_credentials");
        form.append_pair("client_id", &self.client_id);
        form.append_pair("client_secret", self.client_secret.expose());
        for (name, value) in parameters {
            form.append_pair(name, &value);
        }
        Bytes::from_owner(Zeroizing::new(form.finish()))
    }
}

fn connect(error: reqwest::Error) -> TokenError {
    TokenError::Connect(error.without_url())
}

fn endpoint(url: &str) -> Result<Url, TokenError> {
    let url = Url::parse(url).map_err(|_| TokenError::Endpoint)?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.has_host();
    match matches!(url.scheme(), "http" | "https") && is_plain {
        true => Ok(url),
        false => Err(TokenError::Endpoint),
    }
}

/// Tells whether what is sent there is seen by nobody on the way.
fn is_guarded(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

impl fmt::Debug for TokenClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClient")
            .field("endpoint", &self.endpoint.as_str())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a form fits what was asked for, nothing of it is left behind in a shorter one.
    #[test]
    fn a_form_does_not_grow() {
        let http = crate::http::HttpClient::new(reqwest::Client::builder());
        let secret = Secret::new("%".repeat(500));
        let client = TokenClient::new("https://a", "clt_1", secret, http.unwrap()).unwrap();
        let request = TokenRequest::default().scope("é").resource("https://a?b");
        let form = client.form(&request);
        assert!(form.ends_with(b"scope=%C3%A9&resource=https%3A%2F%2Fa%3Fb"));
        let values = 5 + 500 + "scopeé".len() + "resourcehttps://a?b".len();
        assert!(form.len() <= FORM_NAMES + 3 * values);
    }
}
