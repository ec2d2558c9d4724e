//! Issues internal tokens: the gateway's part.

use std::sync::Arc;

use auth_base::clock::Clock;
use auth_base::random::Random;
use auth_base::secret::Secret;

use crate::claims::Scopes;
use crate::internal_token::claims::{ISSUER, InternalClaims, LIFETIME_SECONDS, SubjectKind};
use crate::mint::Mint;
use crate::seal::{SealError, seal};
use crate::signer::Signer;
use crate::token_kind::TokenKind;

/// What a service is told about one request.
#[derive(Clone, Debug)]
pub struct InternalGrant<'a> {
    /// The service.
    pub audience: &'a str,
    /// Who the request comes from.
    pub subject: &'a str,
    /// What kind of caller that is.
    pub subject_kind: SubjectKind,
    /// What people call the caller.
    pub name: Option<&'a str>,
    /// What the request is part of.
    pub scope: Scopes,
    /// What the caller may do.
    pub permissions: Vec<String>,
    /// The request's name in logs.
    pub request_id: &'a str,
    /// The method that will be sent.
    pub method: &'a str,
    /// The path and query that will be sent.
    pub uri: &'a str,
    /// The tenant.
    pub tenant: Option<&'a str>,
    /// The session.
    pub session: Option<&'a str>,
}

/// Issues internal tokens. Clones share the key.
#[derive(Clone)]
pub struct InternalTokenIssuer {
    mint: Mint,
    issuer: String,
}

impl InternalTokenIssuer {
    /// Issues with the key of `signer`, as the gateway.
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            mint: Mint::new(signer),
            issuer: ISSUER.to_owned(),
        }
    }

    /// Issues as `issuer`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.mint.clock = clock;
        self
    }

    /// Takes `jti` from `random`.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.mint.random = random;
        self
    }

    /// Issues the token of one request.
    ///
    /// # Errors
    /// That of the signer.
    pub async fn issue(&self, grant: InternalGrant<'_>) -> Result<Secret, SealError> {
        let iat = self.mint.iat();
        let claims = InternalClaims {
            iss: self.issuer.clone(),
            aud: grant.audience.to_owned(),
            sub: grant.subject.to_owned(),
            sub_kind: grant.subject_kind,
            name: grant.name.map(str::to_owned),
            scope: grant.scope,
            permissions: grant.permissions,
            request_id: grant.request_id.to_owned(),
            iat,
            exp: iat.saturating_add(LIFETIME_SECONDS),
            jti: self.mint.jti(),
            htm: grant.method.to_owned(),
            uri: grant.uri.to_owned(),
            tid: grant.tenant.map(str::to_owned),
            sid: grant.session.map(str::to_owned),
        };
        seal(TokenKind::Internal, &*self.mint.signer, &claims).await
    }
}
