//! The seams with a timeout on every call, so that no caller can forget it.
//!
//! A propagator calls its seams only through these decorators: an implementation that does not
//! answer costs a caller the timeout, never more. A call that is cut off may have had its effect;
//! every call is safe to repeat.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use hmac_auth::credential::{ClientId, Credential};
use hmac_auth::credential_store::CredentialStore;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::broker::{
    Broker, BrokerError, BrokerStatus, Delivery, DeliveryTag, OutboundMessage, PublishError,
    QueueDepth, Settlement, Subscription,
};
use crate::management::{
    Accepted, AckMark, FullyPropagated, LocalChange, Management, ManagementError,
    PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, Rotation, SentMark,
    SettledQuery, SettledRow, Upsert,
};
use crate::peer_store::{
    AckResult, Applied, Apply, CredentialKey, FinalStatus, InFlight, PeerStore, Stamp, Track,
};
use crate::queue::PeerName;

/// Settling is bounded by this; a delivery that is not settled is delivered again.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// A seam of which each call takes at most `bound`.
pub(crate) struct Bounded<S: ?Sized> {
    seam: Arc<S>,
    bound: Duration,
}

/// The bound of a call passed without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer in time")]
pub(crate) struct NoAnswer;

impl NoAnswer {
    /// Tells whether this is why `error` came.
    pub(crate) fn is_behind(error: &dyn std::error::Error) -> bool {
        error.source().is_some_and(|source| source.is::<Self>())
    }
}

impl<S: ?Sized> Bounded<S> {
    pub(crate) fn new(seam: Arc<S>, bound: Duration) -> Self {
        Self { seam, bound }
    }

    async fn within<T, E: From<NoAnswer>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        timeout(self.bound, call)
            .await
            .unwrap_or_else(|_| Err(NoAnswer.into()))
    }

    /// Bounds a call that answers each of `items` by itself.
    async fn within_each<T, E: From<NoAnswer>>(
        &self,
        items: usize,
        call: impl Future<Output = Vec<Result<T, E>>>,
    ) -> Vec<Result<T, E>> {
        let late = || (0..items).map(|_| Err(NoAnswer.into())).collect();
        timeout(self.bound, call).await.unwrap_or_else(|_| late())
    }
}

impl From<NoAnswer> for StoreError {
    fn from(late: NoAnswer) -> Self {
        Self::Unavailable(late.into())
    }
}

impl From<NoAnswer> for ManagementError {
    fn from(late: NoAnswer) -> Self {
        Self::Unavailable(late.into())
    }
}

impl From<NoAnswer> for BrokerError {
    fn from(late: NoAnswer) -> Self {
        Self::Unavailable(late.into())
    }
}

impl From<NoAnswer> for PublishError {
    fn from(_: NoAnswer) -> Self {
        Self::unconfirmed("no confirm in time")
    }
}

#[async_trait]
impl Broker for Bounded<dyn Broker> {
    async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError> {
        self.within(self.seam.declare(peer)).await
    }

    async fn publish(&self, messages: Vec<OutboundMessage>) -> Vec<Result<(), PublishError>> {
        self.within_each(messages.len(), self.seam.publish(messages))
            .await
    }

    async fn subscribe(
        &self,
        peer: &PeerName,
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        let subscription = self.within(self.seam.subscribe(peer, prefetch)).await?;
        Ok(Box::new(BoundedSubscription(subscription)))
    }

    async fn queue_depth(&self, peer: &PeerName) -> Result<Option<QueueDepth>, BrokerError> {
        self.within(self.seam.queue_depth(peer)).await
    }

    fn status(&self) -> watch::Receiver<BrokerStatus> {
        self.seam.status()
    }

    async fn close(&self) {
        if timeout(self.bound, self.seam.close()).await.is_err() {
            tracing::warn!("the broker connection did not close in time");
        }
    }
}

/// Waits for deliveries as long as it takes, and settles them within [`SETTLE_TIMEOUT`].
struct BoundedSubscription(Box<dyn Subscription>);

#[async_trait]
impl Subscription for BoundedSubscription {
    async fn next(&mut self, max: usize) -> Vec<Delivery> {
        self.0.next(max).await
    }

    async fn settle(
        &mut self,
        settlements: &[(DeliveryTag, Settlement)],
    ) -> Result<(), BrokerError> {
        timeout(SETTLE_TIMEOUT, self.0.settle(settlements))
            .await
            .map_err(|_| NoAnswer)?
    }
}

impl Bounded<dyn CredentialStore> {
    /// [`CredentialStore::find_many`]: a propagator only reads credentials.
    pub(crate) async fn find_many(
        &self,
        client_ids: &[ClientId],
    ) -> Result<Vec<Option<Result<Credential, &'static str>>>, StoreError> {
        self.within(self.seam.find_many(client_ids)).await
    }
}

#[async_trait]
impl PeerStore for Bounded<dyn PeerStore> {
    fn tracks(&self) -> &[Track] {
        self.seam.tracks()
    }

