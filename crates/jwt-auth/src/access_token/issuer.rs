//! Issues access tokens.

use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::Clock;
use auth_base::random::Random;
use auth_base::secret::Secret;
use serde_json::{Map, Value};

use crate::access_token::claims::{AccessClaims, Confirmation};
use crate::claims::{Audience, Scopes, reserved};
use crate::mint::Mint;
use crate::public_jwk::PublicJwk;
use crate::seal::{SealError, seal};
use crate::signer::Signer;
use crate::token_kind::TokenKind;

/// What a token is issued for.
#[derive(Clone, Debug)]
pub struct AccessGrant {
    /// Who it speaks for.
    pub subject: String,
    /// Who gets it.
    pub client_id: String,
    /// The resource it is for.
    pub audience: String,
    /// What it allows.
    pub scope: Scopes,
    /// The key it is bound to: that of the proof which came with the request.
    pub bound_to: Option<PublicJwk>,
    /// The tenant.
    pub tenant: Option<String>,
    /// The session it belongs to.
    pub session: Option<String>,
    /// Claims of a profile.
    pub other: Map<String, Value>,
}

impl AccessGrant {
    /// A token for a client that speaks for itself (RFC 6749, section 4.4), bound to no key.
    pub fn of_client(client_id: impl Into<String>, audience: impl Into<String>) -> Self {
        let client_id = client_id.into();
        Self {
            subject: client_id.clone(),
            client_id,
            audience: audience.into(),
            scope: Scopes::default(),
            bound_to: None,
            tenant: None,
            session: None,
            other: Map::new(),
        }
    }
}

/// A token, and what the answer to its request says besides.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: Secret,
    /// Its own name, for an audit.
    pub jti: String,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

/// Issues access tokens. Clones share the key.
#[derive(Clone)]
pub struct AccessTokenIssuer {
    mint: Mint,
    issuer: String,
    lifetime: Duration,
}

impl AccessTokenIssuer {
    /// A token lives so long, unless [`Self::lifetime`] says otherwise.
    pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

    /// Issues as `issuer` with the key of `signer`. A `/` at the end of the issuer is dropped.
    pub fn new(signer: Arc<dyn Signer>, issuer: &str) -> Self {
        Self {
            mint: Mint::new(signer),
            issuer: issuer.trim_end_matches('/').to_owned(),
            lifetime: Self::LIFETIME,
        }
    }

    /// Lets a token live for `lifetime`, in whole seconds.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
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

    /// Issues a token.
    ///
    /// # Errors
    /// [`SealError::Reserved`] for a claim of a profile with the name of another; else that of the signer.
    pub async fn issue(&self, grant: AccessGrant) -> Result<IssuedToken, SealError> {
        if let Some(name) = reserved(&grant.other, &AccessClaims::NAMES) {
            return Err(SealError::Reserved(name));
        }
        let iat = self.mint.iat();
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let bound_to = grant.bound_to.map(|key| Confirmation {
            jkt: key.thumbprint().to_owned(),
        });
        let claims = AccessClaims {
            iss: self.issuer.clone(),
            sub: grant.subject,
            aud: Audience::one(grant.audience),
            client_id: grant.client_id,
            scope: grant.scope,
            jti: self.mint.jti(),
            iat,
            exp: iat.saturating_add(lifetime),
            nbf: None,
            cnf: bound_to,
            tid: grant.tenant,
            sid: grant.session,
            other: grant.other,
        };
        let token = seal(TokenKind::Access, &*self.mint.signer, &claims).await?;
        Ok(IssuedToken {
            token,
            jti: claims.jti,
            exp: claims.exp,
        })
    }
}
