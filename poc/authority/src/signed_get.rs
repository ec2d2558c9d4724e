//! Signed calls over HTTP, bounded in time and size.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use hmac_auth::sign::Signer;
use hmac_auth_client::{RetryPolicy, SignedClient};
use kit::problem::{Problem, log_failure};
use kit::surface::signed_call::{PeerAnswer, SignedCall, SignedGet};
use reqwest::{Client, ClientBuilder, redirect, retry};
use serde_json::Value;

/// A peer answers within this time, or counts as away.
const LIMIT: Duration = Duration::from_secs(5);

/// An answer is no longer than this, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Calls peers over HTTP and HTTPS.
pub struct HttpSignedGet {
    plain: Client,
    /// Made when it is first needed: it reads the system's root certificates, which cost memory, and which a small
    /// container may not have.
    secure: OnceLock<Client>,
}

impl HttpSignedGet {
    /// Makes the client: no redirect is followed, no proxy of the environment is used.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new() -> Result<Self, reqwest::Error> {
        kit::tls::install_provider();
        Ok(Self { plain: builder().tls_certs_only([]).build()?, secure: OnceLock::new() })
    }

    fn client(&self, scheme: &str) -> Result<Client, Problem> {
        if scheme != "https" {
            return Ok(self.plain.clone());
        }
        if let Some(secure) = self.secure.get() {
            return Ok(secure.clone());
        }
        let secure = builder().build().map_err(|error| no_answer(&error))?;
        Ok(self.secure.get_or_init(|| secure).clone())
    }
}

fn builder() -> ClientBuilder {
    Client::builder().redirect(redirect::Policy::none()).retry(retry::never()).no_proxy().timeout(LIMIT)
}

#[async_trait]
impl SignedGet for HttpSignedGet {
    async fn get(&self, call: SignedCall) -> Result<PeerAnswer, Problem> {
        let http = self.client(call.url.scheme())?;
        let signer = Signer::new(call.client_id, call.secret_hash);
        let client = SignedClient::new(http, signer).retry(RetryPolicy::never()).total_timeout(LIMIT);
        let request = client.get(call.url.as_str()).map_err(|error| no_answer(&error))?;
        let mut response = request.send().await.map_err(|error| no_answer(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(Problem::unavailable("the peer's answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        Ok(PeerAnswer { status, body })
    }
}

fn no_answer(error: &(dyn std::error::Error + 'static)) -> Problem {
    log_failure("a signed call got no answer", error);
    Problem::new(503, "TARGET_UNREACHABLE", "the peer did not answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_made_for_both_schemes_and_kept() {
        let calls = HttpSignedGet::new().unwrap();
        assert!(calls.client("http").is_ok());
        assert!(calls.secure.get().is_none());
        // Where the system has no root certificates this is a problem, not a panic, and the plain client still works.
        if calls.client("https").is_ok() {
            assert!(calls.secure.get().is_some());
        }
    }
}
