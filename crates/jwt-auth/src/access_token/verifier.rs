//! Verifies requests to a resource: the token, then the proof that belongs to it.

use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};

use crate::access_token::claims::AccessClaims;
use crate::access_token::rejection::{AccessRejection, InvalidAccessToken};
use crate::authorization::{Credentials, InvalidAuthorization, Scheme};
use crate::claims::{is_expired, is_in_the_future, is_jti};
use crate::dpop::{DpopError, DpopVerifier, Htu, ProofPurpose, ProofRequest, VerifiedProof};
use crate::key_source::KeySource;
use crate::open::open;
use crate::open_error::OpenError;
use crate::public_jwk::PublicJwk;
use crate::token_kind::TokenKind;

/// What of a request counts for who it comes from.
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The values of all headers called `Authorization`.
    pub authorization: &'a [&'a [u8]],
    /// The values of all headers called `DPoP`.
    pub proofs: &'a [&'a [u8]],
    /// The method, as it came.
    pub method: &'a str,
    /// The URL under which the sender knows this server.
    pub url: &'a Htu,
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub struct AccessContext {
    /// What the token says.
    pub claims: AccessClaims,
    /// How it came.
    pub scheme: Scheme,
    /// The key that the sender holds, if the token is bound to one.
    pub key: Option<PublicJwk>,
    /// A fresh nonce for the answer's header `DPoP-Nonce`.
    pub next_nonce: Option<String>,
}

impl AccessContext {
    /// Asks for a scope.
    ///
    /// # Errors
    /// [`AccessRejection::InsufficientScope`].
    pub fn require_scope(&self, scope: &str) -> Result<(), AccessRejection> {
        match self.claims.scope.contains(scope) {
            true => Ok(()),
            false => Err(AccessRejection::InsufficientScope {
                scheme: self.scheme,
                needed: scope.to_owned(),
            }),
        }
    }
}

/// Verifies requests to one resource. Clones share keys and store.
#[derive(Clone)]
pub struct AccessTokenVerifier {
    keys: Arc<dyn KeySource>,
    dpop: DpopVerifier,
    issuer: String,
    audience: String,
    bound_only: bool,
    clock: Arc<dyn Clock>,
}

impl AccessTokenVerifier {
    /// Takes tokens of `issuer`, signed with one of `keys`, for the resource `audience`; bound ones with a proof that `dpop`
    /// takes. The names are compared as they stand.
    pub fn new(
        keys: Arc<dyn KeySource>,
        dpop: DpopVerifier,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        Self {
            keys,
            dpop,
            issuer: issuer.into(),
            audience: audience.into(),
            bound_only: false,
            clock: Arc::new(SystemClock),
        }
    }

    /// Takes the time from `clock`. The verifier of proofs has one of its own.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Refuses tokens that are bound to no key.
    pub fn bound_only(mut self) -> Self {
        self.bound_only = true;
        self
    }

    /// Verifies a request, and uses its proof up.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn verify(
        &self,
        request: AccessRequest<'_>,
    ) -> Result<AccessContext, AccessRejection> {
        let credentials =
            Credentials::read(request.authorization).map_err(|invalid| match invalid {
                InvalidAuthorization::NoToken => self.no_credentials(),
                InvalidAuthorization::Malformed => AccessRejection::Malformed,
            })?;
        let scheme = credentials.scheme;
        let refused = |reason| AccessRejection::InvalidToken { scheme, reason };
        let claims = self
            .read(credentials.token)
            .await
            .map_err(|reason| match reason {
                InvalidAccessToken::Open(OpenError::Keys(error)) => AccessRejection::Store(error),
                reason => refused(reason),
            })?;
        let proof = match (scheme, &claims.cnf) {
            (Scheme::Bearer, None) if !self.bound_only => None,
            (Scheme::Bearer, Some(_)) => return Err(refused(InvalidAccessToken::Downgraded)),
            (_, None) => return Err(refused(InvalidAccessToken::NotBound)),
            (Scheme::Dpop, Some(bound)) => {
                Some(self.prove(request, credentials.token, &bound.jkt).await?)
            }
        };
        let (key, next_nonce) = match proof {
            Some(proof) => (Some(proof.key), proof.next_nonce),
            None => (None, None),
        };
        Ok(AccessContext {
            claims,
            scheme,
            key,
            next_nonce,
        })
    }

    /// What a request without a token is refused with: its challenge says which tokens are taken.
    pub fn no_credentials(&self) -> AccessRejection {
        AccessRejection::NoCredentials {
            bound_only: self.bound_only,
        }
    }

    /// Opens a token and checks its claims (RFC 9068, section 4). How it came, and its proof, are not looked at.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn read(&self, token: &str) -> Result<AccessClaims, InvalidAccessToken> {
        let opened = open(TokenKind::Access, token, &*self.keys).await;
        let claims = opened.and_then(|opened| opened.into_claims::<AccessClaims>());
        let claims = claims.map_err(InvalidAccessToken::Open)?;
        let now_ms = self.clock.now_ms();
        let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
        if claims.iss != self.issuer {
            return Err(InvalidAccessToken::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(InvalidAccessToken::Audience);
        }
        if is_expired(claims.exp, now_ms) {
            return Err(InvalidAccessToken::Expired);
        }
        if is_in_the_future(begins, now_ms) {
            return Err(InvalidAccessToken::NotYet);
        }
        match is_jti(&claims.jti) {
            true => Ok(claims),
            false => Err(InvalidAccessToken::Open(OpenError::Claims)),
        }
    }

    async fn prove(
        &self,
        request: AccessRequest<'_>,
        access_token: &str,
        jkt: &str,
    ) -> Result<VerifiedProof, AccessRejection> {
        let proof = ProofRequest {
            proofs: request.proofs,
            method: request.method,
            url: request.url,
        };
        let purpose = ProofPurpose::Resource { access_token, jkt };
        let verified = self.dpop.verify(proof, purpose).await;
        verified.map_err(|error| match error {
            DpopError::Store(error) => AccessRejection::Store(error),
            error => AccessRejection::InvalidProof(error),
        })
    }
}
