//! Verifies internal tokens: the part of a service behind the gateway.

use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use auth_base::store_error::StoreError;

use crate::claims::{
    LEEWAY_SECONDS, SKEW_SECONDS, Scopes, is_expired, is_in_the_future, is_jti, milliseconds,
};
use crate::compact::Compact;
use crate::internal_token::claims::{
    CompatClaims, ISSUER, InternalClaims, LIFETIME_SECONDS, SubjectKind,
};
use crate::internal_token::rejection::{InternalRejection, InvalidInternalToken};
use crate::key_source::KeySource;
use crate::open::{MAX_TOKEN_BYTES, believe, open};
use crate::open_error::OpenError;
use crate::public_jwk::PublicJwk;
use crate::replay::ReplayGuard;
use crate::token_kind::TokenKind;

/// A token is remembered for so many seconds after its `exp`: past the tolerance, since the clocks of two instances differ.
pub const KEPT_SECONDS: i64 = 2 * LEEWAY_SECONDS + SKEW_SECONDS;

/// What of a request counts for what the gateway says of it.
#[derive(Clone, Copy)]
pub struct InternalRequest<'a> {
    /// The values of all headers called `X-Internal-Auth`.
    pub tokens: &'a [&'a [u8]],
    /// The method, as it came.
    pub method: &'a str,
    /// The request target, as it came: path and query.
    pub uri: &'a str,
}

/// What the gateway says of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct InternalContext {
    /// Who the request comes from.
    pub subject: String,
    /// What kind of caller that is. The original's form does not say; there everybody but `system` is a user.
    pub subject_kind: SubjectKind,
    /// What people call the caller, where the gateway says it: for logs and pages, never to decide anything by.
    pub name: Option<String>,
    /// What the request is part of.
    pub scope: Scopes,
    /// What the caller may do.
    pub permissions: Vec<String>,
    /// The request's name in logs, for the answer's `X-Request-Id`.
    pub request_id: String,
    /// The tenant.
    pub tenant: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// When the token ends, in seconds since 1970: what goes on for longer ends with it.
    pub exp: i64,
}

impl InternalContext {
    /// The subject as a number, where the callers of a service have numbers.
    pub fn subject_number(&self) -> Option<u64> {
        let number = self.subject.parse().ok()?;
        // "042" and "+42" are other names.
        (u64::to_string(&number) == self.subject).then_some(number)
    }

    /// Asks for a scope.
    ///
    /// # Errors
    /// [`InternalRejection::ScopeDenied`].
    pub fn require_scope(&self, scope: &str) -> Result<(), InternalRejection> {
        match self.scope.contains(scope) {
            true => Ok(()),
            false => Err(InternalRejection::ScopeDenied {
                needed: scope.to_owned(),
            }),
        }
    }

    /// Asks for one of `permissions`; for none, when the list is empty.
    ///
    /// # Errors
    /// [`InternalRejection::PermissionDenied`].
    pub fn require_any_permission(&self, permissions: &[&str]) -> Result<(), InternalRejection> {
        let has = |permission: &&str| self.permissions.iter().any(|it| it == permission);
        match permissions.is_empty() || permissions.iter().any(has) {
            true => Ok(()),
            false => Err(InternalRejection::PermissionDenied {
                needed: permissions.iter().map(|it| (*it).to_owned()).collect(),
            }),
        }
    }
}

/// The original's form, where it is taken.
#[derive(Clone)]
struct Compat {
    key: PublicJwk,
    audience: String,
}

/// Verifies internal tokens for one service. Clones share keys and store.
#[derive(Clone)]
pub struct InternalTokenVerifier {
    keys: Arc<dyn KeySource>,
    replay: ReplayGuard,
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
    compat: Option<Compat>,
}

impl InternalTokenVerifier {
    /// Takes tokens of the gateway, signed with one of `keys`, for the service `audience`.
    pub fn new(keys: Arc<dyn KeySource>, replay: ReplayGuard, audience: impl Into<String>) -> Self {
        Self {
            keys,
            replay,
            issuer: ISSUER.to_owned(),
            audience: audience.into(),
            clock: Arc::new(SystemClock),
            compat: None,
        }
    }

    /// Takes tokens of `issuer` instead of the gateway's.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes tokens in the original's form too, if `key` signed them for `audience` (`api`).
    pub fn compat(mut self, key: PublicJwk, audience: impl Into<String>) -> Self {
        self.compat = Some(Compat {
            key,
            audience: audience.into(),
        });
        self
    }

