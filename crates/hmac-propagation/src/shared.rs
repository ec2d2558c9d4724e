//! What the parts of a running propagator share.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_base::secret::Secret;
use auth_base::store_error::StoreError;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::broker::BrokerError;
use crate::counters::LiveCounters;
use crate::drift::DriftState;
use crate::error::PropagationError;
use crate::management::{Management, ManagementError};
use crate::peer_store::CredentialKey;
use crate::progress::Teller;
use crate::propagator::PropagatorBuilder;
use crate::queue::PeerName;
use crate::sent_marks::SentMarks;

/// How long a source's secret, once looked up, is used without looking again.
const SOURCE_SECRET_TTL: Duration = Duration::from_secs(1);

/// Between two looks for rows whose answer is overdue, in milliseconds.
const OVERDUE_PAUSE_MS: i64 = 1_000;

/// A running propagator's parts and state.
pub(crate) struct Core {
    pub(crate) parts: PropagatorBuilder,
    pub(crate) counters: LiveCounters,
    /// One sync at a time in this process; replicas are kept apart by claims.
    pub(crate) syncing: tokio::sync::Mutex<()>,
    /// Told of every accepted change.
    pub(crate) wake: Notify,
    /// Told once, when the propagator closes.
    pub(crate) closing: Closing,
    /// Whether the management store may know changes that the peer's own store does not hold.
    pub(crate) recover: AtomicBool,
    pub(crate) sent_marks: SentMarks,
    pub(crate) drift: DriftState,
    overdue_looked_at_ms: AtomicI64,
    uncleared_looked_at: Mutex<Option<Instant>>,
    /// Tells watchers how far rows have come.
    pub(crate) progress: Teller,
    applied_locally: Mutex<Vec<(CredentialKey, u64)>>,
    declared: Mutex<Declared>,
    source_secrets: Mutex<HashMap<PeerName, (Instant, Option<Secret>)>>,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Declared {
    epoch: u64,
    peers: HashSet<PeerName>,
}

#[derive(Clone, Default)]
pub(crate) struct Health {
    pub(crate) last_sync_at_ms: Option<i64>,
    pub(crate) errors: HashMap<&'static str, String>,
}

impl Core {
    pub(crate) fn new(parts: PropagatorBuilder) -> Self {
        Self {
            parts,
            counters: LiveCounters::default(),
            syncing: tokio::sync::Mutex::new(()),
            wake: Notify::new(),
            closing: Closing::default(),
            recover: AtomicBool::new(true),
            sent_marks: SentMarks::default(),
            drift: DriftState::default(),
            overdue_looked_at_ms: AtomicI64::new(i64::MIN),
            uncleared_looked_at: Mutex::default(),
            progress: Teller::default(),
            applied_locally: Mutex::default(),
            declared: Mutex::default(),
            source_secrets: Mutex::default(),
            health: Mutex::default(),
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.parts.clock.now_ms()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.begun.load(Ordering::SeqCst)
    }

    /// A fresh UUID v4.
    pub(crate) fn event_id(&self) -> String {
        let mut bytes = [0; 16];
        self.parts.random.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes)
            .into_uuid()
            .to_string()
    }

    /// The management store.
    ///
    /// # Errors
    /// `ManagementNotConfigured` for a receive-only peer, `Closed` after close.
    pub(crate) fn management(&self) -> Result<&dyn Management, PropagationError> {
        if self.is_closing() {
            return Err(PropagationError::Closed);
        }
        self.parts
            .management
            .as_deref()
            .ok_or(PropagationError::ManagementNotConfigured)
    }

    /// Bounds a call to the peer's store.
    pub(crate) async fn store<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = |_| StoreError::Unavailable("no answer in time".into());
        timeout(self.parts.settings.store_timeout, call)
            .await
            .map_err(late)?
    }

    /// Bounds a call to the peer's store that answers each item by itself.
    pub(crate) async fn store_batch<T>(
        &self,
        items: usize,
        call: impl Future<Output = Vec<Result<T, StoreError>>>,
    ) -> Vec<Result<T, StoreError>> {
        match timeout(self.parts.settings.store_timeout, call).await {
            Ok(results) => results,
            Err(_) => (0..items)
                .map(|_| Err(StoreError::Unavailable("no answer in time".into())))
                .collect(),
        }
    }

    /// Bounds a call to the management store.
    pub(crate) async fn managed<T>(
        &self,
        call: impl Future<Output = Result<T, ManagementError>>,
    ) -> Result<T, ManagementError> {
        let late = |_| ManagementError::Unavailable("no answer in time".into());
        timeout(self.parts.settings.management_timeout, call)
            .await
            .map_err(late)?
    }

    /// Declares a peer's queue unless that was done on this connection.
    pub(crate) async fn declare(&self, peer: &PeerName) -> Result<(), BrokerError> {
        let epoch = self.parts.broker.status().borrow().epoch;
        {
            let mut declared = lock(&self.declared);
            if declared.epoch != epoch {
                *declared = Declared {
                    epoch,
                    peers: HashSet::new(),
                };
            }
            if declared.peers.contains(peer) {
                return Ok(());
            }
        }
        let late = |_| BrokerError::Unavailable("no answer in time".to_owned());
        timeout(
            self.parts.settings.broker_timeout,
            self.parts.broker.declare(peer),
        )
        .await
        .map_err(late)??;
        let mut declared = lock(&self.declared);
        if declared.epoch == epoch {
            declared.peers.insert(peer.clone());
        }
        Ok(())
    }

