//! This peer's own store, kept level with the changes that its management store accepted.
//!
//! A change is applied right after it was accepted. What a crash, or a store that was away, left
//! undone is repaired here: by the timer, at the start, and after a failure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{Change, CredentialChange};

use crate::context::Context;
use crate::error::PropagationError;
use crate::lock::lock;
use crate::management::{DesiredRecord, LocalChange};
use crate::peer_store::{Applied, Apply, ApplyOperation, CredentialKey, Stamp};

/// Changes repaired in one call of the management store.
const REPAIR_PAGE: usize = 500;

/// Pages repaired in one go; what is left waits for the next sync.
const MAX_REPAIR_PAGES: usize = 1_000;

/// Applies accepted changes to this peer's own store, and repairs what it missed.
pub(crate) struct OwnStore {
    context: Arc<Context>,
    /// Whether the management store may know changes that the own store does not hold.
    may_be_behind: AtomicBool,
    /// Changes that the own store holds, to be booked with the next repair.
    applied: Mutex<Vec<(CredentialKey, u64)>>,
}

impl OwnStore {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            may_be_behind: AtomicBool::new(true),
            applied: Mutex::default(),
        }
    }

    /// Applies changes under the stamps they were accepted with; each answer stands for itself.
    pub(crate) async fn apply(&self, changes: &[LocalChange]) -> Vec<Result<(), StoreError>> {
        let results = self.write(changes).await;
        let outcomes = changes.iter().zip(results).map(|(change, result)| match result {
            Ok(_) => {
                lock(&self.applied).push((change.key.clone(), change.generation));
                Ok(())
            }
            Err(error) => {
                tracing::warn!(client_id = %change.key.client_id, error = chain(&error), "own store could not take a change");
                self.want_repair();
                Err(error)
            }
        });
        outcomes.collect()
    }

    /// Has the next [`Self::repair`] compare with the management store.
    pub(crate) fn want_repair(&self) {
        self.may_be_behind.store(true, Ordering::SeqCst);
    }

    /// Applies changes that the management store accepted and the own store may not hold: after a
    /// crash, or after the store was away. Does nothing unless the timer, the start or a failure
    /// asked for it: a change that was applied needs no second look, and one more commit for each
    /// would double the price of a change.
    pub(crate) async fn repair(&self) -> Result<(), PropagationError> {
        if !self.may_be_behind.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let result = self.repair_all().await;
        self.may_be_behind
            .fetch_or(result.is_err(), Ordering::SeqCst);
        result
    }

    async fn repair_all(&self) -> Result<(), PropagationError> {
        let applied = std::mem::take(&mut *lock(&self.applied));
        if !applied.is_empty() {
            let management = self.context.management()?;
            management.mark_locally_applied(&applied).await?;
        }
        for _ in 0..MAX_REPAIR_PAGES {
            if !self.repair_page().await? {
                break;
            }
        }
        Ok(())
    }

    /// Repairs one page; `true` when there may be more.
    async fn repair_page(&self) -> Result<bool, PropagationError> {
        let management = self.context.management()?;
        let changes = management.unapplied_changes(REPAIR_PAGE).await?;
        if changes.is_empty() {
            return Ok(false);
        }
        let full = changes.len() == REPAIR_PAGE;
        let results = self.write(&changes).await;
        let mut applied = Vec::new();
        let mut failed = None;
        for (change, result) in changes.into_iter().zip(results) {
            match result {
                Ok(_) => applied.push((change.key, change.generation)),
                Err(error) => failed = Some(error),
            }
        }
        management.mark_locally_applied(&applied).await?;
        failed.map_or(Ok(full), |error| Err(error.into()))
    }

    async fn write(&self, changes: &[LocalChange]) -> Vec<Result<Applied, StoreError>> {
        let applies: Vec<Apply> = changes.iter().map(|change| self.apply_of(change)).collect();
        self.context.store.apply(&applies).await
    }

    fn apply_of(&self, change: &LocalChange) -> Apply {
        Apply {
            key: change.key.clone(),
            stamp: Stamp {
                ts: change.change_ts,
                event_id: self.context.event_id(change.change_ts),
            },
            operation: write_of(change.record.as_ref()),
            now_ms: self.context.now_ms(),
        }
    }
}

/// What makes a store hold exactly `record`.
pub(crate) fn write_of(record: Option<&DesiredRecord>) -> ApplyOperation {
    match record {
        None => ApplyOperation::Delete,
        Some(record) => ApplyOperation::Write(CredentialChange {
            secret_hash: Some(record.secret_hash.clone()),
            expires_at: Change::Set(record.expires_at),
            allowed_ips: Change::Set(record.allowed_ips.clone()),
        }),
    }
}
