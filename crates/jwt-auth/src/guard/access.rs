//! Routes that clients call with tokens of the authorization server.

use std::sync::Arc;

use crate::access_token::{AccessContext, AccessRequest, AccessTokenVerifier};
use crate::dpop::{Htu, InvalidHtu};
use crate::guard::contract::{Guard, Passed};
use crate::guard::head::Head;
use crate::guard::refusal::Refusal;

/// Lets requests in that bear an access token, and a proof if it is bound to a key. Clones share the verifier.
#[derive(Clone)]
pub struct AccessGuard {
    verifier: AccessTokenVerifier,
    public_url: Arc<str>,
    scope: Option<Arc<str>>,
}

impl AccessGuard {
    /// Lets every request in whose token is good. `public_url` is the URL under which clients call this server, such as
    /// `https://orders.example`: their proofs name it (RFC 9449, section 4.2), whatever a proxy in front sends as `Host`.
    ///
    /// # Errors
    /// [`InvalidHtu`] for what is no http or https URL, or has a query, a fragment or a user.
    pub fn new(verifier: AccessTokenVerifier, public_url: &str) -> Result<Self, InvalidHtu> {
        Htu::of_request(public_url, "/")?;
        Ok(Self {
            verifier,
            public_url: public_url.into(),
            scope: None,
        })
    }

    /// What a request without a token is answered: a route that takes tokens of another kind as well adds its challenge.
    pub fn without_a_token(&self) -> Refusal {
        self.verifier.no_credentials().into()
    }

    /// Asks for a scope too: 403 `insufficient_scope` without.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.into());
        self
    }
}

impl Guard for AccessGuard {
    type Context = AccessContext;

    async fn admit(&self, head: Head<'_>) -> Result<Passed<AccessContext>, Refusal> {
        let url = Htu::of_request(&self.public_url, head.target);
        let url = url.map_err(|_| Refusal::no_target())?;
        let request = AccessRequest {
            authorization: &head.authorization,
            proofs: &head.proofs,
            method: head.method,
            url: &url,
        };
        let context = self.verifier.verify(request).await?;
        if let Some(scope) = &self.scope {
            context.require_scope(scope)?;
        }
        let nonce = context.next_nonce.clone().map(|it| ("dpop-nonce", it));
        Ok(Passed {
            context,
            headers: nonce.into_iter().collect(),
        })
    }
}
