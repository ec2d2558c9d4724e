//! Where credentials are kept.
//!
//! # Implementing
//! Implement [`CredentialStore`], then prove it with `hmac_testkit::credential_store_cases!` from your crate's `tests/`.
//! [`crate::memory`] is the complete model to compare with.

use std::time::Duration;

use async_trait::async_trait;
use auth_base::store_error::StoreError;

use crate::credential::{ClientId, Credential, CredentialChange};
use crate::secret_hash::SecretHash;

/// What a store has of one client.
#[derive(Clone, Debug)]
pub struct StoredCredential {
    /// The current record.
    pub credential: Credential,
    /// The hash before the last change of the hash, while its backup lives.
    pub previous: Option<SecretHash>,
    /// When the hash changed, epoch milliseconds; `None`: whoever changed it did not say so (a peer of the original), so it was
    /// at the last write or before.
    pub rotated_at: Option<i64>,
}

impl StoredCredential {
    /// The previous hash if it still counts at `now_ms`: for the `grace` after the hash changed, whatever else was written
    /// since (wire contract 1.5).
    pub fn previous_within(&self, grace: Option<Duration>, now_ms: i64) -> Option<&SecretHash> {
        let grace_ms = i64::try_from(grace?.as_millis()).unwrap_or(i64::MAX);
        let rotated_at = self.rotated_at.unwrap_or(self.credential.updated_at);
        let in_grace = now_ms <= rotated_at.saturating_add(grace_ms);
        self.previous.as_ref().filter(|_| in_grace)
    }
}

/// What must be true of the stored record for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteCondition {
    /// Writes in any case.
    Always,
    /// Writes only where there is no record yet.
    Absent,
    /// Writes only where there is a record.
    Present,
}

/// One atomic write of [`CredentialStore::write`].
#[derive(Clone, Debug)]
pub struct CredentialWrite {
    /// What changes.
    pub change: CredentialChange,
    /// When it may happen.
    pub condition: WriteCondition,
    /// The time of the change, epoch milliseconds.
    pub now_ms: i64,
    /// How long the replaced hash stays readable (10 minutes by default).
    pub backup_ttl: Duration,
}

/// How a write ended.
#[derive(Clone, Debug)]
pub enum WriteOutcome {
    /// The record as it is now.
    Written(Credential),
    /// [`WriteCondition::Absent`], and there was a record.
    AlreadyExists,
    /// [`WriteCondition::Present`] (or a change without a hash), and there was none.
    NotFound,
}

/// One page of [`CredentialStore::list`].
#[derive(Clone, Debug, Default)]
pub struct CredentialPage {
    /// The records, in no promised order. A corrupt record is listed as an error text instead of a credential.
    pub entries: Vec<(ClientId, Result<Credential, &'static str>)>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// Keeps credentials.
///
/// # Contract
/// - `write` is atomic: it reads, merges ([`CredentialChange::merge`]) and writes as one step, and keeps the replaced
///   hash for `backup_ttl` whenever the hash changes.
/// - `delete` removes record and backup in one step, so that a client made anew cannot be reverted to a leaked secret.
/// - Absent is `Ok(None)`; `Err` means broken.
#[async_trait]
pub trait CredentialStore: Send + Sync + 'static {
    /// Reads a client's record and its previous hash.
    async fn find(&self, client_id: &ClientId) -> Result<Option<StoredCredential>, StoreError>;

    /// Reads the records of many clients, in their order and without what they were before: in one round trip where the store
    /// can. `None` is absent; a corrupt record is told as an error text instead of a credential.
    async fn find_many(
        &self,
        client_ids: &[ClientId],
    ) -> Result<Vec<Option<Result<Credential, &'static str>>>, StoreError> {
        let mut found = Vec::with_capacity(client_ids.len());
        for client_id in client_ids {
            found.push(match self.find(client_id).await {
                Ok(stored) => stored.map(|stored| Ok(stored.credential)),
                Err(StoreError::Corrupt { reason, .. }) => Some(Err(reason)),
                Err(error) => return Err(error),
            });
        }
        Ok(found)
    }

    /// Applies one write.
    async fn write(
        &self,
        client_id: &ClientId,
        write: CredentialWrite,
    ) -> Result<WriteOutcome, StoreError>;

    /// Removes record and backup; tells whether there was a record.
    async fn delete(&self, client_id: &ClientId) -> Result<bool, StoreError>;

    /// Forgets the previous hash; tells whether there was one.
    async fn forget_previous(&self, client_id: &ClientId) -> Result<bool, StoreError>;

    /// Lists about `limit` records from `cursor` on (`None` = the beginning). A record that exists during the whole
    /// walk is listed at least once.
    async fn list(&self, cursor: Option<&str>, limit: usize) -> Result<CredentialPage, StoreError>;
}
