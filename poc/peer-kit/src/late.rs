//! A management store that may come later than the peer: until it is there, every call says that it is away.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use auth_base::secret::Secret;
use hmac_propagation::management::{
    Accepted, AckMark, ChangeRequest, FullyPropagated, LocalChange, Management, ManagementError,
    PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, Rotation, SentMark,
    SettledQuery, SettledRow,
};
use hmac_propagation::origin::Origin;
use hmac_propagation::peer_store::CredentialKey;
use hmac_propagation::queue::PeerName;
use parking_lot::RwLock;

/// A place for a store that is not connected yet. Clones share it.
#[derive(Debug)]
pub struct Late<T>(Arc<Place<T>>);

#[derive(Debug)]
struct Place<T> {
    store: OnceLock<T>,
    /// Why it was not there when it was last looked for.
    why: RwLock<Option<String>>,
}

/// The store was not connected yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConnectedYet {
    /// It was not looked for.
    #[error("not connected yet")]
    Unknown,
    /// It was looked for in vain.
    #[error("not connected yet: {0}")]
    Because(String),
}

impl<T> Late<T> {
    /// An empty place.
    pub fn new() -> Self {
        Self(Arc::new(Place {
            store: OnceLock::new(),
            why: RwLock::default(),
        }))
    }

    /// Says why it is not there yet, until it is asked again or there.
    pub fn is_missing(&self, why: String) {
        *self.0.why.write() = Some(why);
    }

    /// Puts the store in its place; a second one is dropped.
    pub fn arrive(&self, store: T) {
        // Whoever was first stays.
        let _ = self.0.store.set(store);
    }

    /// The store, once it is there.
    ///
    /// # Errors
    /// [`NotConnectedYet`].
    pub fn store(&self) -> Result<&T, NotConnectedYet> {
        self.0.store.get().ok_or_else(|| {
            let why = self.0.why.read().clone();
            why.map_or(NotConnectedYet::Unknown, NotConnectedYet::Because)
        })
    }

    fn management(&self) -> Result<&T, ManagementError> {
        self.store()
            .map_err(|error| ManagementError::Unavailable(Box::new(error)))
    }
}

impl<T> Default for Late<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Late<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[async_trait]
impl<T: Management> Management for Late<T> {
    async fn upsert_credential_with_targets(
        &self,
        request: &ChangeRequest,
    ) -> Result<Accepted, ManagementError> {
        self.management()?
            .upsert_credential_with_targets(request)
            .await
    }

    async fn rotate_credential_secret(
        &self,
        rotation: &Rotation,
    ) -> Result<Accepted, ManagementError> {
        self.management()?.rotate_credential_secret(rotation).await
    }

    async fn fetch_pending_propagations(
        &self,
        query: &PendingQuery,
    ) -> Result<Vec<PendingPropagation>, ManagementError> {
        self.management()?.fetch_pending_propagations(query).await
    }

    async fn fetch_source_propagation_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError> {
        self.management()?
            .fetch_source_propagation_secret(source)
            .await
    }

    async fn fetch_source_propagation_secrets(
        &self,
        sources: &[PeerName],
    ) -> Result<Vec<Option<Secret>>, ManagementError> {
        self.management()?
            .fetch_source_propagation_secrets(sources)
            .await
    }

    async fn mark_target_sent(&self, mark: &SentMark) -> Result<(), ManagementError> {
        self.management()?.mark_target_sent(mark).await
    }

    async fn mark_target_success(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.management()?.mark_target_success(mark).await
    }

    async fn mark_target_error(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.management()?.mark_target_error(mark).await
    }

    async fn mark_credential_fully_propagated(
        &self,
        mark: &FullyPropagated,
    ) -> Result<(), ManagementError> {
        self.management()?
            .mark_credential_fully_propagated(mark)
            .await
    }

    async fn resync_rows(&self, query: &ResyncQuery) -> Result<Vec<ResyncRow>, ManagementError> {
        self.management()?.resync_rows(query).await
    }

    async fn rebook(
        &self,
        rows: &[ResyncRow],
        now_ms: i64,
        floor_ts: Option<i64>,
        origin: &Origin,
    ) -> Result<(), ManagementError> {
        self.management()?
            .rebook(rows, now_ms, floor_ts, origin)
            .await
    }

    async fn settled_rows(&self, query: &SettledQuery) -> Result<Vec<SettledRow>, ManagementError> {
        self.management()?.settled_rows(query).await
    }

    async fn reopen(&self, rows: &[Reopening], now_ms: i64) -> Result<u64, ManagementError> {
        self.management()?.reopen(rows, now_ms).await
    }

    async fn settled_changes(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<SettledRow>, ManagementError> {
        self.management()?.settled_changes(after, limit).await
    }

    async fn unapplied_changes(&self, limit: usize) -> Result<Vec<LocalChange>, ManagementError> {
        self.management()?.unapplied_changes(limit).await
    }

    async fn mark_locally_applied(
        &self,
        applied: &[(CredentialKey, u64)],
    ) -> Result<(), ManagementError> {
        self.management()?.mark_locally_applied(applied).await
    }

    async fn upsert_credentials_with_targets(
        &self,
        requests: &[ChangeRequest],
    ) -> Vec<Result<Accepted, ManagementError>> {
        match self.store() {
            Ok(store) => store.upsert_credentials_with_targets(requests).await,
            Err(why) => requests
                .iter()
                .map(|_| Err(ManagementError::Unavailable(Box::new(why.clone()))))
                .collect(),
        }
    }

    async fn mark_targets_sent(&self, marks: &[SentMark]) -> Result<(), ManagementError> {
        self.management()?.mark_targets_sent(marks).await
    }

    async fn mark_targets_acknowledged(&self, marks: &[AckMark]) -> Result<(), ManagementError> {
        self.management()?.mark_targets_acknowledged(marks).await
    }

    async fn mark_credentials_fully_propagated(
        &self,
        marks: &[FullyPropagated],
    ) -> Result<(), ManagementError> {
        self.management()?
            .mark_credentials_fully_propagated(marks)
            .await
    }
}
