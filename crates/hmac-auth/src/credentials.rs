//! Operations on credentials, over any [`CredentialStore`] (wire contract 1.5).
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use std::sync::Arc;
//!
//! use hmac_auth::{Credentials, MemoryCredentialStore, NewCredential, Secret};
//!
//! let credentials = Credentials::new(Arc::new(MemoryCredentialStore::new())).pepper(Secret::new("pepper"));
//! let issued = credentials.create("orders", NewCredential::generated()).await?;
//! assert_eq!(issued.secret.expose().len(), 64); // the only time the plain secret is seen
//!
//! let rotated = credentials.regenerate_secret("orders").await?;
//! let reverted = credentials.revert("orders").await?;
//! assert!(reverted.secret_hash.matches(&issued.credential.secret_hash));
//! assert!(credentials.create("orders", NewCredential::generated()).await.is_err());
//! # Ok::<_, hmac_auth::credentials::CredentialError>(()) }).unwrap();
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_base::clock::{Clock, SystemClock};
use auth_base::random::{Random, SystemRandom};
use auth_base::secret::{InvalidSecret, Secret};
use auth_base::store_error::StoreError;
use zeroize::Zeroizing;

use crate::allowed_ips::{AllowedIps, InvalidRule};
use crate::credential::{Change, ClientId, Credential, CredentialChange};
use crate::credential_store::{
    CredentialPage, CredentialStore, CredentialWrite, StoredCredential, WriteCondition,
    WriteOutcome,
};
use crate::secret_hash::{SecretHash, hash_client_secret};

/// How many bytes a plain secret has, at least and at most.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

/// Why an operation on credentials was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The client id is blank.
    #[error("client id is missing")]
    MissingClientId,
    /// The client id is longer than 128 bytes or holds a control character.
    #[error("a client id has 1 to 128 bytes and no control character")]
    InvalidClientId,
    /// The client id may not be made.
    #[error("the id of a new client has visible ASCII characters only, and no blank")]
    UnusualClientId,
    /// There is no such client.
    #[error("client is not found")]
    ClientNotFound,
    /// There is such a client already, and replacing it was not asked for.
    #[error("client exists already")]
    ClientAlreadyExists,
    /// The plain secret cannot be one.
    #[error("the secret {0}")]
    InvalidSecret(#[from] InvalidSecret),
    /// A rule is neither an IP address nor a CIDR block.
    #[error(transparent)]
    InvalidRule(#[from] InvalidRule),
    /// No previous secret is kept (any more), so there is nothing to revert to.
    #[error("client has no previous secret to revert to")]
    NoPreviousSecret,
    /// The store failed. The caller learns no more than that.
    #[error("the credential store failed")]
    Store(#[from] StoreError),
}

impl CredentialError {
    /// The code and HTTP status for a management API.
    pub fn code_and_status(&self) -> (&'static str, u16) {
        match self {
            Self::MissingClientId => ("MISSING_CLIENT_ID", 400),
            Self::InvalidClientId | Self::UnusualClientId => ("INVALID_CLIENT_ID", 400),
            Self::ClientNotFound => ("CLIENT_NOT_FOUND", 404),
            Self::ClientAlreadyExists => ("CLIENT_ALREADY_EXISTS", 409),
            Self::InvalidSecret(_) => ("INVALID_SECRET", 400),
            Self::InvalidRule(_) => ("INVALID_ALLOWED_IPS", 400),
            Self::NoPreviousSecret => ("NO_PREVIOUS_SECRET", 409),
            Self::Store(StoreError::Unavailable(_)) => ("INTERNAL_ERROR", 503),
            Self::Store(_) => ("INTERNAL_ERROR", 500),
        }
    }

    /// The code.
    pub fn code(&self) -> &'static str {
        self.code_and_status().0
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.code_and_status().1
    }
}

/// What restricts a client beside its secret. By default both parts keep what is stored.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    /// When the credential expires, epoch milliseconds; `Set(None)` is never.
    pub expires_at: Change<Option<i64>>,
    /// Where requests may come from; `Set` of an empty list is everywhere.
    pub allowed_ips: Change<AllowedIps>,
}

/// What [`Credentials::create`] makes.
#[derive(Clone, Debug, Default)]
pub struct NewCredential {
    secret: Option<Secret>,
    restrictions: Restrictions,
    replace: bool,
}

