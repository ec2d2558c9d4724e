//! Signs outbound requests.

use std::fmt;
use std::sync::Arc;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::{Random, SystemRandom};

use crate::canonical::{InvalidTarget, SigningHead, hash_body, normalize_target};
use crate::credential::ClientId;
use crate::header;
use crate::secret_hash::SecretHash;

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
    pub fn sign(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<SignedHeaders, InvalidTarget> {
        let path = normalize_target(target)?;
        let timestamp_ms = self.clock.now_ms();
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce);
        let head = SigningHead::new(method, &path, timestamp_ms, &hex::encode(nonce));
        let signature = self
            .secret_hash
            .sign(&[head.as_bytes(), hash_body(body).as_bytes()]);
        Ok(SignedHeaders {
            client_id: self.client_id.as_str().to_owned(),
            timestamp: head.timestamp().to_owned(),
            nonce: head.nonce().to_owned(),
            signature: hex::encode(signature),
        })
    }

    /// Who signs.
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// Tells whether `other` signs as the same client with the same secret. Compares the secrets in constant time.
    pub fn signs_like(&self, other: &Self) -> bool {
        self.client_id == other.client_id && self.secret_hash.matches(&other.secret_hash)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use auth_base::clock::ManualClock;
    use auth_base::secret::Secret;

    use super::*;
    use crate::canonical::{hash_body, sign_request, signing_payload};
    use crate::secret_hash::hash_client_secret;

    fn signer() -> Signer {
        let secret_hash = hash_client_secret(&Secret::new("secret"), None);
        let client_id = ClientId::parse("orders").unwrap();
        Signer::new(client_id, secret_hash).clock(Arc::new(ManualClock::new(1_700_000_000_000)))
    }

    #[test]
    fn a_signature_covers_the_normalised_request() {
        let signed = signer().sign("post", "/a/../b?x= y", b"body").unwrap();
        let payload = signing_payload(
            "POST",
            "/b?x=%20y",
            1_700_000_000_000,
            &signed.nonce,
            &hash_body(b"body"),
        );
        assert_eq!(
            signed.signature,
            sign_request(&signer().secret_hash, &payload)
        );
        assert_eq!(signed.timestamp, "1700000000000");
        assert_eq!(signed.client_id, "orders");
    }

    #[test]
    fn every_nonce_is_new() {
        let nonces: std::collections::HashSet<_> = (0..100)
            .map(|_| signer().sign("GET", "/", b"").unwrap().nonce)
            .collect();
        assert_eq!(nonces.len(), 100);
        assert!(nonces.iter().all(|nonce| nonce.len() == 32));
    }

    #[test]
    fn a_target_that_is_no_url_is_an_error() {
        assert_eq!(signer().sign("GET", "//", b"").unwrap_err(), InvalidTarget);
    }

    #[test]
    fn signers_of_one_client_and_secret_are_alike() {
        let named = |client: &str, secret: &str| {
            Signer::new(
                ClientId::parse(client).unwrap(),
                hash_client_secret(&Secret::new(secret), None),
            )
        };
        assert!(signer().signs_like(&named("orders", "secret")));
        assert!(!signer().signs_like(&named("orders", "another")));
        assert!(!signer().signs_like(&named("billing", "secret")));
    }

    #[test]
    fn the_hash_is_not_shown() {
        let signer = signer();
        let shown = format!("{signer:?}");
        assert!(!shown.contains(signer.secret_hash.prefix()), "{shown}");
    }
}