    /// Verifies the token of a request, and uses it up.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn verify(
        &self,
        request: InternalRequest<'_>,
    ) -> Result<InternalContext, InternalRejection> {
        let token = match request.tokens {
            [] | [b""] => return Err(InternalRejection::Missing),
            [token] => std::str::from_utf8(token).map_err(|_| InvalidInternalToken::Header),
            _ => Err(InvalidInternalToken::Header),
        }
        .map_err(InternalRejection::Invalid)?;
        let verified = match &self.compat {
            Some(compat) if has_no_typ(token) => self.verify_compat(token, compat),
            _ => self.verify_own(token, request).await,
        };
        verified.map_err(|failure| match failure {
            Failure::Invalid(InvalidInternalToken::Open(OpenError::Keys(error)))
            | Failure::Store(error) => InternalRejection::Store(error),
            Failure::Invalid(reason) => InternalRejection::Invalid(reason),
        })
    }

    async fn verify_own(
        &self,
        token: &str,
        request: InternalRequest<'_>,
    ) -> Result<InternalContext, Failure> {
        let opened = open(TokenKind::Internal, token, &*self.keys).await;
        let claims = opened.and_then(|opened| opened.into_claims::<InternalClaims>());
        let claims = claims.map_err(InvalidInternalToken::Open)?;
        let now_ms = self.clock.now_ms();
        self.check(&claims.iss, &claims.aud, &self.audience)?;
        check_times(claims.iat, claims.exp, now_ms)?;
        if !is_jti(&claims.jti) {
            return Err(InvalidInternalToken::TokenId.into());
        }
        if claims.htm != request.method || claims.uri != request.uri {
            return Err(InvalidInternalToken::Request.into());
        }
        let until_ms = milliseconds(claims.exp.saturating_add(KEPT_SECONDS));
        let first = self
            .replay
            .is_first(&claims.iss, &claims.jti, until_ms, now_ms)
            .await
            .map_err(Failure::Store)?;
        if !first {
            return Err(InvalidInternalToken::Replayed.into());
        }
        Ok(InternalContext {
            subject: claims.sub,
            subject_kind: claims.sub_kind,
            name: claims.name,
            scope: claims.scope,
            permissions: claims.permissions,
            request_id: claims.request_id,
            tenant: claims.tid,
            session: claims.sid,
            exp: claims.exp,
        })
    }

    fn verify_compat(&self, token: &str, compat: &Compat) -> Result<InternalContext, Failure> {
        let read = || {
            let compact = Compact::read(token, MAX_TOKEN_BYTES)?;
            believe(&compact, compat.key.clone())?.into_claims::<CompatClaims>()
        };
        let claims = read().map_err(InvalidInternalToken::Open)?;
        self.check(&claims.iss, &claims.aud, &compat.audience)?;
        check_times(claims.iat, claims.exp, self.clock.now_ms())?;
        let subject_kind = match claims.sub.as_str() {
            "system" => SubjectKind::System,
            _ => SubjectKind::User,
        };
        Ok(InternalContext {
            subject: claims.sub,
            subject_kind,
            name: None,
            scope: claims.scope,
            permissions: claims.permissions,
            request_id: claims.request_id,
            tenant: None,
            session: None,
            exp: claims.exp,
        })
    }

    fn check(&self, iss: &str, aud: &str, audience: &str) -> Result<(), InvalidInternalToken> {
        if iss != self.issuer {
            return Err(InvalidInternalToken::Issuer);
        }
        match aud == audience {
            true => Ok(()),
            false => Err(InvalidInternalToken::Audience),
        }
    }
}

/// What went wrong, before it is told whose fault that is.
enum Failure {
    Invalid(InvalidInternalToken),
    Store(StoreError),
}

impl From<InvalidInternalToken> for Failure {
    fn from(reason: InvalidInternalToken) -> Self {
        Self::Invalid(reason)
    }
}

/// The original writes `alg` and no more.
fn has_no_typ(token: &str) -> bool {
    let compact = Compact::read(token, MAX_TOKEN_BYTES);
    compact.is_ok_and(|it| matches!((it.typ(), it.kid()), (Ok(None), Ok(None))))
}

fn check_times(iat: i64, exp: i64, now_ms: i64) -> Result<(), InvalidInternalToken> {
    if is_expired(exp, now_ms) {
        return Err(InvalidInternalToken::Expired);
    }
    let lives_too_long = exp.saturating_sub(iat) > LIFETIME_SECONDS;
    match lives_too_long || is_in_the_future(iat, now_ms) {
        true => Err(InvalidInternalToken::Times),
        false => Ok(()),
    }
}
