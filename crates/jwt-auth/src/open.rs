//! Opens tokens: is this one of its kind, signed by a known key?
//!
//! Four things to note:
//! - The checks run in the order of [`OpenError`]: what costs nothing first, the key source before the signature, the claims
//!   last.
//! - The header is read once, by one reader, and decides nothing but which known key is asked. A key in the header (`jwk`,
//!   `jku`, `x5c`) is not looked at; only a DPoP proof carries its own ([`crate::dpop`]).
//! - An opened token is genuine, and no more: whose it is, for whom and until when say its claims, which the verifiers of the
//!   kinds check ([`crate::access_token`], [`crate::internal_token`], [`crate::client_assertion`]).
//! - The signature is checked before the claims are read.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::compact::Compact;
use crate::key_source::KeySource;
use crate::open_error::OpenError;
use crate::public_jwk::PublicJwk;
use crate::token_kind::TokenKind;

/// A token may have so many bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A genuine token.
#[derive(Clone)]
pub struct Opened {
    /// The key that signed it.
    pub key: PublicJwk,
    claims: Map<String, Value>,
}

impl Opened {
    /// The claims as they stand in the token.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Reads the claims as `T`.
    ///
    /// # Errors
    /// [`OpenError::Claims`].
    pub fn into_claims<T: DeserializeOwned>(self) -> Result<T, OpenError> {
        serde_json::from_value(Value::Object(self.claims)).map_err(|_| OpenError::Claims)
    }
}

/// Claims may be personal: only the key is shown.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Opens a token of `kind`, whose header names a key of `keys`.
///
/// # Errors
/// The first check that fails.
pub async fn open(kind: TokenKind, token: &str, keys: &dyn KeySource) -> Result<Opened, OpenError> {
    let compact = of_kind(kind, token)?;
    let kid = compact.kid()?.ok_or(OpenError::KeyId)?;
    let key = keys.key(kid).await.map_err(OpenError::Keys)?;
    believe(&compact, key.ok_or(OpenError::UnknownKey)?)
}

/// Opens a token of `kind` with the one key that may have signed it, whatever key its header names.
///
/// # Errors
/// The first check that fails.
pub fn open_with(kind: TokenKind, token: &str, key: &PublicJwk) -> Result<Opened, OpenError> {
    believe(&of_kind(kind, token)?, key.clone())
}

/// Takes a token apart that says to be of `kind` and of an algorithm of ours.
pub(crate) fn of_kind(kind: TokenKind, token: &str) -> Result<Compact<'_>, OpenError> {
    let compact = Compact::read(token, MAX_TOKEN_BYTES)?;
    if !kind.accepts(compact.typ()?) {
        return Err(OpenError::Type);
    }
    compact.algorithm()?;
    Ok(compact)
}

/// Verifies a token with `key`.
pub(crate) fn believe(compact: &Compact<'_>, key: PublicJwk) -> Result<Opened, OpenError> {
    compact.verify(&key)?;
    let claims = compact.claims()?;
    Ok(Opened { key, claims })
}
