//! Verifies proofs: the checks of RFC 9449, section 4.3, cheap ones first.
//!
//! Four things to note:
//! - The steps run in the order of [`DpopError`], and the first one that fails decides.
//! - The store is asked last: a forged proof costs no round trip, and a good one that fails elsewhere is not used up.
//! - Whatever key a proof carries (of one byte, of 33, off the curve), the answer is a refusal: no step can panic.
//! - A proof counts for a minute and is remembered for longer, so it cannot come back in its last second.

use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::Value;

use crate::claims::{LEEWAY_SECONDS, SKEW_SECONDS, is_jti, milliseconds, now_seconds, seconds};
use crate::compact::Compact;
use crate::dpop::error::DpopError;
use crate::dpop::htu::Htu;
use crate::dpop::nonces::{DpopNonces, Worth};
use crate::encoding;
use crate::public_jwk::{InvalidJwk, PublicJwk};
use crate::replay::ReplayGuard;
use crate::token_kind::TokenKind;

/// A proof may have so many bytes.
pub const MAX_PROOF_BYTES: usize = 4 * 1024;

/// A proof counts for so many seconds after its `iat`.
pub const PROOF_SECONDS: i64 = 60;

/// A proof is remembered for so many seconds after its `iat`: longer than it counts, since the clocks of two instances differ.
pub const KEPT_SECONDS: i64 = PROOF_SECONDS + LEEWAY_SECONDS + SKEW_SECONDS;

/// The request that came with a proof.
#[derive(Clone, Copy)]
pub struct ProofRequest<'a> {
    /// The values of all DPoP headers, as they came.
    pub proofs: &'a [&'a [u8]],
    /// The method, as it came.
    pub method: &'a str,
    /// The URL under which the sender knows this server.
    pub url: &'a Htu,
}

/// What a proof is for.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum ProofPurpose<'a> {
    /// A token is asked for, and will be bound to the key (RFC 9449, section 5).
    TokenRequest,
    /// An access token is used (RFC 9449, section 7).
    Resource {
        /// The access token, as it came.
        access_token: &'a str,
        /// The thumbprint of the key it is bound to (`cnf.jkt`).
        jkt: &'a str,
    },
}

/// A good proof.
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    /// The key that the sender holds; its thumbprint is the `jkt` of tokens.
    pub key: PublicJwk,
    /// A fresh nonce for the answer's header `DPoP-Nonce`, when that of the proof gets old (RFC 9449, section 8.2).
    pub next_nonce: Option<String>,
}

/// Verifies proofs. Clones share the store.
#[derive(Clone)]
pub struct DpopVerifier {
    replay: ReplayGuard,
    clock: Arc<dyn Clock>,
    nonces: Option<DpopNonces>,
}

#[derive(Deserialize)]
struct Claims {
    htm: String,
    htu: String,
    #[serde(deserialize_with = "seconds")]
    iat: i64,
    jti: String,
    nonce: Option<String>,
    ath: Option<String>,
}

impl DpopVerifier {
    /// Verifies on the system's clock, and asks for no nonce.
    pub fn new(replay: ReplayGuard) -> Self {
        Self {
            replay,
            clock: Arc::new(SystemClock),
            nonces: None,
        }
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Asks for a nonce of `nonces` in every proof.
    pub fn nonces(mut self, nonces: DpopNonces) -> Self {
        self.nonces = Some(nonces);
        self
    }

    /// Verifies the proof of a request, and uses it up.
    ///
    /// # Errors
    /// The first step that fails.
    pub async fn verify(
        &self,
        request: ProofRequest<'_>,
        purpose: ProofPurpose<'_>,
    ) -> Result<VerifiedProof, DpopError> {
        let (key, claims) = read(only_proof(request.proofs)?)?;
        let now_ms = self.clock.now_ms();
        check_request(&claims, request)?;
        check_time(&claims, now_ms)?;
        let next_nonce = self.check_nonce(&claims)?;
        if let ProofPurpose::Resource { access_token, jkt } = purpose {
            check_binding(&claims, &key, access_token, jkt)?;
        }
        let until_ms = milliseconds(claims.iat.saturating_add(KEPT_SECONDS));
        let first = self
            .replay
            .is_first(key.thumbprint(), &claims.jti, until_ms, now_ms)
            .await
            .map_err(DpopError::Store)?;
        match first {
            true => Ok(VerifiedProof { key, next_nonce }),
            false => Err(DpopError::Replayed),
        }
    }

    /// Gives a fresh nonce, if the one of the proof gets old.
    fn check_nonce(&self, claims: &Claims) -> Result<Option<String>, DpopError> {
        let Some(nonces) = &self.nonces else {
            return Ok(None);
        };
        let worth = claims.nonce.as_deref().map(|nonce| nonces.judge(nonce));
        match worth.unwrap_or(Worth::None) {
            Worth::Fresh => Ok(None),
            Worth::Aging => Ok(Some(nonces.issue())),
            Worth::None => Err(DpopError::NonceNeeded {
                fresh: nonces.issue(),
            }),
        }
    }
}

/// The claim `ath`: the base64url of the SHA-256 of an access token (RFC 9449, section 4.2).
pub fn access_token_hash(access_token: &str) -> String {
    encoding::sha256(access_token)
}

fn only_proof<'a>(proofs: &[&'a [u8]]) -> Result<&'a str, DpopError> {
    match proofs {
        [] => Err(DpopError::Missing),
        [proof] if proof.len() > MAX_PROOF_BYTES => Err(DpopError::TooLarge),
        [proof] => std::str::from_utf8(proof).map_err(|_| DpopError::Malformed),
        _ => Err(DpopError::Repeated),
    }
}

/// Everything that the proof says of itself.
fn read(proof: &str) -> Result<(PublicJwk, Claims), DpopError> {
    let compact = Compact::read(proof, MAX_PROOF_BYTES)?;
    if !TokenKind::DpopProof.accepts(compact.typ()?) {
        return Err(DpopError::Type);
    }
    let members = compact.jwk().ok_or(DpopError::Key(InvalidJwk::Syntax))?;
    // The signature decides whether the point is on its curve.
    let key = PublicJwk::from_members_unproven(members).map_err(DpopError::Key)?;
    compact.verify(&key)?;
    let claims = Value::Object(compact.claims()?);
    let claims = serde_json::from_value(claims).map_err(|_| DpopError::Claims)?;
    Ok((key, claims))
}

fn check_request(claims: &Claims, request: ProofRequest<'_>) -> Result<(), DpopError> {
    if claims.htm != request.method {
        return Err(DpopError::Method);
    }
    match Htu::parse(&claims.htu) {
        Ok(htu) if htu == *request.url => Ok(()),
        _ => Err(DpopError::Url),
    }
}

fn check_time(claims: &Claims, now_ms: i64) -> Result<(), DpopError> {
    let now = now_seconds(now_ms);
    if claims.iat < now.saturating_sub(PROOF_SECONDS) {
        return Err(DpopError::TooOld);
    }
    if claims.iat > now.saturating_add(LEEWAY_SECONDS) {
        return Err(DpopError::InTheFuture);
    }
    match is_jti(&claims.jti) {
        true => Ok(()),
        false => Err(DpopError::TokenId),
    }
}

fn check_binding(
    claims: &Claims,
    key: &PublicJwk,
    access_token: &str,
    jkt: &str,
) -> Result<(), DpopError> {
    if claims.ath.as_deref() != Some(&access_token_hash(access_token)) {
        return Err(DpopError::AccessTokenHash);
    }
    match key.thumbprint() == jkt {
        true => Ok(()),
        false => Err(DpopError::Binding),
    }
}
