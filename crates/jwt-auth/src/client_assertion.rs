//! Client assertions: how a client proves to the authorization server who it is, with its own key (RFC 7523, section 3;
//! `private_key_jwt`).
//!
//! Verifying takes two steps, because a client's keys are found by what the assertion claims:
//!
//! 1. [`PendingAssertion::read`] takes it apart and tells which client it claims to come from.
//! 2. [`ClientAssertionVerifier::verify`] asks the keys of that client, and uses the assertion up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::Random;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::claims::{
    Audience, LEEWAY_SECONDS, SKEW_SECONDS, is_expired, is_in_the_future, is_jti, milliseconds,
    seconds, seconds_rounded_up,
};
use crate::compact::Compact;
use crate::jwks::Jwks;
use crate::mint::Mint;
use crate::open::{believe, of_kind};
use crate::open_error::OpenError;
use crate::public_jwk::PublicJwk;
use crate::replay::ReplayGuard;
use crate::seal::{SealError, seal};
use crate::signer::Signer;
use crate::token_kind::TokenKind;

/// The value of `client_assertion_type` (RFC 7523, section 2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion of ours ends after so many seconds.
pub const LIFETIME_SECONDS: i64 = 60;

/// Why an assertion is refused.
///
/// To blame are the client (everything but `Store`) or this side (`Store`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// It is not genuine, or not of this kind.
    #[error("the client assertion: {0}")]
    Open(OpenError),
    /// `iss` and `sub` are not the one client (RFC 7523, section 3, rules 1 and 2).
    #[error("iss and sub of the client assertion are not the client")]
    Client,
    /// It is for somebody else too, or not for this server (rule 3).
    #[error("the client assertion is not for this server, and for it only")]
    Audience,
    /// Its life is over (rule 4).
    #[error("the client assertion has expired")]
    Expired,
    /// It is from the future, or lives too long (rules 4 to 6).
    #[error("the times of the client assertion are not acceptable")]
    Times,
    /// It has no `jti`, or one with too many characters (rule 7).
    #[error("jti of the client assertion has no or too many characters")]
    TokenId,
    /// It was used before (rule 7).
    #[error("the client assertion was used before")]
    Replayed,
    /// The store that remembers assertions failed. The caller learns no more than that.
    #[error("the store of client assertions failed")]
    Store(#[source] StoreError),
}

impl AssertionError {
    /// The error code of RFC 6749, section 5.2; `temporarily_unavailable` when this side failed.
    pub fn code(&self) -> &'static str {
        self.code_and_status().0
    }

    /// The HTTP status at a token endpoint.
    pub fn status(&self) -> u16 {
        self.code_and_status().1
    }

    fn code_and_status(&self) -> (&'static str, u16) {
        match self {
            Self::Store(_) | Self::Open(OpenError::Keys(_)) => ("temporarily_unavailable", 503),
            _ => ("invalid_client", 401),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    jti: String,
    #[serde(deserialize_with = "seconds")]
    exp: i64,
    #[serde(
        default,
        deserialize_with = "seconds_rounded_up",
        skip_serializing_if = "Option::is_none"
    )]
    iat: Option<i64>,
    #[serde(
        default,
        deserialize_with = "seconds_rounded_up",
        skip_serializing_if = "Option::is_none"
    )]
    nbf: Option<i64>,
}

/// Makes assertions as one client. Clones share the key.
#[derive(Clone)]
pub struct ClientAssertions {
    mint: Mint,
    client_id: String,
}

impl ClientAssertions {
    /// Signs as `client_id` with the key of `signer`.
    pub fn new(signer: Arc<dyn Signer>, client_id: impl Into<String>) -> Self {
        Self {
            mint: Mint::new(signer),
            client_id: client_id.into(),
        }
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

    /// Makes an assertion for one request to `audience`, the issuer's name of the authorization server.
    ///
    /// # Errors
    /// That of the signer.
    pub async fn make(&self, audience: &str) -> Result<Secret, SealError> {
        let iat = self.mint.iat();
        let claims = Claims {
            iss: self.client_id.clone(),
            sub: self.client_id.clone(),
            aud: Audience::one(audience),
            jti: self.mint.jti(),
            exp: iat.saturating_add(LIFETIME_SECONDS),
            iat: Some(iat),
            nbf: None,
        };
        seal(TokenKind::ClientAssertion, &*self.mint.signer, &claims).await
    }
}

/// An assertion that was taken apart and proves nothing yet.
#[must_use = "an assertion proves nothing before it was verified"]
pub struct PendingAssertion<'a> {
    compact: Compact<'a>,
    claims: Claims,
}

