//! The pump of the transactional outbox (propagation wire 2.4): claims what waits, page by page, and
//! has it sent.
//!
//! It syncs by itself right after each change, when the broker comes back, and on a timer. Each page
//! costs one round trip to the management store to claim, one to the peer's store to book, the
//! broker's confirms for the whole page, and one round trip to mark; the next page is claimed
//! meanwhile.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use auth_base::error_chain::chain;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::broker::{BrokerError, BrokerStatus};
use crate::context::Context;
use crate::dispatch::{Dispatch, Page};
use crate::error::PropagationError;
use crate::management::{PendingPropagation, PendingQuery};
use crate::options::{Resync, SyncSummary};
use crate::origin::Origin;
use crate::own_store::OwnStore;
use crate::resync::Resyncs;

/// Pages in one sync at most; what is left waits for the next.
const MAX_PAGES: usize = 10_000;

/// Between two searches for deliveries whose answer is overdue, in milliseconds.
const OVERDUE_PAUSE_MS: i64 = 1_000;

/// Claims deliveries and has them sent.
pub(crate) struct Outbound {
    context: Arc<Context>,
    own_store: Arc<OwnStore>,
    dispatch: Arc<Dispatch>,
    resyncs: Resyncs,
    /// One sync at a time in this process; replicas are kept apart by leases.
    turn: Mutex<()>,
    overdue_checked_at_ms: AtomicI64,
}

impl Outbound {
    pub(crate) fn new(
        context: Arc<Context>,
        own_store: Arc<OwnStore>,
        dispatch: Arc<Dispatch>,
        resyncs: Resyncs,
    ) -> Self {
        Self {
            context,
            own_store,
            dispatch,
            resyncs,
            turn: Mutex::default(),
            overdue_checked_at_ms: AtomicI64::new(i64::MIN),
        }
    }

    /// Syncs by itself until the propagator closes.
    pub(crate) async fn run(&self) {
        let context = &self.context;
        let mut broker = context.broker.status();
        let mut timer = interval(context.settings.sync_interval);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0;
        loop {
            tokio::select! {
                biased;
                () = context.closing.wait() => return,
                // Before the changes, which may never pause.
                _ = timer.tick() => self.own_store.want_repair(),
                () = connected(&mut broker) => {}
                () = context.sync_wanted() => {}
            }
            match self.sync_when_free().await {
                Ok(summary) => {
                    failures = 0;
                    context.health.note("sync", None);
                    if summary.targets_published > 0 || summary.targets_retrying > 0 {
                        tracing::debug!(peer = %context.name, ?summary, "synced");
                    }
                }
                Err(error) => {
                    let text = chain(&error);
                    if failures == 0 {
                        tracing::warn!(peer = %context.name, error = text, "sync failed; trying again");
                    }
                    context.health.note("sync", Some(text));
                    context.pause(failures).await;
                    failures = failures.saturating_add(1);
                    // What this sync was woken for still waits; the next reason to sync is the timer,
                    // a change, or the broker.
                }
            }
        }
    }

    /// Sends what waits, for a caller who waits.
    pub(crate) async fn sync(&self, origin: &Origin) -> Result<SyncSummary, PropagationError> {
        let started = Instant::now();
        let _one_at_a_time = self.turn_of_a_caller().await?;
        self.sync_in_turn(started, origin).await
    }