    async fn apply(&self, batch: &[Apply]) -> Vec<Result<Applied, StoreError>> {
        self.within_each(batch.len(), self.seam.apply(batch)).await
    }

    async fn cursors(&self, keys: &[CredentialKey]) -> Result<Vec<Option<Stamp>>, StoreError> {
        self.within(self.seam.cursors(keys)).await
    }

    async fn book(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.within(self.seam.book(events)).await
    }

    async fn find(&self, event_ids: &[String]) -> Result<Vec<Option<InFlight>>, StoreError> {
        self.within(self.seam.find(event_ids)).await
    }

    async fn complete(
        &self,
        events: &[(InFlight, AckResult)],
    ) -> Result<Vec<Option<FinalStatus>>, StoreError> {
        self.within(self.seam.complete(events)).await
    }

    async fn discard(&self, events: &[InFlight]) -> Result<(), StoreError> {
        self.within(self.seam.discard(events)).await
    }

    async fn run_id(&self) -> Result<Option<String>, StoreError> {
        self.within(self.seam.run_id()).await
    }
}

#[async_trait]
impl Management for Bounded<dyn Management> {
    async fn upsert_credential_with_targets(
        &self,
        upsert: &Upsert,
    ) -> Result<Accepted, ManagementError> {
        self.within(self.seam.upsert_credential_with_targets(upsert))
            .await
    }

    async fn rotate_credential_secret(
        &self,
        rotation: &Rotation,
    ) -> Result<Accepted, ManagementError> {
        self.within(self.seam.rotate_credential_secret(rotation))
            .await
    }

    async fn fetch_pending_propagations(
        &self,
        query: &PendingQuery,
    ) -> Result<Vec<PendingPropagation>, ManagementError> {
        self.within(self.seam.fetch_pending_propagations(query))
            .await
    }

    async fn fetch_source_propagation_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError> {
        self.within(self.seam.fetch_source_propagation_secret(source))
            .await
    }

    async fn mark_target_sent(&self, mark: &SentMark) -> Result<(), ManagementError> {
        self.within(self.seam.mark_target_sent(mark)).await
    }

    async fn mark_target_success(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.within(self.seam.mark_target_success(mark)).await
    }

    async fn mark_target_error(&self, mark: &AckMark) -> Result<(), ManagementError> {
        self.within(self.seam.mark_target_error(mark)).await
    }

    async fn mark_credential_fully_propagated(
        &self,
        mark: &FullyPropagated,
    ) -> Result<(), ManagementError> {
        self.within(self.seam.mark_credential_fully_propagated(mark))
            .await
    }

    async fn resync_rows(&self, query: &ResyncQuery) -> Result<Vec<ResyncRow>, ManagementError> {
        self.within(self.seam.resync_rows(query)).await
    }

    async fn rebook(&self, rows: &[ResyncRow], now_ms: i64) -> Result<(), ManagementError> {
        self.within(self.seam.rebook(rows, now_ms)).await
    }

    async fn settled_rows(&self, query: &SettledQuery) -> Result<Vec<SettledRow>, ManagementError> {
        self.within(self.seam.settled_rows(query)).await
    }

    async fn reopen(&self, rows: &[Reopening], now_ms: i64) -> Result<u64, ManagementError> {
        self.within(self.seam.reopen(rows, now_ms)).await
    }

    async fn settled_changes(
        &self,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<SettledRow>, ManagementError> {
        self.within(self.seam.settled_changes(after, limit)).await
    }

    async fn unapplied_changes(&self, limit: usize) -> Result<Vec<LocalChange>, ManagementError> {
        self.within(self.seam.unapplied_changes(limit)).await
    }

    async fn mark_locally_applied(
        &self,
        applied: &[(CredentialKey, u64)],
    ) -> Result<(), ManagementError> {
        self.within(self.seam.mark_locally_applied(applied)).await
    }

    async fn uncleared_credentials(
        &self,
        limit: usize,
    ) -> Result<Vec<CredentialKey>, ManagementError> {
        self.within(self.seam.uncleared_credentials(limit)).await
    }

    async fn upsert_credentials_with_targets(
        &self,
        upserts: &[Upsert],
    ) -> Vec<Result<Accepted, ManagementError>> {
        self.within_each(
            upserts.len(),
            self.seam.upsert_credentials_with_targets(upserts),
        )
        .await
    }

    async fn mark_targets_sent(&self, marks: &[SentMark]) -> Result<(), ManagementError> {
        self.within(self.seam.mark_targets_sent(marks)).await
    }

    async fn mark_targets_acknowledged(&self, marks: &[AckMark]) -> Result<(), ManagementError> {
        self.within(self.seam.mark_targets_acknowledged(marks))
            .await
    }

    async fn mark_credentials_fully_propagated(
        &self,
        marks: &[FullyPropagated],
    ) -> Result<(), ManagementError> {
        self.within(self.seam.mark_credentials_fully_propagated(marks))
            .await
    }
}
