//! The seam to the source's database: which client should be where, and how far it has come.
//!
//! # Implementing
//! The eight callbacks of the contract come first and must be written; the batch forms below them have defaults that call
//! the single forms one by one, and a database answers them in a statement or two instead. Prove an implementation with
//! `hmac_testkit::management`; [`crate::memory::MemoryManagement`] is the complete model to compare with.
//!
//! # What is stored
//! A *credential* (client id and track) has a `generation` that counts its changes and a `change_ts` that says when the
//! last one was accepted. A *delivery* (credential and target) is the row of the transactional outbox: what that target
//! should hold by the last change accepted **for that target**, and how far it has come. What a change books and what a
//! delivery may become is decided in [`crate::delivery`]: a store loads, calls it, and writes.
//!
//! `change_ts` rises strictly: it is the largest of the clock, one more than every `ts` ever used for that credential, and
//! one more than the peer's cursor (`floor_ts`). An event's `ts` is the `change_ts` of its delivery, on every try: a retry
//! overtakes no later change. What was opened again is sent with one more than the last `ts` sent to that target.

mod desired;
mod repair;

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_auth::allowed_ips::AllowedIps;
use hmac_auth::credential::{Change, ClientId};
use hmac_auth::secret_hash::SecretHash;

use crate::origin::Origin;
use crate::peer_store::{CredentialKey, FinalStatus};
use crate::queue::PeerName;

pub use desired::{DesiredRecord, Operation};
pub use repair::{
    LocalChange, Reopening, ResyncQuery, ResyncRow, ResyncScope, SettledQuery, SettledRow,
    SettledScope,
};

/// The management store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagementError {
    /// There is no such credential, or it is revoked.
    #[error("unknown client {client_id}")]
    UnknownClient {
        /// The client asked for.
        client_id: ClientId,
    },
    /// Targets that are not in the inventory.
    #[error("unknown targets: {}", .targets.join(", "))]
    UnknownTargets {
        /// Their names as given.
        targets: Vec<String>,
    },
    /// The database cannot be reached, did not answer in time, or kept refusing a write conflict.
    #[error("management store unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database answered something that this code does not expect.
    #[error("management store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a change does.
#[derive(Clone, Debug)]
pub enum ChangeOperation {
    /// Gives the client a secret, on this peer and on the targets.
    Ensure {
        /// What travels.
        secret_hash: SecretHash,
        /// Where requests may come from.
        allowed_ips: Change<AllowedIps>,
        /// When it ends, epoch milliseconds.
        expires_at: Change<Option<i64>>,
    },
    /// Takes the credential away, from this peer and from the targets. A credential nobody knows may be revoked: then
    /// the targets are told all the same.
    Revoke,
}

/// One ensure or revoke.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// Whose credential.
    pub key: CredentialKey,
    /// What is done.
    pub operation: ChangeOperation,
    /// Which targets are told; may be empty.
    pub targets: Vec<PeerName>,
    /// The clock, epoch milliseconds.
    pub now_ms: i64,
    /// `change_ts` must be larger than this (the peer's cursor), if given.
    pub floor_ts: Option<i64>,
    /// Who asked, for the audit.
    pub origin: Origin,
}

/// One rotation: a new secret for a known credential and for every target that should hold it.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Whose credential.
    pub key: CredentialKey,
    /// What travels.
    pub secret_hash: SecretHash,
    /// The clock, epoch milliseconds.
    pub now_ms: i64,
    /// `change_ts` must be larger than this (the peer's cursor), if given.
    pub floor_ts: Option<i64>,
    /// Who asked, for the audit.
    pub origin: Origin,
}

/// A change that the management store has accepted: from here on it must converge.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Whether there was no live credential before.
    pub created: bool,
    /// Counts the changes of the credential.
    pub generation: u64,
    /// When the change was accepted; strictly rising for each credential, epoch milliseconds.
    pub change_ts: i64,
    /// What this peer's own store must hold now; `None` is nothing (revoked).
    pub record: Option<DesiredRecord>,
}

