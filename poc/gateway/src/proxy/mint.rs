//! The name of a request, and the token that it comes to a peer with.

use std::sync::Arc;
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::random::{Random, SystemRandom};
use axum::http::HeaderValue;
use jwt_auth::{InternalGrant, InternalTokenIssuer, Scopes, Signer};
use tokio::time::timeout;

use crate::proxy::refusal::Refusal;
use crate::proxy::who::Caller;

/// A key signs within this time.
const SIGN_LIMIT: Duration = Duration::from_secs(5);

/// Makes both.
pub(super) struct Mint {
    issuer: InternalTokenIssuer,
    random: Arc<dyn Random>,
}

/// What a token is for.
pub(super) struct Wanted<'a> {
    pub(super) audience: &'a str,
    pub(super) request_id: &'a str,
    pub(super) method: &'a str,
    /// Path and query, as they will be sent.
    pub(super) target: &'a str,
}

impl Mint {
    /// Signs with the key of `signer`.
    pub(super) fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            issuer: InternalTokenIssuer::new(signer),
            random: Arc::new(SystemRandom),
        }
    }

    /// A name that no other request has: 32 hexadecimal digits.
    pub(super) fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        format!("{:032x}", u128::from_be_bytes(bytes))
    }

    /// The value of `X-Internal-Auth` for one request of `caller`. Logs never show it.
    ///
    /// # Errors
    /// 503 when the key does not sign.
    pub(super) async fn token(
        &self,
        caller: &Caller,
        wanted: &Wanted<'_>,
    ) -> Result<HeaderValue, Refusal> {
        let permissions = caller.permissions.iter().map(|it| it.as_str().to_owned());
        let issuing = self.issuer.issue(InternalGrant {
            audience: wanted.audience,
            subject: &caller.subject,
            subject_kind: caller.kind,
            name: caller.name.as_deref(),
            scope: Scopes::default(),
            permissions: permissions.collect(),
            request_id: wanted.request_id,
            method: wanted.method,
            uri: wanted.target,
            tenant: None,
            session: caller.session.as_deref(),
        });
        let unavailable = |why: &str| {
            tracing::error!(why, "no internal token can be made");
            Refusal::auth_unavailable()
        };
        let token = match timeout(SIGN_LIMIT, issuing).await {
            Ok(Ok(token)) => token,
            Ok(Err(error)) => return Err(unavailable(&chain(&error))),
            Err(_) => return Err(unavailable("the key does not sign in time")),
        };
        let value = HeaderValue::from_str(token.expose());
        let mut value = value.map_err(|_| unavailable("the token is no header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}