impl<'a> PendingAssertion<'a> {
    /// Takes an assertion apart.
    ///
    /// # Errors
    /// [`AssertionError::Open`] or [`AssertionError::Client`].
    pub fn read(assertion: &'a str) -> Result<Self, AssertionError> {
        let compact =
            of_kind(TokenKind::ClientAssertion, assertion).map_err(AssertionError::Open)?;
        let claims = Value::Object(compact.claims().map_err(AssertionError::Open)?);
        let claims: Claims =
            serde_json::from_value(claims).map_err(|_| AssertionError::Open(OpenError::Claims))?;
        match !claims.iss.is_empty() && claims.iss == claims.sub {
            true => Ok(Self { compact, claims }),
            false => Err(AssertionError::Client),
        }
    }

    /// Which client it claims to come from. Good enough to look for that client's keys, never to believe it.
    pub fn claimed_client_id(&self) -> &str {
        &self.claims.iss
    }
}

impl fmt::Debug for PendingAssertion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAssertion")
            .field("claimed_client_id", &self.claims.iss)
            .finish_non_exhaustive()
    }
}

/// Verifies assertions for one authorization server. Clones share the store.
#[derive(Clone)]
pub struct ClientAssertionVerifier {
    replay: ReplayGuard,
    audiences: Vec<String>,
    longest: Duration,
    clock: Arc<dyn Clock>,
}

impl ClientAssertionVerifier {
    /// The end of an assertion may lie so far ahead, unless [`Self::longest`] says otherwise: some clients' libraries make
    /// them for an hour.
    pub const LONGEST: Duration = Duration::from_secs(60 * 60);

    /// Takes assertions for `audiences`: the issuer's name of this server, and the URLs of its token endpoint for clients
    /// that name these.
    pub fn new<A: Into<String>>(
        replay: ReplayGuard,
        audiences: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            replay,
            audiences: audiences.into_iter().map(Into::into).collect(),
            longest: Self::LONGEST,
            clock: Arc::new(SystemClock),
        }
    }

    /// Refuses assertions whose end lies further ahead than `longest`.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Verifies an assertion with the keys of the client that it claims to come from, and uses it up. Answers the key that
    /// signed it.
    ///
    /// # Errors
    /// The first check that fails.
    pub async fn verify(
        &self,
        pending: PendingAssertion<'_>,
        keys: &Jwks,
    ) -> Result<PublicJwk, AssertionError> {
        let PendingAssertion { compact, claims } = pending;
        let key = key_of(&compact, keys).map_err(AssertionError::Open)?;
        believe(&compact, key.clone()).map_err(AssertionError::Open)?;
        let now_ms = self.clock.now_ms();
        let names = claims.aud.names();
        if names.is_empty() || names.iter().any(|name| !self.audiences.contains(name)) {
            return Err(AssertionError::Audience);
        }
        self.check_times(&claims, now_ms)?;
        if !is_jti(&claims.jti) {
            return Err(AssertionError::TokenId);
        }
        let until_ms = milliseconds(claims.exp.saturating_add(2 * LEEWAY_SECONDS + SKEW_SECONDS));
        let first = self
            .replay
            .is_first(&claims.iss, &claims.jti, until_ms, now_ms)
            .await
            .map_err(AssertionError::Store)?;
        match first {
            true => Ok(key),
            false => Err(AssertionError::Replayed),
        }
    }

    fn check_times(&self, claims: &Claims, now_ms: i64) -> Result<(), AssertionError> {
        if is_expired(claims.exp, now_ms) {
            return Err(AssertionError::Expired);
        }
        let longest = i64::try_from(self.longest.as_secs()).unwrap_or(i64::MAX);
        let lives_too_long = is_in_the_future(claims.exp.saturating_sub(longest), now_ms);
        let begins = claims.iat.max(claims.nbf);
        match lives_too_long || begins.is_some_and(|time| is_in_the_future(time, now_ms)) {
            true => Err(AssertionError::Times),
            false => Ok(()),
        }
    }
}

/// The key that the header names; where it names none, the only one of its algorithm.
fn key_of(compact: &Compact<'_>, keys: &Jwks) -> Result<PublicJwk, OpenError> {
    if let Some(kid) = compact.kid()? {
        return keys.find(kid).cloned().ok_or(OpenError::UnknownKey);
    }
    let algorithm = compact.algorithm()?;
    let mut fitting = keys
        .keys()
        .iter()
        .filter(|key| key.algorithm() == algorithm);
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(OpenError::UnknownKey),
        _ => Err(OpenError::KeyId),
    }
}
