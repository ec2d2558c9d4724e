//! Makes proofs (RFC 9449, section 4.2).

use std::sync::Arc;

use auth_base::clock::Clock;
use auth_base::random::Random;
use auth_base::secret::Secret;
use serde::Serialize;

use crate::dpop::htu::Htu;
use crate::dpop::verifier::access_token_hash;
use crate::mint::Mint;
use crate::public_jwk::PublicJwk;
use crate::seal::{SealError, seal_with_key};
use crate::signer::Signer;
use crate::token_kind::TokenKind;

/// Makes proofs with one key. Clones share it.
#[derive(Clone)]
pub struct DpopProver {
    mint: Mint,
}

/// The request that a proof is for.
#[derive(Clone, Copy)]
pub struct ProvenRequest<'a> {
    /// The method, in any case; the proof has it in upper case.
    pub method: &'a str,
    /// The absolute URL; the proof has it in its normal form.
    pub url: &'a str,
    /// The access token that goes with the request; none at a token endpoint.
    pub access_token: Option<&'a Secret>,
    /// The nonce that the server asked for.
    pub nonce: Option<&'a str>,
}

impl DpopProver {
    /// Proves with the key of `signer`, on the system's clock and randomness.
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            mint: Mint::new(signer),
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

    /// The key; its thumbprint is what tokens are bound to.
    pub fn key(&self) -> &PublicJwk {
        self.mint.signer.key()
    }

    /// Makes a proof for one request, with a `jti` of its own.
    ///
    /// # Errors
    /// [`SealError::Url`], or that of the signer.
    pub async fn prove(&self, request: ProvenRequest<'_>) -> Result<Secret, SealError> {
        #[derive(Serialize)]
        struct Claims<'a> {
            htm: String,
            htu: &'a str,
            iat: i64,
            jti: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            ath: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            nonce: Option<&'a str>,
        }

        let htu = Htu::parse(request.url).map_err(|_| SealError::Url)?;
        let token = request.access_token.map(Secret::expose);
        let claims = Claims {
            htm: request.method.to_ascii_uppercase(),
            htu: htu.as_str(),
            iat: self.mint.iat(),
            jti: self.mint.jti(),
            ath: token.map(access_token_hash),
            nonce: request.nonce,
        };
        seal_with_key(TokenKind::DpopProof, &*self.mint.signer, &claims).await
    }
}
