//! Signed calls over HTTP, bounded in time and size.

use std::time::Duration;

use async_trait::async_trait;
use hmac_auth::sign::Signer;
use hmac_auth_client::{ClientError, RetryPolicy, SignedClient};
use kit::problem::{Problem, log_failure};
use kit::surface::signed_call::{PeerAnswer, SignedCall, SignedGet};
use reqwest::{Client, redirect};
use serde_json::Value;

/// A peer answers within this time, or counts as away.
const LIMIT: Duration = Duration::from_secs(5);

/// An answer is no longer than this, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Calls peers over HTTP.
pub struct HttpSignedGet(Client);

impl HttpSignedGet {
    /// Makes the client: no redirect is followed, no proxy of the environment is used.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new() -> Result<Self, reqwest::Error> {
        kit::tls::install_provider();
        let client =
            Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(LIMIT).build()?;
        Ok(Self(client))
    }
}

#[async_trait]
impl SignedGet for HttpSignedGet {
    async fn get(&self, call: SignedCall) -> Result<PeerAnswer, Problem> {
        let signer = Signer::new(call.client_id, call.secret_hash);
        let client =
            SignedClient::new(self.0.clone(), signer).retry(RetryPolicy::never()).total_timeout(LIMIT);
        let request = client.get(call.url.as_str()).map_err(|error| unreachable(&error))?;
        let mut response = request.send().await.map_err(|error| unreachable(&error))?;
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

fn unreachable(error: &ClientError) -> Problem {
    no_answer(error)
}

fn no_answer(error: &(dyn std::error::Error + 'static)) -> Problem {
    log_failure("a signed call got no answer", error);
    Problem::new(503, "TARGET_UNREACHABLE", "the peer did not answer")
}