    /// Forgets that a peer's queue was declared: somebody deleted it.
    pub(crate) fn forget_declared(&self, peer: &PeerName) {
        lock(&self.declared).peers.remove(peer);
    }

    /// The propagation secret that a peer's acknowledgements are signed with; `None` when this peer does not know it.
    pub(crate) async fn source_secret(
        &self,
        source: &PeerName,
    ) -> Result<Option<Secret>, ManagementError> {
        if source == &self.parts.name {
            return Ok(Some(self.parts.own_secret.clone()));
        }
        if let Some(secret) = self.parts.sources.get(source) {
            return Ok(Some(secret.clone()));
        }
        let Some(management) = &self.parts.management else {
            return Ok(None);
        };
        let known = lock(&self.source_secrets).get(source).cloned();
        if let Some((since, secret)) = known
            && since.elapsed() < SOURCE_SECRET_TTL
        {
            return Ok(secret);
        }
        let secret = self
            .managed(management.fetch_source_propagation_secret(source))
            .await?;
        let mut secrets = lock(&self.source_secrets);
        secrets.retain(|_, (since, _)| since.elapsed() < SOURCE_SECRET_TTL);
        secrets.insert(source.clone(), (Instant::now(), secret.clone()));
        Ok(secret)
    }

    /// Tells whether rows that wait for an answer too long are looked for now. A sync for each change need not: looking
    /// costs a change two round trips, and such a row has waited a minute when it is found. So [`OVERDUE_PAUSE_MS`] lie
    /// between two looks, or a tenth of a shorter `resend_after`.
    pub(crate) fn looks_for_overdue(&self) -> bool {
        let now_ms = self.now_ms();
        let pause_ms =
            i64::try_from(self.parts.settings.resend_after.as_millis() / 10).unwrap_or(i64::MAX);
        let before = self.overdue_looked_at_ms.load(Ordering::Relaxed);
        // A clock set back must not keep rows waiting.
        let due =
            before > now_ms || now_ms.saturating_sub(before) >= pause_ms.min(OVERDUE_PAUSE_MS);
        if due {
            self.overdue_looked_at_ms.store(now_ms, Ordering::Relaxed);
        }
        due
    }

    /// Tells whether plain secrets that were left behind are looked for now: at the start, and then every `resend_after`.
    pub(crate) fn looks_for_uncleared(&self) -> bool {
        let mut looked_at = lock(&self.uncleared_looked_at);
        let due = looked_at.is_none_or(|at| at.elapsed() >= self.parts.settings.resend_after);
        if due {
            *looked_at = Some(Instant::now());
        }
        due
    }

    /// Remembers that this peer's own store holds a change, to be booked with the next sync.
    pub(crate) fn note_applied(&self, key: CredentialKey, generation: u64) {
        lock(&self.applied_locally).push((key, generation));
    }

    /// Takes what [`Self::note_applied`] remembered.
    pub(crate) fn take_applied(&self) -> Vec<(CredentialKey, u64)> {
        std::mem::take(&mut *lock(&self.applied_locally))
    }

    pub(crate) fn health(&self) -> Health {
        lock(&self.health).clone()
    }

    pub(crate) fn note_sync(&self) {
        lock(&self.health).last_sync_at_ms = Some(self.now_ms());
    }

    /// Notes that `part` failed, or works again.
    pub(crate) fn note_health(&self, part: &'static str, error: Option<String>) {
        let mut health = lock(&self.health);
        match error {
            Some(error) => health.errors.insert(part, error),
            None => health.errors.remove(part),
        };
    }

    /// How long to wait longer after `failures` failures in a row: not at all after none.
    pub(crate) fn backoff_after(&self, failures: u32) -> Duration {
        failures
            .checked_sub(1)
            .map_or(Duration::ZERO, |failures| self.backoff(failures))
    }

    /// How long to wait after `failures` failures in a row.
    pub(crate) fn backoff(&self, failures: u32) -> Duration {
        let settings = &self.parts.settings;
        settings
            .retry_min
            .saturating_mul(1 << failures.min(16))
            .min(settings.retry_max)
    }
}

/// Says once that the propagator closes. Whoever waits for it is woken in the order of waiting, so that a shutdown can be
/// repeated step by step (a watch channel wakes at random).
#[derive(Default)]
pub(crate) struct Closing {
    begun: AtomicBool,
    told: Notify,
}

impl Closing {
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.told.notify_waiters();
    }

    /// Waits until the propagator closes.
    pub(crate) async fn wait(&self) {
        // Made before the look, so that what is told in between is not missed.
        let told = self.told.notified();
        if !self.begun.load(Ordering::SeqCst) {
            told.await;
        }
    }
}

/// Locks; a panic elsewhere while holding the lock leaves the data usable, for every holder changes it in one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