impl NewCredential {
    /// With a secret made of 32 random bytes, in hex.
    pub fn generated() -> Self {
        Self::default()
    }

    /// With a given secret of 16 to 128 bytes.
    pub fn with_secret(secret: Secret) -> Self {
        Self {
            secret: Some(secret),
            ..Self::default()
        }
    }

    /// Refuses requests after this moment, epoch milliseconds; `None` is never.
    pub fn expires_at(mut self, expires_at: Option<i64>) -> Self {
        self.restrictions.expires_at = Change::Set(expires_at);
        self
    }

    /// Accepts requests from these addresses only; an empty list is everywhere.
    pub fn allowed_ips(mut self, allowed_ips: AllowedIps) -> Self {
        self.restrictions.allowed_ips = Change::Set(allowed_ips);
        self
    }

    /// Replaces the secret of a client that exists already, instead of refusing.
    pub fn or_replace(mut self) -> Self {
        self.replace = true;
        self
    }
}

/// A record together with its plain secret, which is seen this once.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Whose it is.
    pub client_id: ClientId,
    /// The plain secret, for the client.
    pub secret: Secret,
    /// What is stored.
    pub credential: Credential,
}

/// Manages the credentials of one track.
#[derive(Clone)]
pub struct Credentials {
    store: Arc<dyn CredentialStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pepper: Option<Secret>,
    backup_ttl: Duration,
}

type Done<T> = Result<T, CredentialError>;

