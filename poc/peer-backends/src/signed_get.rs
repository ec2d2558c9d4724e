//! Signed calls over HTTP, bounded in time and size.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use hmac_auth::secret_hash::SecretHash;
use hmac_auth::sign::Signer;
use hmac_auth_client::SignedClient;
use mesh_api::call::CallAnswer;
use mesh_api::problem::Problem;
use mesh_management::call::{SignedCall, SignedGet, sent_request};
use mesh_management::error::log_failure;
use mesh_view::probe::{PROBE_LIMIT, PeerProbe};
use reqwest::{Client, ClientBuilder, Method, Request, Response, Url, redirect, retry};
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
        peer_kit::tls::install_provider();
        Ok(Self {
            plain: builder().tls_certs_only([]).build()?,
            secure: OnceLock::new(),
        })
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

/// A connection for each call: one that is kept would be closed by the other peer at the moment it is used again (actix-web keeps
/// it for 5 s, and peers are asked how they are every 5 s), and a signed request is not sent twice.
fn builder() -> ClientBuilder {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never());
    builder.pool_max_idle_per_host(0).no_proxy().timeout(LIMIT)
}

#[async_trait]
impl SignedGet for HttpSignedGet {
    async fn get(&self, call: SignedCall) -> Result<CallAnswer, Problem> {
        let answer = self.call(&call, call.secret_hash.clone()).await?;
        match &call.previous {
            // The client's side of a rotation's overlap: the callee has not heard of it yet, and has done nothing.
            Some(previous) if answer.status == 401 && answer.body["error"] == "BAD_SIGNATURE" => {
                self.call(&call, previous.clone()).await
            }
            _ => Ok(answer),
        }
    }
}

impl HttpSignedGet {
    async fn call(
        &self,
        call: &SignedCall,
        secret_hash: SecretHash,
    ) -> Result<CallAnswer, Problem> {
        let http = self.client(call.url.scheme())?;
        let signer = Signer::new(call.client_id.clone(), secret_hash);
        // Signed here and sent as it is, so that what is shown is what was sent.
        let request = SignedClient::new(http.clone(), signer)
            .attempt_timeout(LIMIT)
            .sign(&Request::new(Method::GET, call.url.clone()))
            .map_err(|error| no_answer(&error))?;
        let shown = sent_request(&call.url, headers(&request));
        let response = http
            .execute(request)
            .await
            .map_err(|error| no_answer(&error.without_url()))?;
        let status = response.status().as_u16();
        let Some(body) = read(response).await.map_err(|error| no_answer(&error))? else {
            return Err(Problem::unavailable("the peer's answer is too long"));
        };
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        Ok(CallAnswer {
            status,
            body,
            request: shown,
        })
    }
}

#[async_trait]
impl PeerProbe for HttpSignedGet {
    async fn get(&self, url: &Url) -> Option<Vec<u8>> {
        let http = self.client(url.scheme()).ok()?;
        let response = http
            .get(url.clone())
            .timeout(PROBE_LIMIT)
            .send()
            .await
            .ok()?;
        read(response).await.ok()?
    }
}

/// Reads a body; `None` when it is too long.
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(reqwest::Error::without_url)?
    {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The headers of the signature, as they are sent.
fn headers(request: &Request) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect()
}

fn no_answer(error: &(dyn std::error::Error + 'static)) -> Problem {
    log_failure("a signed call got no answer", error);
    Problem::new(503, "TARGET_UNREACHABLE", "the peer did not answer")
}

#[cfg(test)]
mod tests {
    use auth_base::secret::Secret;
    use hmac_auth::credential::ClientId;
    use hmac_auth::secret_hash::hash_client_secret;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn every_call_has_a_connection_of_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/readyz", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(async move {
            let mut kept = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await
                    .unwrap();
                // The other side may use it again; it shall not.
                kept.push(stream);
            }
        });
        let calls = HttpSignedGet::new().unwrap();
        for _ in 0..2 {
            assert_eq!(
                PeerProbe::get(&calls, &url).await.as_deref(),
                Some(&b"ok"[..])
            );
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_has_not_heard_of_a_rotation_is_called_with_the_previous_secret() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!(
            "http://{}/api/echo",
            listener.local_addr().unwrap()
        ))
        .unwrap();
        let server = tokio::spawn(async move {
            for (status, body) in [
                ("401 Unauthorized", r#"{"error":"BAD_SIGNATURE"}"#),
                ("200 OK", "{}"),
            ] {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let hash = |plain: &str| hash_client_secret(&Secret::new(plain), None);
        let client_id = ClientId::parse("billing").unwrap();
        let call = SignedCall {
            url,
            client_id,
            secret_hash: hash("new"),
            previous: Some(hash("old")),
        };
        let calls = HttpSignedGet::new().unwrap();
        assert_eq!(SignedGet::get(&calls, call).await.unwrap().status, 200);
        server.await.unwrap();
    }

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