    /// A caller waits for an earlier sync no longer than for a store. Many callers at once would else
    /// wait one after the other for a broker that does not answer.
    async fn turn_of_a_caller(&self) -> Result<MutexGuard<'_, ()>, PropagationError> {
        let turn = timeout(self.context.settings.store_timeout, self.turn.lock()).await;
        turn.map_err(|_| PropagationError::Timeout("an earlier sync"))
    }

    /// Sends what waits, as soon as no other sync does.
    async fn sync_when_free(&self) -> Result<SyncSummary, PropagationError> {
        let started = Instant::now();
        let _one_at_a_time = self.turn.lock().await;
        self.sync_in_turn(started, &Origin::default()).await
    }

    async fn sync_in_turn(
        &self,
        started: Instant,
        origin: &Origin,
    ) -> Result<SyncSummary, PropagationError> {
        self.context.management()?;
        self.own_store.repair().await?;
        self.check_connected()?;
        let mut summary = SyncSummary::default();
        let mut clients = HashSet::new();
        let overdue = self.checks_overdue_now();
        let mut claimed = self.claim(overdue, origin).await?;
        for _ in 0..MAX_PAGES {
            if claimed.is_empty() {
                break;
            }
            let full = claimed.len() >= self.context.settings.page;
            clients.extend(claimed.iter().map(|row| row.key.clone()));
            let ahead = async {
                if full && !self.context.closing.has_begun() {
                    self.claim(overdue, origin).await
                } else {
                    Ok(Vec::new())
                }
            };
            let (page, next) = tokio::join!(self.dispatch.send(claimed), ahead);
            if page.as_ref().is_ok_and(Page::lets_others_through) {
                let page = page?;
                summary.targets_published += page.published as u64;
                summary.targets_retrying += page.failed as u64;
                claimed = next?;
                continue;
            }
            // Nothing gets through: what was claimed ahead is free for the next sync.
            let ahead = next.unwrap_or_default();
            summary.targets_retrying +=
                page.as_ref().map_or(0, |page| page.failed as u64) + ahead.len() as u64;
            let released = self.dispatch.release(&ahead, "nothing could be sent").await;
            page?;
            released?;
            break;
        }
        summary.propagations_read = clients.len() as u64;
        summary.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.context.health.note_sync(self.context.now_ms());
        Ok(summary)
    }

    /// Makes deliveries again and sends them, in one turn: a sync between the two would send them
    /// uncounted.
    pub(crate) async fn resync(&self, resync: Resync) -> Result<SyncSummary, PropagationError> {
        let started = Instant::now();
        let scope = self.resyncs.scope(resync.scope)?;
        let _one_at_a_time = self.turn_of_a_caller().await?;
        let origin = &resync.origin;
        self.resyncs.rebook(scope, resync.newer, origin).await?;
        self.sync_in_turn(started, origin).await
    }

    async fn claim(
        &self,
        overdue: bool,
        origin: &Origin,
    ) -> Result<Vec<PendingPropagation>, PropagationError> {
        let (context, settings) = (&self.context, &self.context.settings);
        let query = PendingQuery {
            now_ms: context.now_ms(),
            resend_after_ms: millis(settings.resend_after),
            overdue,
            lease_ms: millis(settings.claim_lease),
            limit: settings.page,
            source: context.name.clone(),
            randoms: (0..settings.page).map(|_| context.random_bytes()).collect(),
            origin: origin.clone(),
        };
        let management = context.management()?;
        Ok(management.fetch_pending_propagations(&query).await?)
    }

    fn check_connected(&self) -> Result<(), PropagationError> {
        let status = self.context.broker.status();
        let status = status.borrow();
        if status.connected {
            return Ok(());
        }
        let reason = status.reason.as_deref().unwrap_or("not connected");
        Err(BrokerError::Unavailable(reason.into()).into())
    }

    /// Tells whether deliveries that wait for an answer too long are searched for now. A sync for each
    /// change need not: the search costs a change two round trips, and such a delivery has waited a
    /// minute when it is found. So [`OVERDUE_PAUSE_MS`] lie between two searches, or a tenth of a
    /// shorter `resend_after`.
    fn checks_overdue_now(&self) -> bool {
        let now_ms = self.context.now_ms();
        let pause_ms = millis(self.context.settings.resend_after / 10);
        let before = self.overdue_checked_at_ms.load(Ordering::Relaxed);
        // A clock set back must not keep deliveries waiting.
        let due =
            before > now_ms || now_ms.saturating_sub(before) >= pause_ms.min(OVERDUE_PAUSE_MS);
        if due {
            self.overdue_checked_at_ms.store(now_ms, Ordering::Relaxed);
        }
        due
    }
}

/// Waits until the broker's state changes to connected.
async fn connected(broker: &mut watch::Receiver<BrokerStatus>) {
    loop {
        if broker.changed().await.is_err() {
            return std::future::pending().await;
        }
        if broker.borrow_and_update().connected {
            return;
        }
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