impl Credentials {
    /// Manages what `store` keeps: no pepper, a replaced hash can be reverted to for 10 minutes.
    pub fn new(store: Arc<dyn CredentialStore>) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            pepper: None,
            backup_ttl: Duration::from_secs(600),
        }
    }

    /// Hashes plain secrets with this pepper (`HMAC_SECRET_TOKEN`, wire contract 1.1).
    pub fn pepper(mut self, pepper: Secret) -> Self {
        self.pepper = Some(pepper);
        self
    }

    /// Keeps a replaced hash for this long. A rotation grace can last no longer.
    pub fn backup_ttl(mut self, backup_ttl: Duration) -> Self {
        self.backup_ttl = backup_ttl;
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes generated secrets from `random`.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Makes a client's credential. The client id is trimmed; then it has visible ASCII characters only
    /// ([`ClientId::may_be_made`]), but for a client of an earlier time, which every other operation takes.
    ///
    /// # Errors
    /// [`CredentialError::ClientAlreadyExists`] unless [`NewCredential::or_replace`] was asked for; a bad client id or
    /// secret; a failing store.
    pub async fn create(&self, client_id: &str, new: NewCredential) -> Done<Issued> {
        let condition = if new.replace {
            WriteCondition::Always
        } else {
            WriteCondition::Absent
        };
        let client_id = client_id.trim();
        if !parse(client_id)?.may_be_made() {
            return Err(CredentialError::UnusualClientId);
        }
        let secret = new.secret.unwrap_or_else(|| self.generate());
        self.issue(client_id, secret, new.restrictions, condition)
            .await
    }

    /// Reads a client's credential.
    ///
    /// # Errors
    /// [`CredentialError::ClientNotFound`]; a bad client id; a failing store, or a record that cannot be read.
    pub async fn get(&self, client_id: &str) -> Done<Credential> {
        Ok(self.find(&parse(client_id)?).await?.credential)
    }

    /// Reads the hash that signs a client's requests.
    ///
    /// # Errors
    /// As of [`Self::get`].
    pub async fn secret_hash(&self, client_id: &str) -> Done<SecretHash> {
        Ok(self.get(client_id).await?.secret_hash)
    }

    /// Lists about `limit` records from `cursor` on; `None` is the beginning.
    ///
    /// # Errors
    /// A failing store.
    pub async fn list(&self, cursor: Option<&str>, limit: usize) -> Done<CredentialPage> {
        Ok(self.store.list(cursor, limit).await?)
    }

    /// Removes a client with everything that could bring its secret back.
    ///
    /// # Errors
    /// [`CredentialError::ClientNotFound`]; a bad client id; a failing store.
    pub async fn delete(&self, client_id: &str) -> Done<()> {
        let existed = self.store.delete(&parse(client_id)?).await?;
        existed.then_some(()).ok_or(CredentialError::ClientNotFound)
    }

    /// Gives a client a new generated secret; expiry and rules stay.
    ///
    /// # Errors
    /// [`CredentialError::ClientNotFound`]; a bad client id; a failing store.
    pub async fn regenerate_secret(&self, client_id: &str) -> Done<Issued> {
        let (secret, restrictions) = (self.generate(), Restrictions::default());
        self.issue(client_id, secret, restrictions, WriteCondition::Present)
            .await
    }

    /// Gives a client a new secret of 16 to 128 bytes.
    ///
    /// # Errors
    /// [`CredentialError::ClientNotFound`]; a bad client id or secret; a failing store.
    pub async fn set_secret(
        &self,
        client_id: &str,
        secret: Secret,
        restrictions: Restrictions,
    ) -> Done<Credential> {
        let issued = self.issue(client_id, secret, restrictions, WriteCondition::Present);
        Ok(issued.await?.credential)
    }

    /// Gives a client a new secret of which only the hash is known.
    ///
    /// # Errors
    /// [`CredentialError::ClientNotFound`]; a bad client id; a failing store.
    pub async fn set_secret_hash(
        &self,
        client_id: &str,
        secret_hash: SecretHash,
        restrictions: Restrictions,
    ) -> Done<Credential> {
        let client_id = parse(client_id)?;
        let change = restrictions.with(Some(secret_hash));
        self.write(&client_id, change, WriteCondition::Present)
            .await
    }

    /// Replaces a client's rules; an empty list is everywhere. The secret and the expiry stay.
    ///
    /// # Errors
    /// [`CredentialError::InvalidRule`] names the first bad rule; [`CredentialError::ClientNotFound`]; a bad client id; a
    /// failing store.
    pub async fn set_allowed_ips<S: AsRef<str>>(
        &self,
        client_id: &str,
        rules: &[S],
    ) -> Done<Credential> {
        let client_id = parse(client_id)?;
        let restrictions = Restrictions {
            allowed_ips: Change::Set(AllowedIps::parse(rules)?),
            ..Restrictions::default()
        };
        self.write(&client_id, restrictions.with(None), WriteCondition::Present)
            .await
    }

    /// Puts the previous secret back into force, while it is still kept; the one it replaces becomes the previous one.
    ///
    /// # Errors
    /// [`CredentialError::NoPreviousSecret`]; [`CredentialError::ClientNotFound`]; a bad client id; a failing store.
    pub async fn revert(&self, client_id: &str) -> Done<Credential> {
        let client_id = parse(client_id)?;
        let previous = self.find(&client_id).await?.previous;
        let previous = previous.ok_or(CredentialError::NoPreviousSecret)?;
        let change = Restrictions::default().with(Some(previous));
        self.write(&client_id, change, WriteCondition::Present)
            .await
    }

    /// Forgets the previous secret, which ends a rotation's grace at once; tells whether there was one.
    ///
    /// # Errors
    /// A bad client id; a failing store.
    pub async fn retire_previous(&self, client_id: &str) -> Done<bool> {
        Ok(self.store.forget_previous(&parse(client_id)?).await?)
    }

    async fn issue(
        &self,
        client_id: &str,
        secret: Secret,
        restrictions: Restrictions,
        condition: WriteCondition,
    ) -> Done<Issued> {
        let client_id = parse(client_id)?;
        secret.check(SECRET_BYTES)?;
        let change = restrictions.with(Some(hash_client_secret(&secret, self.pepper.as_ref())));
        let credential = self.write(&client_id, change, condition).await?;
        Ok(Issued {
            client_id,
            secret,
            credential,
        })
    }

    async fn find(&self, client_id: &ClientId) -> Done<StoredCredential> {
        let found = self.store.find(client_id).await?;
        found.ok_or(CredentialError::ClientNotFound)
    }

    async fn write(
        &self,
        client_id: &ClientId,
        change: CredentialChange,
        condition: WriteCondition,
    ) -> Done<Credential> {
        let write = CredentialWrite {
            change,
            condition,
            now_ms: self.clock.now_ms(),
            backup_ttl: self.backup_ttl,
        };
        match self.store.write(client_id, write).await? {
            WriteOutcome::Written(credential) => Ok(credential),
            WriteOutcome::AlreadyExists => Err(CredentialError::ClientAlreadyExists),
            WriteOutcome::NotFound => Err(CredentialError::ClientNotFound),
        }
    }

    fn generate(&self) -> Secret {
        let mut bytes = Zeroizing::new([0; 32]);
        self.random.fill(&mut *bytes);
        Secret::new(hex::encode(*bytes))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("backup_ttl", &self.backup_ttl)
            .finish_non_exhaustive()
    }
}