/// Which rows a sync takes.
#[derive(Clone, Debug)]
pub struct PendingQuery {
    /// The claimer's clock, epoch milliseconds. Leases are by the store's own, so replicas whose clocks differ share them.
    pub now_ms: i64,
    /// A row that is `sent` (or `error`) is taken again when this long has passed since, in milliseconds.
    pub resend_after_ms: i64,
    /// Whether such rows are looked for at all; they need not be with every claim.
    pub overdue: bool,
    /// A claimed row may not be claimed again for this long, in milliseconds (the claimer may have crashed).
    pub lease_ms: i64,
    /// At most this many rows.
    pub limit: usize,
    /// Whose events they become.
    pub source: PeerName,
    /// What is random in the ids of the events, one for each row. A mark counts only for the claim it belongs to, which its
    /// event id tells.
    pub randoms: Vec<[u8; 16]>,
    /// Who asked for the sync, for the audit.
    pub origin: Origin,
}

/// One row claimed for sending. Claiming allots the event id and the `ts`, raises the attempt count and sets a lease,
/// all as one atomic step: two syncs at once never claim the same row.
#[derive(Clone, Debug)]
pub struct PendingPropagation {
    /// Whose credential.
    pub key: CredentialKey,
    /// The target's name as stored; it may be one that cannot be sent to.
    pub target: String,
    /// Which change this is.
    pub generation: u64,
    /// How many times it was claimed, this time included.
    pub attempt: u32,
    /// The event's id ([`crate::event_id`]).
    pub event_id: String,
    /// The event's `ts`, epoch milliseconds.
    pub ts: i64,
    /// What to send; `Err` says in words why this row cannot be sent. It is then reported, marked and skipped.
    pub message: Result<PendingMessage, String>,
}

/// What a claimed row says to its target.
#[derive(Clone, Debug)]
pub struct PendingMessage {
    /// The operation.
    pub operation: Operation,
    /// What the target should hold; `None` for a delete.
    pub record: Option<DesiredRecord>,
    /// The target's own propagation secret.
    pub propagation_secret: Secret,
}

/// How sending one claimed row ended.
#[derive(Clone, Debug)]
pub struct SentMark {
    /// Whose credential.
    pub key: CredentialKey,
    /// The target's name as stored.
    pub target: String,
    /// The change that was sent.
    pub generation: u64,
    /// The claim's event id.
    pub event_id: String,
    /// When, epoch milliseconds.
    pub at_ms: i64,
    /// `Ok`: the broker has it. `Err`: why not; the row is free for the next sync.
    pub outcome: Result<(), String>,
}

/// What a target answered.
#[derive(Clone, Debug)]
pub struct AckMark {
    /// Whose credential.
    pub key: CredentialKey,
    /// Who answered.
    pub target: PeerName,
    /// The change the answer is about. A mark for another generation than the row's changes nothing.
    pub generation: u64,
    /// The event it answers.
    pub event_id: String,
    /// When that was sent, epoch milliseconds. Most answers come before the mark that it was sent, and stand for it.
    pub sent_at: i64,
    /// When, epoch milliseconds.
    pub at_ms: i64,
    /// `Err`: the target's reason.
    pub outcome: Result<(), String>,
}

/// All targets of a credential have answered.
#[derive(Clone, Debug)]
pub struct FullyPropagated {
    /// Whose credential.
    pub key: CredentialKey,
    /// Over all targets.
    pub status: FinalStatus,
    /// When, epoch milliseconds.
    pub at_ms: i64,
}

