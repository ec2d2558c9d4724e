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
    Accepted, AckMark, ChangeRequest, FullyPropagated, LocalChange, Management, ManagementError,
    PendingPropagation, PendingQuery, Reopening, ResyncQuery, ResyncRow, Rotation, SentMark,
    SettledQuery, SettledRow,
};
use crate::origin::Origin;
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

macro_rules! unavailable {
    ($($error:ident),*) => {$(
        impl From<NoAnswer> for $error {
            fn from(late: NoAnswer) -> Self {
                Self::Unavailable(late.into())
            }
        }
    )*};
}

unavailable!(StoreError, ManagementError, BrokerError);

impl From<NoAnswer> for PublishError {
    fn from(_: NoAnswer) -> Self {
        Self::unconfirmed("no confirm in time")
    }
}

/// Implements a seam by putting the timeout on every call: those that answer as one, those that answer
/// each item of a batch, and the others as they are written.
macro_rules! bounded {
    (
        $seam:ident, $error:ident {
            $(fn $call:ident($($name:ident: $type:ty),*) -> $answer:ty;)*
            $(each $many:ident($items:ident: $batch:ty) -> $one:ty, $failure:ty;)*
        }
        $($others:tt)*
    ) => {
        #[async_trait]
        impl $seam for Bounded<dyn $seam> {
            $(
                async fn $call(&self, $($name: $type),*) -> Result<$answer, $error> {
                    self.within(self.seam.$call($($name),*)).await
                }
            )*
            $(
                async fn $many(&self, $items: $batch) -> Vec<Result<$one, $failure>> {
                    self.within_each($items.len(), self.seam.$many($items)).await
                }
            )*
            $($others)*
        }
    };
}

bounded! {
    Broker, BrokerError {
        fn declare(peer: &PeerName) -> ();
        fn queue_depth(peer: &PeerName) -> Option<QueueDepth>;
        each publish(messages: Vec<OutboundMessage>) -> (), PublishError;
    }

    async fn subscribe(
        &self,
        peer: &PeerName,
        prefetch: u16,
    ) -> Result<Box<dyn Subscription>, BrokerError> {
        let subscription = self.within(self.seam.subscribe(peer, prefetch)).await?;
        Ok(Box::new(BoundedSubscription(subscription)))
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

bounded! {
    PeerStore, StoreError {
        fn cursors(keys: &[CredentialKey]) -> Vec<Option<Stamp>>;
        fn book(events: &[InFlight]) -> ();
        fn find(event_ids: &[String]) -> Vec<Option<InFlight>>;
        fn complete(events: &[(InFlight, AckResult)]) -> Vec<Option<FinalStatus>>;
        fn discard(events: &[InFlight]) -> ();
        fn run_id() -> Option<String>;
        each apply(batch: &[Apply]) -> Applied, StoreError;
    }

    fn tracks(&self) -> &[Track] {
        self.seam.tracks()
    }
}

bounded! {
    Management, ManagementError {
        fn upsert_credential_with_targets(request: &ChangeRequest) -> Accepted;
        fn rotate_credential_secret(rotation: &Rotation) -> Accepted;
        fn fetch_pending_propagations(query: &PendingQuery) -> Vec<PendingPropagation>;
        fn fetch_source_propagation_secret(source: &PeerName) -> Option<Secret>;
        fn fetch_source_propagation_secrets(sources: &[PeerName]) -> Vec<Option<Secret>>;
        fn mark_target_sent(mark: &SentMark) -> ();
        fn mark_target_success(mark: &AckMark) -> ();
        fn mark_target_error(mark: &AckMark) -> ();
        fn mark_credential_fully_propagated(mark: &FullyPropagated) -> ();
        fn resync_rows(query: &ResyncQuery) -> Vec<ResyncRow>;
        fn rebook(rows: &[ResyncRow], now_ms: i64, floor_ts: Option<i64>, origin: &Origin) -> ();
        fn settled_rows(query: &SettledQuery) -> Vec<SettledRow>;
        fn reopen(rows: &[Reopening], now_ms: i64) -> u64;
        fn settled_changes(after: Option<&CredentialKey>, limit: usize) -> Vec<SettledRow>;
        fn unapplied_changes(limit: usize) -> Vec<LocalChange>;
        fn mark_locally_applied(applied: &[(CredentialKey, u64)]) -> ();
        fn mark_targets_sent(marks: &[SentMark]) -> ();
        fn mark_targets_acknowledged(marks: &[AckMark]) -> ();
        fn mark_credentials_fully_propagated(marks: &[FullyPropagated]) -> ();
        each upsert_credentials_with_targets(requests: &[ChangeRequest]) -> Accepted, ManagementError;
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

/// Waits for deliveries as long as it takes, and settles them within [`SETTLE_TIMEOUT`].
struct BoundedSubscription(Box<dyn Subscription>);

#[async_trait]
impl Subscription for BoundedSubscription {
    async fn next(&mut self, max: usize) -> Vec<Delivery> {
        self.0.next(max).await
    }

    fn set_prefetch(&mut self, prefetch: usize) {
        self.0.set_prefetch(prefetch);
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
