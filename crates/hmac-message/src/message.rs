//! Signs and verifies one message.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use hmac_auth::canonical::read_hex;
use hmac_auth::credential::ClientId;
use hmac_auth::credential_store::{CredentialStore, StoredCredential};
use hmac_auth::previous_use::{PreviousSecretUse, PreviousSecretUses};
use hmac_auth::rejection::Rejection;
use hmac_auth::secret_hash::SecretHash;
use hmac_auth::verify::SecretUsed;
use sha2::{Digest, Sha256};

use crate::canonical_json::canonical_json;
use crate::invalid_message::InvalidMessage;

/// A message as it is at hand.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// No message; signed as the empty text.
    Null,
    /// Text, signed as it is.
    Text(&'a str),
    /// Bytes, signed as they are.
    Bytes(&'a [u8]),
    /// JSON text, signed in its canonical form: the order of keys, white space and the spelling of numbers do not count.
    Json(&'a str),
}

impl<'a> Message<'a> {
    /// The canonical text, whose digest is signed.
    ///
    /// # Errors
    /// [`InvalidMessage`] when [`Message::Json`] is not JSON.
    pub fn canonical(self) -> Result<Cow<'a, [u8]>, InvalidMessage> {
        Ok(match self {
            Self::Null => Cow::Borrowed(&[]),
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Json(json) => Cow::Owned(canonical_json(json)?.into_bytes()),
        })
    }
}

/// Hashes a message: `SHA-256` of its canonical text in lower-case hex.
///
/// # Errors
/// [`InvalidMessage`] when [`Message::Json`] is not JSON.
pub fn message_hash(message: Message<'_>) -> Result<String, InvalidMessage> {
    Ok(hex::encode(Sha256::digest(message.canonical()?)))
}

/// Joins what is signed: `client_id \n message_hash`.
pub fn message_signing_payload(client_id: &ClientId, message_hash: &str) -> String {
    format!("{client_id}\n{message_hash}")
}

/// Signs a message: `HMAC-SHA256` of [`message_signing_payload`] in lower-case hex.
///
/// # Errors
/// [`InvalidMessage`] when [`Message::Json`] is not JSON.
pub fn sign_message(
    client_id: &ClientId,
    secret_hash: &SecretHash,
    message: Message<'_>,
) -> Result<String, InvalidMessage> {
    let payload = message_signing_payload(client_id, &message_hash(message)?);
    Ok(hex::encode(secret_hash.sign(&[payload.as_bytes()])))
}

/// The proof that a message was accepted.
#[derive(Clone, Debug)]
pub struct VerifiedMessage {
    /// Who signed.
    pub client_id: ClientId,
    /// With which secret.
    pub secret_used: SecretUsed,
}

/// Verifies messages against the credentials of the message track.
#[derive(Clone)]
pub struct MessageVerifier {
    credentials: Arc<dyn CredentialStore>,
    clock: Arc<dyn Clock>,
    rotation_grace: Option<Duration>,
    previous_uses: PreviousSecretUses,
}

impl MessageVerifier {
    /// Builds a verifier without a rotation grace.
    pub fn new(credentials: Arc<dyn CredentialStore>) -> Self {
        Self {
            credentials,
            clock: Arc::new(SystemClock),
            rotation_grace: None,
            previous_uses: PreviousSecretUses::default(),
        }
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Accepts the previous secret for this long after a rotation (wire contract 1.5), as long as the store still keeps
    /// it.
    pub fn rotation_grace(mut self, grace: Duration) -> Self {
        self.rotation_grace = Some(grace);
        self
    }

    /// Verifies a message: client id and signature present, client known and not expired, signature equal.
    ///
    /// # Errors
    /// The first check that fails. JSON that cannot be read is a bad signature: nobody can have signed it.
    pub async fn verify(
        &self,
        client_id: &str,
        message: Message<'_>,
        signature: &str,
    ) -> Result<VerifiedMessage, Rejection> {
        if client_id.trim().is_empty() {
            return Err(Rejection::MissingClientId);
        }
        let signature = signature.trim_ascii();
        if signature.is_empty() {
            return Err(Rejection::MissingSignature);
        }
        let client_id = ClientId::parse(client_id.trim()).map_err(|_| Rejection::UnknownClient)?;
        let found = self
            .credentials
            .find(&client_id)
            .await
            .map_err(Rejection::Store)?;
        let stored = found.ok_or(Rejection::UnknownClient)?;
        let now_ms = self.clock.now_ms();
        if stored.credential.is_expired(now_ms) {
            return Err(Rejection::ClientExpired);
        }
        let secret_used = self
            .secret_used(&client_id, &stored, message, signature, now_ms)
            .ok_or(Rejection::BadSignature)?;
        if secret_used == SecretUsed::Previous {
            self.previous_uses.record(&client_id, now_ms);
        }
        Ok(VerifiedMessage {
            client_id,
            secret_used,
        })
    }

    /// Tells whether a client still signs with its previous secret, and when it last did. Clones of a verifier share
    /// this.
    pub fn previous_secret_use(&self, client_id: &ClientId) -> Option<PreviousSecretUse> {
        self.previous_uses.of(client_id)
    }

    /// The same of all clients that did since this process started.
    pub fn previous_secret_uses(&self) -> &PreviousSecretUses {
        &self.previous_uses
    }

    fn secret_used(
        &self,
        client_id: &ClientId,
        stored: &StoredCredential,
        message: Message<'_>,
        signature: &str,
        now_ms: i64,
    ) -> Option<SecretUsed> {
        let signature = read_hex(signature.as_bytes())?;
        let payload = message_signing_payload(client_id, &message_hash(message).ok()?);
        SecretUsed::of(
            &stored.credential.secret_hash,
            stored.previous_within(self.rotation_grace, now_ms),
            &[payload.as_bytes()],
            &signature,
        )
    }
}

impl fmt::Debug for MessageVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageVerifier")
            .field("rotation_grace", &self.rotation_grace)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use auth_base::clock::ManualClock;
    use auth_base::secret::Secret;
    use hmac_auth::credential::{Change, CredentialChange};
    use hmac_auth::credential_store::{CredentialWrite, WriteCondition};
    use hmac_auth::memory::MemoryCredentialStore;
    use hmac_auth::secret_hash::hash_client_secret;

    use super::*;

    const MESSAGE: Message<'static> = Message::Json(r#"{"z":1,"a":[true]}"#);

    fn orders() -> ClientId {
        ClientId::parse("orders").unwrap()
    }

    fn hash(plain: &str) -> SecretHash {
        hash_client_secret(&Secret::new(plain), None)
    }

    fn signed(plain: &str) -> String {
        sign_message(&orders(), &hash(plain), MESSAGE).unwrap()
    }

    fn bench() -> (Arc<ManualClock>, MemoryCredentialStore, MessageVerifier) {
        let clock = Arc::new(ManualClock::new(1_000));
        let store = MemoryCredentialStore::with_clock(clock.clone());
        let verifier = MessageVerifier::new(Arc::new(store.clone())).clock(clock.clone());
        (clock, store, verifier)
    }

    fn change(store: &MemoryCredentialStore, plain: Option<&str>, expires_at: Option<i64>) {
        let change = CredentialChange {
            secret_hash: plain.map(hash),
            expires_at: Change::Set(expires_at),
            ..CredentialChange::default()
        };
        let write = CredentialWrite {
            change,
            condition: WriteCondition::Always,
            now_ms: 1_000,
            backup_ttl: Duration::from_secs(600),
        };
        store.write_now(&orders(), &write);
    }

    async fn code(
        verifier: &MessageVerifier,
        client_id: &str,
        message: Message<'_>,
        signature: &str,
    ) -> &'static str {
        let verified = verifier.verify(client_id, message, signature).await;
        verified.map_or_else(|rejection| rejection.code(), |_| "OK")
    }

    #[tokio::test]
    async fn the_first_check_that_fails_decides() {
        let (clock, store, verifier) = bench();
        assert_eq!(code(&verifier, " ", MESSAGE, "").await, "MISSING_CLIENT_ID");
        assert_eq!(
            code(&verifier, "orders", MESSAGE, " ").await,
            "MISSING_SIGNATURE"
        );
        assert_eq!(
            code(&verifier, "orders", MESSAGE, "x").await,
            "UNKNOWN_CLIENT"
        );
        change(&store, Some("one"), Some(1_000));
        assert_eq!(
            code(&verifier, "orders", MESSAGE, "x").await,
            "BAD_SIGNATURE"
        );
        assert_eq!(
            code(&verifier, "orders", MESSAGE, &signed("two")).await,
            "BAD_SIGNATURE"
        );
        assert_eq!(
            code(&verifier, "orders", Message::Json("{"), &signed("one")).await,
            "BAD_SIGNATURE"
        );
        assert_eq!(
            code(&verifier, " orders ", MESSAGE, &signed("one")).await,
            "OK"
        );
        clock.set(1_001);
        assert_eq!(
            code(&verifier, "orders", MESSAGE, &signed("one")).await,
            "CLIENT_EXPIRED"
        );
    }

    #[tokio::test]
    async fn the_same_json_spelled_otherwise_is_the_same_message() {
        let (_, store, verifier) = bench();
        change(&store, Some("one"), None);
        let other = Message::Json("{ \"a\" : [ true ], \"z\" : 1.0e0 }");
        assert_eq!(code(&verifier, "orders", other, &signed("one")).await, "OK");
        let text = Message::Text(r#"{"a":[true],"z":1}"#);
        assert_eq!(code(&verifier, "orders", text, &signed("one")).await, "OK");
    }

    #[tokio::test]
    async fn the_previous_secret_counts_within_the_grace_only() {
        let (clock, store, verifier) = bench();
        change(&store, Some("one"), None);
        change(&store, Some("two"), None);
        assert_eq!(
            code(&verifier, "orders", MESSAGE, &signed("one")).await,
            "BAD_SIGNATURE"
        );
        let verifier = verifier.rotation_grace(Duration::from_secs(1));
        let verified = verifier
            .verify("orders", MESSAGE, &signed("one"))
            .await
            .unwrap();
        assert_eq!(verified.secret_used, SecretUsed::Previous);
        assert_eq!(verifier.previous_secret_use(&orders()).unwrap().count, 1);
        clock.set(2_001);
        assert_eq!(
            code(&verifier, "orders", MESSAGE, &signed("one")).await,
            "BAD_SIGNATURE"
        );
    }
}