/// The source's database.
///
/// # Contract
/// - A change is accepted as one transaction: credential, deliveries and audit rows, or nothing.
/// - The audit rows of a change, a rebooking or a claim say who asked for it ([`Origin`]); nothing that is sent does.
/// - Each transition of a delivery is the one of [`crate::delivery`], made while nobody else can make another (a lock on the
///   row, or one writer). A mark that comes late changes nothing and is no error.
/// - A plain secret is never stored: only its hash comes this far, and that is stored encrypted.
#[async_trait]
pub trait Management: Send + Sync + 'static {
    /// Accepts an ensure or a revoke.
    async fn upsert_credential_with_targets(
        &self,
        request: &ChangeRequest,
    ) -> Result<Accepted, ManagementError>;

    /// Accepts a rotation; the targets booked for anything but a deletion get the new secret.
    async fn rotate_credential_secret(
        &self,
        rotation: &Rotation,
    ) -> Result<Accepted, ManagementError>;

    /// Claims rows to send, the longest waiting first. `query.randoms` has at least `query.limit` entries.
    async fn fetch_pending_propagations(
        &self,
        query: &PendingQuery,
    ) -> Result<Vec<PendingPropagation>, ManagementError>;

    /// The propagation secret of the peer that sent an event, to sign its ack with; `None` when it is not in the inventory.
    async fn fetch_source_propagation_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError>;

    /// Books how sending ended.
    async fn mark_target_sent(&self, mark: &SentMark) -> Result<(), ManagementError>;

    /// Books that a target has the change: the mark's outcome is `Ok`.
    async fn mark_target_success(&self, mark: &AckMark) -> Result<(), ManagementError>;

    /// Books that a target refused the change: the mark's outcome is `Err`. It is sent again after `resend_after_ms`.
    async fn mark_target_error(&self, mark: &AckMark) -> Result<(), ManagementError>;

    /// Books that every target has answered: a word for whoever reads the history, on which nothing depends.
    async fn mark_credential_fully_propagated(
        &self,
        mark: &FullyPropagated,
    ) -> Result<(), ManagementError>;

    /// Lists rows a resync may send again, in the order of (track, client id, target).
    async fn resync_rows(&self, query: &ResyncQuery) -> Result<Vec<ResyncRow>, ManagementError>;

    /// Makes rows pending again with their content unchanged, in a new generation, so that their next event is newer than
    /// everything this peer has sent: its `ts` is larger than every `ts` used so far for the credential, and than
    /// `floor_ts`, if given. A row whose generation has moved is left. `origin` is who asked, for the audit.
    async fn rebook(
        &self,
        rows: &[ResyncRow],
        now_ms: i64,
        floor_ts: Option<i64>,
        origin: &Origin,
    ) -> Result<(), ManagementError>;

    /// Lists the rows of one target that say `success`, in the order of (track, client id). An empty page is the end.
    async fn settled_rows(&self, query: &SettledQuery) -> Result<Vec<SettledRow>, ManagementError>;

    /// Makes rows pending again with nothing about them changed, where they still say `success` in the generation named;
    /// tells how many did. Their next event is a further try: older than any later change, as every retry.
    async fn reopen(&self, rows: &[Reopening], now_ms: i64) -> Result<u64, ManagementError>;

    /// Lists what this peer's own store is booked to hold, in the order of (track, client id), `limit` at most, from after a
    /// key on. `sent_ts` and `last_ts` are when the change was accepted; there is no event id.
    async fn settled_changes(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<SettledRow>, ManagementError>;

    /// Changes not yet known to be in this peer's own store, the longest waiting first, `limit` at most.
    async fn unapplied_changes(&self, limit: usize) -> Result<Vec<LocalChange>, ManagementError>;

    /// Books that this peer's own store holds these changes (key and generation); older generations are covered too.
    async fn mark_locally_applied(
        &self,
        applied: &[(CredentialKey, u64)],
    ) -> Result<(), ManagementError>;

    /// Batch form of [`Self::fetch_source_propagation_secret`].
    async fn fetch_source_propagation_secrets(
        &self,
        sources: &[PeerName],
    ) -> Result<Vec<Option<Secret>>, ManagementError> {
        let mut secrets = Vec::with_capacity(sources.len());
        for source in sources {
            secrets.push(self.fetch_source_propagation_secret(source).await?);
        }
        Ok(secrets)
    }

    /// Batch form of [`Self::upsert_credential_with_targets`].
    async fn upsert_credentials_with_targets(
        &self,
        requests: &[ChangeRequest],
    ) -> Vec<Result<Accepted, ManagementError>> {
        let mut results = Vec::with_capacity(requests.len());
        for request in requests {
            results.push(self.upsert_credential_with_targets(request).await);
        }
        results
    }

    /// Batch form of [`Self::mark_target_sent`]; one transaction where the store can.
    async fn mark_targets_sent(&self, marks: &[SentMark]) -> Result<(), ManagementError> {
        for mark in marks {
            self.mark_target_sent(mark).await?;
        }
        Ok(())
    }

    /// Batch form of [`Self::mark_target_success`] and [`Self::mark_target_error`], by each mark's outcome.
    async fn mark_targets_acknowledged(&self, marks: &[AckMark]) -> Result<(), ManagementError> {
        for mark in marks {
            match mark.outcome {
                Ok(()) => self.mark_target_success(mark).await?,
                Err(_) => self.mark_target_error(mark).await?,
            }
        }
        Ok(())
    }

    /// Batch form of [`Self::mark_credential_fully_propagated`].
    async fn mark_credentials_fully_propagated(
        &self,
        marks: &[FullyPropagated],
    ) -> Result<(), ManagementError> {
        for mark in marks {
            self.mark_credential_fully_propagated(mark).await?;
        }
        Ok(())
    }
}