impl Restrictions {
    fn with(self, secret_hash: Option<SecretHash>) -> CredentialChange {
        CredentialChange {
            secret_hash,
            expires_at: self.expires_at,
            allowed_ips: self.allowed_ips,
        }
    }
}

fn parse(client_id: &str) -> Done<ClientId> {
    if client_id.trim().is_empty() {
        return Err(CredentialError::MissingClientId);
    }
    ClientId::parse(client_id).map_err(|_| CredentialError::InvalidClientId)
}

#[cfg(test)]
mod tests {
    use auth_base::clock::ManualClock;

    use super::*;
    use crate::memory::MemoryCredentialStore;

    fn bench() -> (Arc<ManualClock>, Credentials) {
        let clock = Arc::new(ManualClock::new(1_000));
        let store = Arc::new(MemoryCredentialStore::with_clock(clock.clone()));
        (clock.clone(), Credentials::new(store).clock(clock))
    }

    fn plain(text: &str) -> Secret {
        Secret::new(format!("{text}-0123456789abcdef"))
    }

    fn rules(rules: &[&str]) -> AllowedIps {
        AllowedIps::parse(rules).unwrap()
    }

    fn code<T>(done: Done<T>) -> &'static str {
        done.map_or_else(|error| error.code(), |_| "OK")
    }

    #[tokio::test]
    async fn a_client_is_made_once_unless_asked_otherwise() {
        let (clock, credentials) = bench();
        let new = || {
            NewCredential::with_secret(plain("one"))
                .expires_at(Some(9_000))
                .allowed_ips(rules(&["10.0.0.0/8"]))
        };
        let issued = credentials.create(" orders ", new()).await.unwrap();
        assert_eq!(issued.client_id.as_str(), "orders");
        assert!(
            issued
                .credential
                .secret_hash
                .matches(&hash_client_secret(&plain("one"), None))
        );
        assert_eq!(
            (issued.credential.created_at, issued.credential.updated_at),
            (1_000, 1_000)
        );
        assert_eq!(
            code(credentials.create("orders", new()).await),
            "CLIENT_ALREADY_EXISTS"
        );
        clock.set(2_000);
        let again = credentials
            .create("orders", NewCredential::generated().or_replace())
            .await
            .unwrap();
        assert_eq!(
            (again.credential.created_at, again.credential.updated_at),
            (1_000, 2_000)
        );
        assert_eq!(again.credential.expires_at, Some(9_000));
        assert_eq!(again.credential.allowed_ips.rules(), ["10.0.0.0/8"]);
    }

    #[tokio::test]
    async fn absent_keeps_and_an_explicit_none_clears() {
        let (_, credentials) = bench();
        let new = NewCredential::generated()
            .expires_at(Some(9))
            .allowed_ips(rules(&["10.0.0.1"]));
        credentials.create("orders", new).await.unwrap();
        let kept = credentials
            .set_secret("orders", plain("two"), Restrictions::default())
            .await
            .unwrap();
        assert_eq!(
            (kept.expires_at, kept.allowed_ips.rules().len()),
            (Some(9), 1)
        );
        let clear = Restrictions {
            expires_at: Change::Set(None),
            allowed_ips: Change::Set(AllowedIps::default()),
        };
        let hash = hash_client_secret(&plain("three"), None);
        let cleared = credentials
            .set_secret_hash("orders", hash, clear)
            .await
            .unwrap();
        assert_eq!(
            (cleared.expires_at, cleared.allowed_ips.is_empty()),
            (None, true)
        );
    }

    #[tokio::test]
    async fn the_pepper_goes_into_the_hash() {
        let (_, credentials) = bench();
        let peppered = credentials.clone().pepper(Secret::new("pepper"));
        let issued = peppered
            .create("orders", NewCredential::with_secret(plain("one")))
            .await
            .unwrap();
        let expected = hash_client_secret(&plain("one"), Some(&Secret::new("pepper")));
        assert!(issued.credential.secret_hash.matches(&expected));
        assert!(
            credentials
                .secret_hash("orders")
                .await
                .unwrap()
                .matches(&expected)
        );
    }

    #[tokio::test]
    async fn a_rotation_can_be_reverted_until_it_is_retired_or_deleted() {
        let (clock, credentials) = bench();
        let first = credentials
            .create("orders", NewCredential::generated())
            .await
            .unwrap();
        assert_eq!(
            code(credentials.revert("orders").await),
            "NO_PREVIOUS_SECRET"
        );
        let second = credentials.regenerate_secret("orders").await.unwrap();
        let reverted = credentials.revert("orders").await.unwrap();
        assert!(reverted.secret_hash.matches(&first.credential.secret_hash));
        let again = credentials.revert("orders").await.unwrap();
        assert!(again.secret_hash.matches(&second.credential.secret_hash));
        assert!(credentials.retire_previous("orders").await.unwrap());
        assert!(!credentials.retire_previous("orders").await.unwrap());
        assert_eq!(
            code(credentials.revert("orders").await),
            "NO_PREVIOUS_SECRET"
        );
        credentials.regenerate_secret("orders").await.unwrap();
        clock.advance(600_000);
        assert_eq!(
            code(credentials.revert("orders").await),
            "NO_PREVIOUS_SECRET"
        );
        credentials.regenerate_secret("orders").await.unwrap();
        credentials.delete("orders").await.unwrap();
        credentials
            .create("orders", NewCredential::generated())
            .await
            .unwrap();
        assert_eq!(
            code(credentials.revert("orders").await),
            "NO_PREVIOUS_SECRET"
        );
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let (_, credentials) = bench();
        let hash = hash_client_secret(&plain("one"), None);
        let none = Restrictions::default;
        assert_eq!(code(credentials.get("x").await), "CLIENT_NOT_FOUND");
        assert_eq!(code(credentials.secret_hash("x").await), "CLIENT_NOT_FOUND");
        assert_eq!(code(credentials.delete("x").await), "CLIENT_NOT_FOUND");
        assert_eq!(
            code(credentials.regenerate_secret("x").await),
            "CLIENT_NOT_FOUND"
        );
        assert_eq!(
            code(credentials.set_secret("x", plain("one"), none()).await),
            "CLIENT_NOT_FOUND"
        );
        assert_eq!(
            code(credentials.set_secret_hash("x", hash, none()).await),
            "CLIENT_NOT_FOUND"
        );
        assert_eq!(
            code(credentials.set_allowed_ips("x", &["10.0.0.1"]).await),
            "CLIENT_NOT_FOUND"
        );
        assert_eq!(code(credentials.revert("x").await), "CLIENT_NOT_FOUND");
        assert!(credentials.list(None, 10).await.unwrap().entries.is_empty());
    }

    #[tokio::test]
    async fn bad_input_has_its_error_and_writes_nothing() {
        let (_, credentials) = bench();
        let new = NewCredential::generated;
        assert_eq!(
            code(credentials.create(" ", new()).await),
            "MISSING_CLIENT_ID"
        );
        assert_eq!(
            code(credentials.create(&"x".repeat(129), new()).await),
            "INVALID_CLIENT_ID"
        );
        assert_eq!(
            code(credentials.create("a\u{7}b", new()).await),
            "INVALID_CLIENT_ID"
        );
        for length in [0, 15, 129] {
            let short = NewCredential::with_secret(Secret::new("s".repeat(length)));
            assert_eq!(code(credentials.create("x", short).await), "INVALID_SECRET");
        }
        assert_eq!(code(credentials.get("x").await), "CLIENT_NOT_FOUND");
        credentials.create("x", new()).await.unwrap();
        let bad = credentials
            .set_allowed_ips("x", &["10.0.0.1", "10.0.0.256"])
            .await
            .unwrap_err();
        assert_eq!(bad.code_and_status(), ("INVALID_ALLOWED_IPS", 400));
        assert!(bad.to_string().contains("10.0.0.256"));
        assert!(credentials.get("x").await.unwrap().allowed_ips.is_empty());
    }

    #[tokio::test]
    async fn a_plain_secret_is_shown_by_no_debug_text() {
        let (_, credentials) = bench();
        let new = NewCredential::with_secret(plain("one"));
        let shown = format!(
            "{new:?} {:?}",
            credentials.create("orders", new.clone()).await.unwrap()
        );
        assert!(!shown.contains(plain("one").expose()), "{shown}");
    }
}
