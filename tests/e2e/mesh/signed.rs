//! Signed calls, as any client would make them.

use hmac_auth::credential::ClientId;
use hmac_auth::secret_hash::SecretHash;
use hmac_auth::sign::{SignedHeaders, Signer};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::answer::Answer;
use super::environment::Peer;
use super::{Mesh, until};

pub(super) const ECHO: &str = "/api/echo";

/// A client with its hash.
#[derive(Clone)]
pub(crate) struct Caller(Signer);

impl Caller {
    /// Signs as `client` with `hash`.
    pub(crate) fn new(client: &str, hash: SecretHash) -> Self {
        Self(Signer::new(
            ClientId::parse(client).expect("a client id"),
            hash,
        ))
    }

    /// Fresh headers for an echo.
    pub(crate) fn headers(&self, method: &str, body: &[u8]) -> SignedHeaders {
        self.0.sign(method, ECHO, body).expect("a target")
    }
}

impl Mesh {
    /// Calls a peer's echo by GET.
    pub(crate) async fn call(&self, peer: Peer, caller: &Caller) -> Result<Answer, String> {
        self.send(self.signed(peer, caller)).await
    }

    /// A call of a peer's echo that is not sent yet.
    pub(crate) fn signed(&self, peer: Peer, caller: &Caller) -> RequestBuilder {
        with(
            self.request(Method::GET, peer, ECHO),
            &caller.headers("GET", b""),
        )
    }

    /// Calls a peer's echo by POST.
    pub(crate) async fn call_with(
        &self,
        peer: Peer,
        caller: &Caller,
        body: &Value,
    ) -> Result<Answer, String> {
        let body = body.to_string();
        let headers = caller.headers("POST", body.as_bytes());
        let request = self
            .request(Method::POST, peer, ECHO)
            .header("content-type", "application/json");
        self.send(with(request.body(body), &headers)).await
    }

    /// Calls a peer's echo with headers made before, or made up.
    pub(crate) async fn call_signed(
        &self,
        peer: Peer,
        headers: &SignedHeaders,
    ) -> Result<Answer, String> {
        self.send(with(self.request(Method::GET, peer, ECHO), headers))
            .await
    }

    /// Waits until all of `peers` let the caller in.
    pub(crate) async fn until_let_in(&self, peers: &[Peer], caller: &Caller) {
        for peer in peers {
            until(&format!("{} lets the client in", peer.name()), async || {
                self.call(*peer, caller).await?.is(200)
            })
            .await;
        }
    }

    /// Waits until all of `peers` refuse the caller with `code`.
    pub(crate) async fn until_refused(&self, peers: &[Peer], caller: &Caller, code: &str) {
        for peer in peers {
            until(
                &format!("{} refuses the client with {code}", peer.name()),
                async || self.call(*peer, caller).await?.refused(401, code),
            )
            .await;
        }
    }
}

pub(super) fn with(mut request: RequestBuilder, headers: &SignedHeaders) -> RequestBuilder {
    for (name, value) in headers.pairs() {
        request = request.header(name, value);
    }
    request
}
