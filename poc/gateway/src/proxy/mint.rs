//! The name of a request, and the token that it comes to a peer with.

use std::sync::Arc;
use std::time::Duration;

use auth_base::error_chain::chain;
use auth_base::random::{Random, SystemRandom};
use axum::http::HeaderValue;
use jwt_auth::{InternalGrant, InternalTokenIssuer, Scopes, Signer, SubjectKind};
use mesh_api::permission::Permission;
use tokio::time::timeout;

/// A key signs within this time.
const SIGN_LIMIT: Duration = Duration::from_secs(5);

/// Makes both.
#[derive(Clone)]
pub(crate) struct Mint {
    issuer: InternalTokenIssuer,
    random: Arc<dyn Random>,
}

/// Whom a token speaks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker<'a> {
    pub(crate) subject: &'a str,
    pub(crate) kind: SubjectKind,
    /// What people call the caller.
    pub(crate) name: Option<&'a str>,
    pub(crate) permissions: &'a [Permission],
    pub(crate) session: Option<&'a str>,
}

/// What a token is for.
pub(crate) struct Wanted<'a> {
    pub(crate) audience: &'a str,
    /// What the request is part of; may be empty.
    pub(crate) scope: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a str,
    /// Path and query, as they will be sent.
    pub(crate) target: &'a str,
}

impl Mint {
    /// Signs with the key of `signer`.
    pub(crate) fn new(signer: Arc<dyn Signer>) -> Self {
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

    /// The value of `X-Internal-Auth` for one request; `None`, and a line in the log, when the key does not sign. Logs never show
    /// it.
    pub(crate) async fn token(
        &self,
        speaker: &Speaker<'_>,
        wanted: &Wanted<'_>,
    ) -> Option<HeaderValue> {
        let permissions = speaker.permissions.iter().map(|it| it.as_str().to_owned());
        let issuing = self.issuer.issue(InternalGrant {
            audience: wanted.audience,
            subject: speaker.subject,
            subject_kind: speaker.kind,
            name: speaker.name,
            scope: Scopes::parse(wanted.scope).unwrap_or_default(),
            permissions: permissions.collect(),
            request_id: wanted.request_id,
            method: wanted.method,
            uri: wanted.target,
            tenant: None,
            session: speaker.session,
        });
        let why = match timeout(SIGN_LIMIT, issuing).await {
            Ok(Ok(token)) => match HeaderValue::from_str(token.expose()) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    return Some(value);
                }
                Err(_) => "the token is no header".to_owned(),
            },
            Ok(Err(error)) => chain(&error),
            Err(_) => "the key does not sign in time".to_owned(),
        };
        tracing::error!(why, "no internal token can be made");
        None
    }
}
